"""Columns of the input that are kept beside the answers."""

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from ..data.wording import listed
from ..errors import UserError
from .row import Row

ALL = "all"
OWN = ("id", "text", "text_pair", "error", "probabilities", "other_labels")  # names that answers have themselves

Kept = tuple[tuple[str, str], ...]  # columns of the input, and their names in the output


def told(text: str | None) -> tuple[str, ...]:
    """What `--keep` says: names, `name=other_name`, and `all`. Raises `UserError` where it says nothing."""
    if text is None:
        return ()
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise UserError(f"--keep is {text!r}, which names no column: give names, as in --keep date,author, or all")
    return words


def resolved(words: Sequence[str], names: Sequence[str], read: Sequence[str | None], source: str) -> Kept:
    """The columns that are meant, of those that the input has: `all` are those that are not `read` as text, pair or id,
    which the output has anyway. Raises `UserError` for a column that is not there, and for two of one name."""
    found: dict[str, str] = {}
    for word in words:
        old, equals, new = word.rpartition("=")
        if word in names:
            found[word] = word
        elif word == ALL:
            found = {name: name for name in names if name not in read} | found
        elif equals and old in names and new:
            found[old] = new
        else:
            raise UserError(f'{source}: --keep names "{word}", but there is {listed(names)}')
    new_names = list(found.values())
    if twice := [name for name in new_names if new_names.count(name) > 1]:
        raise UserError(f'{source}: --keep makes two columns "{twice[0]}": give one of them another name')
    return tuple(found.items())


def check(kept: Iterable[str], answers: Sequence[str]) -> None:
    """Raises `UserError` for a column whose name is one of the `answers`' own."""
    for name in kept:
        if name in answers or name in OWN:
            raise UserError(
                f'--keep: the answers have a column "{name}" of their own: keep yours by another name, as in '
                f"--keep all,{name}={name}_before"
            )


def peeked(rows: Iterable[Row]) -> tuple[list[str], Iterator[Row]]:
    """The names of what is kept of the rows, and all the rows."""
    rows, before = iter(rows), []
    for row in rows:
        before.append(row)
        if row.kept is not None:
            return list(row.kept), chain(before, rows)
    return [], iter(before)


def beside(row: Row, answer: dict) -> dict:
    """An answer with what is kept of its row, after the texts."""
    if not row.kept:
        return answer
    first = {name: answer[name] for name in ("id", "text", "text_pair") if name in answer}
    return {**first, **row.kept, **{name: value for name, value in answer.items() if name not in first}}


def plain(value: Any) -> Any:
    """A value of the input as JSON has it: what JSON has not, as a text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def as_text(value: Any) -> str | None:
    """The same as a cell of a table of texts."""
    value = plain(value)
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
