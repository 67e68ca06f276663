"""The list of ready configurations, with what each says of itself."""

import re
import shutil
import textwrap
from pathlib import Path

from ..errors import UserError
from . import recipes


def answer(what: str = "list", named: str | None = None, to: str | None = None) -> str:
    """What `configs` says: the ready configurations of a recipe (`named`), or of all; or, for `copy`, the file that was
    written of the one that is named. Raises `UserError` for names that are none."""
    if what == "copy":
        if named is None:
            raise UserError("configs copy needs the name of a configuration; configs lists them")
        file = recipes.copy(named, to)
        return f"written: {file}; its first line is the command that trains with it"
    if to is not None:
        raise UserError("--out is for configs copy NAME: leave it out to list them")
    return listing(named)


def listing(recipe: str | None = None) -> str:
    """A line or more for each: its name, and its first sentence; those that load from a hub say so themselves."""
    known = recipes.configs(recipe) | ({} if recipe else recipes.launchers())
    wide = 2 + max(map(len, known))
    columns = max(shutil.get_terminal_size().columns - 1, wide + 40)
    lines = []
    for name, path in known.items():
        said = textwrap.wrap(first_sentence(path), columns - wide) or [""]
        lines += [f"{name:<{wide}}{said[0]}", *(" " * wide + more for more in said[1:])]
    return "\n".join(lines)


def first_sentence(path: Path) -> str:
    """Of the comment under the command that a configuration begins with."""
    comment: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return re.split(r"(?<=[.?])\s+(?=[A-Z])", " ".join(comment), maxsplit=1)[0]
