"""A run's settings: from a YAML file and flags, checked before anything is loaded."""

import argparse
import dataclasses
import difflib
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser, set_seed

from .. import writing
from ..errors import UserError
from ..hub.access import check_access
from ..hub.training import fetch_checkpoint
from ..plain import is_unicode
from ..processes import is_main
from ..training import lock
from ..training.trainer import XfmrTrainingArguments
from . import beginnings, help, kinds, program, ranges, yaml_text

seed_of_several: ContextVar[int | None] = ContextVar("seed_of_several", default=None)  # the one that runs, if any does


NAMES = ("dataset", "model", "output_dir", "text_column", "label_column", "text_pair_column", "tokenizer")


class _Parser(program.OneLine, HfArgumentParser):  # type: ignore[misc]
    """transformers' parser of dataclasses."""


class SeveralSeeds(Exception):
    """`parse` found `seeds`, and none of them runs yet: seeds.py then runs the recipe for each.

    `settings` are all that was given, without seeds and output folder.
    """

    def __init__(self, seeds: list[int], output_dir: str, settings: dict[str, Any]):
        super().__init__(f"several seeds: {seeds}")
        self.seeds, self.output_dir, self.settings = seeds, output_dir, settings


def parse(settings_class: type, arguments_class: type = XfmrTrainingArguments, *, argv: Sequence[str] | None = None):
    """Settings and training arguments from `[CONFIG.yaml] [--key value ...]`; a flag overrides the file.

    The random seed is set here, before any model is made; with `seeds`, `SeveralSeeds` is raised (see seeds.py).
    `output_dir`, if not given, is `runs/` and the config's name, or else the dataset's.
    Raises `UserError` for an unknown key (naming the nearest), a value of the wrong type or outside its range, or an
    output folder that cannot be written.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if (asked := help.asked_for(argv)) is not None:
        program.show(help.of_recipe(settings_class, arguments_class, asked))
    parser = _Parser(
        [settings_class, arguments_class],  # type: ignore[list-item]
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(program.TRACEBACK, action="store_true", help=program.TRACEBACK_HELP)  # program.run takes it
    actions, taken = {}, kinds.of(settings_class, arguments_class)
    for action in parser._actions:
        if action.dest == "traceback":
            continue
        if action.dest != "help":
            action.default, action.required = argparse.SUPPRESS, False  # only what was given, to lay over the file
            if dict in (takes := taken.get(action.dest, set())):
                action.type = _mapping_or_name if str in takes else _mapping
            actions.update(dict.fromkeys((option.lstrip("-") for option in action.option_strings), action))
    config = Path(argv.pop(0)) if argv and not argv[0].startswith("-") else None
    values = _read_yaml(config, actions, taken) if config else {}
    values |= _read_flags(parser, argv, actions, taken)
    values.setdefault("output_dir", beginnings.default_folder(config, values.get("dataset")))
    if values["output_dir"] is None:
        raise UserError("no output folder: give --output_dir FOLDER, or a config file, whose name it then takes")
    _check_texts(values)
    if isinstance(values["output_dir"], str):
        values["output_dir"] = str(writing.place(values["output_dir"], "output_dir"))
    _several_seeds(values)
    _check_alone(values)
    lacking = [
        f.name
        for f in dataclasses.fields(settings_class)
        if f.default is f.default_factory is dataclasses.MISSING and values.get(f.name) is None
    ]
    if lacking:
        raise UserError(f"{lacking[0]} is not given: put it into the config file or add --{lacking[0]}")
    try:
        settings, args = parser.parse_dict(values)
    except (ValueError, TypeError) as error:
        raise UserError(f"{config or 'the flags'}: {' '.join(str(error).split())}") from error
    ranges.check_settings(settings, args)
    args.recipe_settings = dataclasses.asdict(settings)  # for the checkpoints, which a run with others can't go on from
    _check_writable(Path(args.output_dir))
    if is_main():
        lock.acquire(args.output_dir)  # until `finish`, or the end of the process
    if args.push_to_hub:
        name = args.hub_model_id or Path(args.output_dir).absolute().name
        args.hub_model_id = check_access(name, private=args.hub_private_repo)
    if args.resume_from_checkpoint:
        args.resume_from_checkpoint = fetch_checkpoint(args.resume_from_checkpoint, args.output_dir)
    set_seed(args.seed)
    return settings, args


def of_flags(settings_class: type, words: Sequence[str]) -> Any:
    """Settings from flags alone, as those of a dataset that no run reads yet. Raises `UserError` for what is no flag of
    them."""
    parser = _Parser(settings_class, argument_default=argparse.SUPPRESS)
    known = {option.lstrip("-"): action for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        action.default, action.required = argparse.SUPPRESS, False
    try:
        return settings_class(**_read_flags(parser, list(words), known, kinds.of(settings_class)))
    except TypeError as error:
        raise UserError(f"a setting is not given: {error}") from None


def _check_alone(values: dict[str, Any]) -> None:
    """Raises `UserError` for a setting of several processes where one runs."""
    for name in ("fsdp", "fsdp_config", "ddp_backend"):
        if values.get(name) and int(os.environ.get("WORLD_SIZE", "1")) < 2:
            raise UserError(
                f"{name} is for several processes, and this is one: leave it out, or begin with accelerate launch"
            )


def _several_seeds(values: dict[str, Any]) -> None:
    """Put the seed that runs, and its folder, into `values`. Raises `SeveralSeeds` if none of several runs yet."""
    seeds = values.pop("seeds", None)
    if seeds is None:
        return
    if (seed := seed_of_several.get()) is not None:
        values |= {"seed": seed, "output_dir": str(Path(values["output_dir"]) / f"seed-{seed}")}
        return
    numbers = isinstance(seeds, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in seeds)
    if not numbers or len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds is {seeds}; it must be two or more different whole numbers, as in [1, 2, 3]")
    for seed in seeds:
        ranges.check(seed=seed)
    for name in ("seed", "push_to_hub", "resume_from_checkpoint"):
        if values.get(name) is not None and values[name] is not False:
            raise UserError(f"seeds and {name} are both given: leave one of them out")
    output_dir = values["output_dir"]
    raise SeveralSeeds(seeds, output_dir, {key: value for key, value in values.items() if key != "output_dir"})


def _read_yaml(path: Path, actions: dict, taken: dict[str, set]) -> dict[str, Any]:
    values = yaml_text.read_file(path)
    values = {} if values is None else values
    _check_texts(values, path)
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold `key: value` lines")
    for key, value in values.items():
        if key not in actions:
            raise UserError(f"{path}: unknown key '{key}'{_nearest(key, actions)}")
        values[key] = _plain(value, taken.get(actions[key].dest, set()), key)
        if key in taken and (fault := kinds.fault(values[key], taken[key])):
            raise UserError(f"{path}: {key} {fault}")
    return values


def _plain(value: Any, taken: set, key: str) -> Any:
    """A value of YAML as its setting takes it."""
    if isinstance(value, str) and taken & {int, float} and str not in taken:
        for kind in (one for one in (int, float) if one in taken):  # YAML reads 1e-4 as text
            with suppress(ValueError):
                return kind(value)
    elif isinstance(value, float) and value.is_integer() and int in taken and float not in taken:
        return int(value)
    elif isinstance(value, int) and not isinstance(value, bool) and float in taken and int not in taken:
        return float(value)
    elif value is False and str in taken and bool not in taken and key not in NAMES:
        return "no"  # eval_strategy: no, which YAML reads as false
    return _numbers(value) if isinstance(value, dict) else value


def _check_texts(values: Any, config: Path | None = None, key: str = "") -> None:
    """Raises `UserError` for a text that no file, column or label can be called."""
    if isinstance(values, dict):
        for name, value in values.items():
            _check_texts(value, config, key or str(name))
    elif isinstance(values, list):
        for value in values:
            _check_texts(value, config, key)
    elif isinstance(values, str) and config is not None and not is_unicode(values):
        raise UserError(f"{config}: {key} holds half a character (a lone surrogate): mend it")
    elif isinstance(values, str) and "\0" in values:
        raise UserError(f"{config or 'the flags'}: {key} holds a NUL, a character that no name has: take it out")


def _numbers(mapping: dict) -> dict:
    """1e-4 and the like as numbers, inside a mapping too, where no type says so."""
    exponent = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+")
    return {
        key: float(value) if isinstance(value, str) and exponent.fullmatch(value) else value
        for key, value in mapping.items()
    }


def _mapping(text: str) -> dict:
    """The value of a flag such as --model_config '{hidden_size: 128, num_hidden_layers: 2}'."""
    try:
        value = yaml_text.read(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"'{text}' is no {{key: value, …}}")
    return _numbers(value)


def _mapping_or_name(text: str) -> dict | str:
    """A mapping, or the name of the file that holds it."""
    return _mapping(text) if text.lstrip().startswith(("{", "[")) else text


def _read_flags(
    parser: argparse.ArgumentParser, argv: list[str], actions: dict, taken: dict[str, set]
) -> dict[str, Any]:
    for place, word in enumerate(argv):
        key = word.removeprefix("--").split("=")[0]
        if program.OPTION.fullmatch(word) and word != "-h" and key not in actions and key != "help":
            before = argv[place - 1] if place else ""
            value = f" (as the value of {before}: {before}={word})" if before.removeprefix("--") in actions else ""
            raise UserError(f"unknown option '--{key}'{value}{_nearest(key, actions)}")

    words: list[str] = []
    for word in argv:
        if word == "null" and words and words[-1].startswith("--") and "=" not in words[-1]:
            words[-1] += "=null"
        else:
            words.append(word)
    emptied = [word for word in words if re.fullmatch("--[^=]+=null", word)]  # taken back what the file says
    rest = [_kept(word, before) for word, before in zip(words, ["", *words], strict=False) if word not in emptied]
    given = {name: _unkept(value) for name, value in vars(parser.parse_args(rest)).items()}
    for name in (actions[word[2:-5]].dest for word in emptied):
        if fault := kinds.fault(None, taken[name]) if name in taken else None:
            raise UserError(f"--{name} {fault}")
        given[name] = None
    return given


def _kept(word: str, before: str) -> str:
    """The word so that argparse hands it on: of a value `--` it would make none. No argument has a NUL in it."""
    if word == "--" and program.OPTION.fullmatch(before):
        return "\0--"
    return word[:-2] + "\0--" if re.fullmatch("--[^=]+=--", word) else word


def _unkept(value: Any) -> Any:
    if isinstance(value, list):
        return [_unkept(one) for one in value]
    return value.removeprefix("\0") if isinstance(value, str) else value


def _nearest(key: str, known) -> str:
    near = difflib.get_close_matches(str(key), list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else "; --help lists them"


def _check_writable(folder: Path) -> None:
    instead = "give another --output_dir"
    with writing.telling(folder, kind="the output folder", instead=instead):
        beginnings.folder(folder, lock=lock.NAME, release=lock.release)
    writing.folder(folder, kind="the output folder", instead=instead)
