"""The flags that say how a file of rows is written, for every command that reads one."""

import argparse
from dataclasses import fields

from ..data.table.settings import TableSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--delimiter`, `--encoding` and the others of `TableSettings`."""
    for one in fields(TableSettings):
        kind = _boolean if one.name == "header" else str
        metavar = "true|false" if one.name == "header" else None
        parser.add_argument(f"--{one.name}", type=kind, metavar=metavar, help=one.metadata["help"].replace("%", "%%"))


def settings(arguments: argparse.Namespace) -> TableSettings:
    """What the user said of the file."""
    return TableSettings(**{one.name: getattr(arguments, one.name) for one in fields(TableSettings)})


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"
