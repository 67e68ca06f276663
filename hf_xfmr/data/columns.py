"""Which columns of a dataset are the text, its pair, the label and the id."""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from datasets import ClassLabel, Dataset, Value

from ..errors import UserError
from .names import IDS, LABELS, TEXTS
from .wording import listed, short

LOOKED_AT = 2_000  # rows, to see which columns' values repeat


class WhichColumn(UserError):
    """Which column is meant was not told by `option`, and `candidates`, several or none, could be it."""

    def __init__(self, message: str, option: str, candidates: Sequence[str] = ()):
        super().__init__(message)
        self.option, self.candidates = option, candidates


class Columns(NamedTuple):
    """Names of columns in the dataset; `pair` and `id` may be missing."""

    text: str
    pair: str | None
    label: str
    id: str | None
    unused: list[str]


def find_columns(rows: Dataset, *, text: str | None, pair: str | None, label: str | None) -> Columns:
    """The columns the user named, and for what is None the one column that is known by its name (in any letter case).

    A text column may also be found as the only column of texts. Raises UserError if a named column is missing, is not
    of texts, or if none or several could be meant.
    """
    names = rows.column_names
    for option, name in (("text_column", text), ("text_pair_column", pair)):
        if name is not None:
            _check_text(rows, option, name)
    if label is not None and label not in names:
        raise UserError(f'label_column is "{label}", but the dataset has no such column; it has {listed(names)}')
    if label is None:
        known = _known(names, LABELS, without=(text, pair))
        likely = [] if known else _repeating(rows, without=(text, pair))
        label = _only(known, names, option="label_column", what="label", likely=likely)
    if text is None:
        hint = "" if pair else ", and another with --text_pair_column if two of them are a pair"
        text = _find_text(rows, without=(label, pair), hint=hint)
    if len({text, pair, label}) < 3:
        raise UserError(
            f'text_column "{text}", text_pair_column "{pair}" and label_column "{label}" must be different columns'
        )
    ids = _known(names, IDS, without=(text, pair, label))
    used = (text, pair, label, ids[0] if ids else None)
    return Columns(*used, unused=[name for name in names if name not in used])


def find_text_column(rows: Dataset, told: str | None) -> str:
    """The column of texts: the one the user named, or else the one known by its name, or the only one of texts.

    Raises UserError as `find_columns` does.
    """
    if told is not None:
        _check_text(rows, "text_column", told)
        return told
    return _find_text(rows)


def _find_text(rows: Dataset, *, without: Sequence[str | None] = (), hint: str = "") -> str:
    texts = [name for name in rows.column_names if _is_text(rows, name) and name not in without]
    texts = [name for name in texts if name.casefold() not in IDS] or texts
    ending = [name for name in texts if re.split(r"[\W_]+", name.casefold())[-1] in TEXTS]  # comment_text, review body
    candidates = _known(texts, TEXTS) or ending or texts
    return _only(candidates, rows.column_names, option="text_column", what="text", hint=hint)


def _check_text(rows: Dataset, option: str, name: str) -> None:
    if name not in rows.column_names:
        raise UserError(f'{option} is "{name}", but the dataset has no such column; it has {listed(rows.column_names)}')
    if not _is_text(rows, name):
        raise UserError(f'{option} is "{name}", which holds {rows.features[name]}, not texts; name another column')


def _is_text(rows: Dataset, name: str) -> bool:
    feature = rows.features[name]
    return isinstance(feature, Value) and feature.dtype in ("string", "large_string")


def _known(names: Sequence[str], known: Sequence[str], *, without: Sequence[str | None] = ()) -> list[str]:
    return [name for name in names if name.casefold() in known and name not in without]


def _repeating(rows: Dataset, *, without: Sequence[str | None]) -> list[str]:
    """The columns whose values come again and again, as labels do, those of the fewest first."""
    beginning = rows.select(range(min(len(rows), LOOKED_AT)))
    plain = [name for name in rows.column_names if isinstance(rows.features[name], Value | ClassLabel)]
    different = {name: len(set(beginning[name])) for name in plain if name not in without}
    often = [name for name, count in different.items() if 2 <= count <= len(beginning) / 3]
    return sorted(often, key=lambda name: different[name])


def _only(
    candidates: list[str], names: Sequence[str], *, option: str, what: str, hint: str = "", likely: Sequence[str] = ()
) -> str:
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        flags = " or ".join(f"--{option} {shlex.quote(short(name))}" for name in candidates[:4])
        raise WhichColumn(
            f"the {what} column could be {listed(candidates)}; say which with {flags}{hint}", option, candidates
        )
    flags = " or ".join(f"--{option} {shlex.quote(short(name))}" for name in likely[:4]) or f"--{option}"
    raise WhichColumn(
        f"no column is known to be the {what}; say which with {flags}: the dataset has {listed(names)}", option
    )
