"""What a search begins from: a configuration and flags as settings, and the files of settings that it writes."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..check.config import find_recipe
from ..errors import UserError
from ..run import recipes, yaml_text
from ..run.said import plain
from ..writing import whole

NOT_OF_A_TRIAL = ("output_dir", "seeds", "seed", "push_to_hub", "resume_from_checkpoint", "resume", "check_only")

NOT_SEARCHED = {  # settings whose runs a trial can't stand for
    "folds": "which are a training each, so that the best settings could not be trained with several seeds: leave "
    "folds out, and give the configuration that the search leaves to train classify --folds",
    "few_labels": "whose head is fitted when the encoder has learned, so that a trial's evaluations say nothing: leave "
    "few_labels out, or train without a search (its defaults are made for few rows)",
    "check_only": "which ends before a trial could begin: leave it out, or give it to train",
}


def check(settings: Mapping[str, Any]) -> None:
    """Raises `UserError` for settings that can't be searched with, before the first trial is trained."""
    for name, why in NOT_SEARCHED.items():
        if settings.get(name) not in (None, False):
            raise UserError(f"{name} is given, {why}")


def found(config: str) -> tuple[Path, list[str], dict[str, Any]]:
    """The script, the words that name the configuration, and its settings, of a file, a ready configuration or the
    name of a recipe that is given flags alone. Raises `UserError` for what is none of these."""
    if config in recipes.NAMES:
        return recipes.script(config), [], {}
    path = Path(config)
    if path.suffix.lower() not in recipes.SUFFIXES:
        ready = recipes.find(config)
        if ready is None:
            raise UserError(f"'{config}' is no file of settings and no ready configuration{recipes.nearest(config)}")
        path = ready
    script = find_recipe(path)
    values = yaml_text.read_file(path) or {}
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold `key: value` lines")
    return script, [str(path)], {key: plain(value, {int, float}, key) for key, value in values.items()}


def as_of_train(config: str, words: Sequence[str]) -> tuple[str, list[str]]:
    """`classify --config NAME …`, the words of `train`, as the configuration and the other flags."""
    rest = list(words)
    for place, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if config in recipes.NAMES and name == "--config":
            if not equals:
                value = rest.pop(place + 1) if place + 1 < len(rest) else ""
            if not value:
                raise UserError("--config needs a file, or the name of a ready configuration; configs lists them")
            del rest[place]
            return str(recipes.config_file(value, config)), rest
    return config, rest


def of_flags(words: Sequence[str], of: str = "search") -> dict[str, Any]:
    """Flags, beside those of a command (`of`), as settings; of a wrong one the recipe itself tells, when
    it is first run."""
    settings: dict[str, Any] = {}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("--"):
            raise UserError(f"'{name}' is no flag and no value of one; hf_xfmr {of} --help lists the {of}'s own")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        try:
            read = yaml_text.read(value)
        except ValueError:
            read = value
        settings[name.removeprefix("--")] = plain(read, {int, float}, name)
    return settings


def text(settings: Mapping[str, Any]) -> str:
    """The lines of a configuration."""
    kept = {name: value for name, value in settings.items() if value is not None and name not in NOT_OF_A_TRIAL}
    return yaml.safe_dump(kept, allow_unicode=True, sort_keys=False, width=10**6)


def write(path: Path, script: Path, settings: Mapping[str, Any], about: str) -> None:
    """A configuration that `train` takes, with a line of what it is."""
    with whole(path) as aside:
        aside.write_text(f"# {command(path, script)}\n# {about}\n{text(settings)}", encoding="utf-8")


def command(path: Path, script: Path) -> str:
    """What trains with it."""
    if script.stem in recipes.NAMES.values() and script == recipes.script(script.stem):
        return f"hf_xfmr train {recipes.name_of(script.stem)} --config {shlex.quote(str(path))}"
    return shlex.join(["python", str(script), str(path)])
