"""A run's settings: from a YAML file and flags, checked before anything is loaded."""

import argparse
import copy
import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser, set_seed

from .. import writing
from ..errors import UserError
from ..hub.access import check_access
from ..hub.training import fetch_checkpoint
from ..processes import is_main
from ..training import lock
from ..training.trainer import XfmrTrainingArguments
from . import arguments, beginnings, best, folds, help, kinds, lora, program, ranges, said, yaml_text
from .call import Call

Given = Sequence[str] | Call | None  # a command line, a call from Python, or this program's own arguments

seed_of_several: ContextVar[int | None] = ContextVar("seed_of_several", default=None)  # the one that runs, if any does


class _Parser(program.OneLine, HfArgumentParser):  # type: ignore[misc]
    """transformers' parser of dataclasses."""


class SeveralSeeds(Exception):
    """`parse` found `seeds`, and none of them runs yet: seeds.py then runs the recipe for each.

    `settings` are all that was given, without seeds and output folder.
    """

    def __init__(self, seeds: list[int], output_dir: str, settings: dict[str, Any]):
        super().__init__(f"several seeds: {seeds}")
        self.seeds, self.output_dir, self.settings = seeds, output_dir, settings


def parse(settings_class: type, arguments_class: type = XfmrTrainingArguments, *, argv: Given = None):
    """Settings and training arguments from `[CONFIG.yaml] [--key value ...]`, or from a call in Python; a flag, or a
    keyword, overrides the file.

    The random seed is set here, before any model is made; with `seeds`, `SeveralSeeds` is raised (see seeds.py), with
    `folds` `SeveralFolds` (see folds.py).
    `output_dir`, if not given, is `runs/` and the config's name, or else the dataset's; of a call, see `Call.folder`.
    Raises `UserError` for an unknown key (naming the nearest), a value of the wrong type or outside its range, or an
    output folder that cannot be written.
    """
    call = argv if isinstance(argv, Call) else None
    words = list(sys.argv[1:] if argv is None else () if isinstance(argv, Call) else argv)
    if (asked := help.asked_for(words)) is not None:
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
                action.type = said.mapping_or_name if str in takes else said.mapping
            actions.update(dict.fromkeys((option.lstrip("-") for option in action.option_strings), action))
    config = call.config if call else Path(words.pop(0)) if words and not words[0].startswith("-") else None
    values = _read_yaml(config, actions, taken) if config else {}
    values |= call.read(taken) if call else _read_flags(parser, words, actions, taken)
    if call and values.get("output_dir") is None:
        values["output_dir"] = call.folder(values)
    values.setdefault("output_dir", beginnings.default_folder(config, values.get("dataset")))
    if values["output_dir"] is None and "dataset" not in values and config is None and words:
        raise UserError("dataset is not given: add --dataset FILE, or a configuration (configs lists them)")
    if values["output_dir"] is None:
        raise UserError("no output folder: give --output_dir FOLDER, or a config file, whose name it then takes")
    said.check_texts(values)
    if isinstance(values["output_dir"], str):
        values["output_dir"] = str(writing.place(values["output_dir"], "output_dir"))
    if call:
        call.went_to = values["output_dir"]
    folds.settle(values)
    _several_seeds(values)
    _check_alone(values)
    settle = getattr(settings_class, "settle", None)  # what a recipe's own settings make of Trainer's arguments
    decided = settle(values) if settle else []
    decided += best.settle(values, {field.name: field.default for field in dataclasses.fields(arguments_class)})
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
    arguments.check_settings(settings, args)
    lora.check_push(settings, args)
    args.settled = decided  # said where training begins
    # What the file and the flags say; all else is a default. Names alone: it is saved, and a token may be among them.
    args.given = frozenset(name for name, value in values.items() if value is not None)
    best.settle_direction(args, args.given)
    args.recipe = Path(str(sys.modules[settings_class.__module__].__file__)).stem
    args.call = str(call) if call else None
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
    told = {key: value for key, value in values.items() if key != "output_dir"}
    raise SeveralSeeds(seeds, output_dir, copy.deepcopy(told))  # of rows their name


def _read_yaml(path: Path, actions: dict, taken: dict[str, set]) -> dict[str, Any]:
    values = yaml_text.read_file(path)
    values = {} if values is None else values
    said.check_texts(values, path)
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold `key: value` lines")
    for key, value in values.items():
        if key not in actions:
            raise UserError(f"{path}: unknown key '{key}'{said.nearest(key, actions)}")
        values[key] = said.plain(value, taken.get(actions[key].dest, set()), key)
        if key in taken and (fault := kinds.fault(values[key], taken[key])):
            raise UserError(f"{path}: {key} {fault}")
    return values


def _read_flags(
    parser: argparse.ArgumentParser, argv: list[str], actions: dict, taken: dict[str, set]
) -> dict[str, Any]:
    for place, word in enumerate(argv):
        key = word.removeprefix("--").split("=")[0]
        if program.OPTION.fullmatch(word) and word != "-h" and key not in actions and key != "help":
            before = argv[place - 1] if place else ""
            value = f" (as the value of {before}: {before}={word})" if before.removeprefix("--") in actions else ""
            raise UserError(f"unknown option '--{key}'{value}{said.nearest(key, actions)}")

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


def _check_writable(folder: Path) -> None:
    instead = "give another --output_dir"
    with writing.telling(folder, kind="the output folder", instead=instead):
        beginnings.folder(folder, lock=lock.NAME, release=lock.release)
    writing.folder(folder, kind="the output folder", instead=instead)
