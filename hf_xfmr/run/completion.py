"""What a shell completes: the commands' own parsers, and under `train` a parser of each recipe's flags."""

import argparse
from pathlib import Path

from ..errors import UserError
from . import flags, recipes, source


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The completion of a shell (bash, zsh or fish) for the program whose commands `parser` has, which is changed.
    Raises `UserError` where the package that writes it is missing."""
    try:
        import shtab
    except ModuleNotFoundError:
        raise UserError("completion needs the package shtab: pip install shtab") from None
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    train = commands.choices["train"]
    commands.choices["train"] = _recipes(type(parser)(prog=train.prog, description=train.description))
    for name, command in commands.choices.items():
        command.description = (command.description or "").partition("\n")[0]  # it stands beside the name
        if name == "train":
            continue
        for action in command._actions:
            if action.nargs != 0 and action.choices is None and action.type in (None, Path):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)


def _recipes(train: argparse.ArgumentParser) -> argparse.ArgumentParser:
    import shtab

    of_recipe = train.add_subparsers(metavar="WHAT")
    for name in recipes.NAMES:
        known, description = source.of_script(recipes.script(name))
        first = description.partition("\n")[0].replace("%", "%%")
        parser = of_recipe.add_parser(name, help=first, description=first)
        names = [full.partition("/")[2] for full in recipes.configs(name)]
        parser.add_argument("--config", choices=names, help="a ready configuration, or a file")
        parser.add_argument("file", nargs="?", help="a configuration of your own").complete = shtab.FILE  # type: ignore
        for flag in known:
            _add(parser, flag, shtab)
    return train


def _add(parser: argparse.ArgumentParser, flag: flags.Flag, shtab) -> None:
    choices = ("true", "false") if flag.takes == ("bool",) else None
    first = flag.help.partition(". ")[0].replace("%", "%%")
    action = parser.add_argument(f"--{flag.name}", choices=choices, help=first)
    if flag.name in ("dataset", "model", "tokenizer"):
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif flag.name.endswith("_dir"):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
