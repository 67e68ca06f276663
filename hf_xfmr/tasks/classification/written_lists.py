"""Several labels of a row written into one text, as tables have them: `['a', 'b']`, `a|b`, `2,5`."""

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

from ...data.wording import listed, short
from ...errors import UserError

PLAIN = ("|", ";", "；", "、", "\t")  # hardly ever stand within one name
GUESSED = (*PLAIN, ",", "，")
BRACKETED = re.compile(r"\s*(\[.*\]|\(.*\)|\{.*\})\s*", re.DOTALL)
WHOLE = re.compile(r"[+-]?\d+")
DECIMAL = re.compile(r"[+-]?\d+,\d+")
NO_COMMA = re.compile(r"['\"]\s+['\"]")  # as numpy writes a list, which Python would read as one text
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"|([^\s,'\"\[\]]+)")


class Written(NamedTuple):
    """How the labels of a row are written: as a Python or JSON list, or (`separator`) with something between them."""

    separator: str | None

    @property
    def words(self) -> str:
        return "lists written out" if self.separator is None else f'labels with "{self.separator}" between them'

    def labels(self, text: str) -> list[str]:
        """The labels of a row; none for an empty text or list. Raises `ValueError` for a text that is no list."""
        if self.separator is None:
            return _of_list(text)
        return [part.strip() for part in text.split(self.separator) if part.strip()]


def find(values: Collection[str], *, column: str) -> Written | None:
    """How several labels are written in the distinct `values` of a label column; None: each is one label.

    Texts are lists if all of them have brackets and can be read. They are separated if what stands between the
    separators comes back in other values, as labels do and parts of one name do not. Raises `UserError`, with the flags
    that answer it, for numbers such as 2,5: two labels, or one number with a decimal comma.
    """
    texts = [text for text in values if text.strip()]
    if texts and all(BRACKETED.fullmatch(text) for text in texts):
        written = Written(None)
        try:
            for text in texts:
                written.labels(text)
        except ValueError:
            return None
        return written
    _refuse_decimals(texts, column)
    found = {one: _share(texts, one) for one in GUESSED}
    best = max(found, key=lambda one: found[one])
    return Written(best) if found[best] >= 0.5 else None


def unsure(values: Collection[str]) -> str | None:
    """A separator that stands in several values which `find` takes for one label each; None: there is none."""
    count = Counter(one for one in GUESSED for text in values if len(_parts(text, one)) > 1)
    likely = [one for one, times in count.most_common() if times >= 2]
    return likely[0] if likely else None


def _refuse_decimals(texts: list[str], column: str) -> None:
    both = [text for text in texts if DECIMAL.fullmatch(text.strip())]
    if both and all(DECIMAL.fullmatch(text.strip()) or WHOLE.fullmatch(text.strip()) for text in texts):
        raise UserError(
            f'label column "{column}" holds {listed(sorted(both)[:3])}: give --label_separator , if these are several '
            "labels, or --problem_type regression if they are numbers with a decimal comma"
        )


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _share(texts: list[str], separator: str) -> float:
    """Of the values with the separator, how many are told by others to be several labels: one of their parts comes back
    in another value, or, if there is but one with a comma, all do."""
    parts = {text: set(_parts(text, separator)) for text in texts}
    values_of = Counter(part for one in parts.values() for part in one)
    several = [one for one in parts.values() if len(one) > 1]
    if not several or any(len(part) > 40 for one in several for part in one):
        return 0.0
    enough = all if len(several) == 1 and separator not in PLAIN else any
    return sum(enough(values_of[part] > 1 for part in one) for one in several) / len(several)


def _of_list(text: str) -> list[str]:
    text = text.strip()
    if text[:1] == "[" and text.count("[") == 1 and NO_COMMA.search(text):
        return ["".join(groups) for groups in QUOTED.findall(text[1:-1])]
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list | tuple | set | frozenset) and not any(isinstance(one, list | dict) for one in value):
            return [str(one).strip() for one in (sorted(value, key=str) if isinstance(value, set) else value)]
        raise ValueError(f"{short(text)} is no list of labels")
    if text[:1] == "[" and "[" not in text[1:]:  # words without quotes, numbers without commas
        found = ["".join(groups) for groups in QUOTED.findall(text[1:-1])]
        if found and not QUOTED.sub("", text[1:-1]).strip(" ,\n"):
            return found
    raise ValueError(f"{short(text)} is no list")


def numbers(rows: Iterable[list[str]]) -> bool:
    """Whether all labels are whole numbers, which are then put in order by their size."""
    return all(WHOLE.fullmatch(one) for row in rows for one in row)
