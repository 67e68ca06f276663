"""Rows that are sentences: a list of words and one of their tags, or such lists written as texts."""

import ast
import json
import re
from collections import Counter
from typing import Any

from datasets import ClassLabel, Dataset, List

from ...data.wording import at, short
from ...errors import UserError
from .sentence import Sentence

STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
PART = re.compile(STRING.pattern + r"|[^\s,'\"\[\]]+")


def read(rows: Dataset, split: str, words: str, tags: str, counts: Counter) -> list[Sentence]:
    """The sentences of a split; tags that are numbers of a ClassLabel by name, other numbers as they are.

    Raises UserError naming rows.
    """
    names = names_of(rows, tags)
    ids = rows["id"][:] if "id" in rows.column_names else range(len(rows))
    read = []
    for row, (one, given, name) in enumerate(zip(rows[words][:], rows[tags][:], ids, strict=True)):
        where = at(split, [row])
        marks = listed_in(given, where)
        if marks and isinstance(marks[0], list | dict):
            raise UserError(
                f'{where}: "{short(marks[0])}" of "{tags}" is no tag of a word, nor a span, which has a start, an end '
                "(both numbers of characters) and a label"
            )
        tokens = _words(one, len(marks or []), where, counts)
        if not tokens or not marks or len(tokens) != len(marks):
            raise UserError(f"{where}: {len(tokens or [])} words and {len(marks or [])} tags; give each word one")
        if None in tokens or not all(str(word).strip() for word in tokens):
            raise UserError(f"{where}: a word is empty; give it a character, or remove it and its tag")
        if None in marks or (names and min(marks) < 0):
            raise UserError(f"{where}: a tag is missing; correct it, or remove the row")
        read.append(
            Sentence(list(map(str, tokens)), [names[tag] if names else plain(tag) for tag in marks], str(name), row)
        )
    return read


def plain(tag: Any) -> str:
    """A tag as a text; one that is missing is empty."""
    return "" if tag is None else str(int(tag)) if isinstance(tag, float) and tag.is_integer() else str(tag)


def names_of(rows: Dataset, tags: str) -> list[str] | None:
    """The names of tags that are numbers, if the dataset says them."""
    feature = rows.features[tags]
    feature = feature.feature if isinstance(feature, List) else feature
    return feature.names if isinstance(feature, ClassLabel) else None


def listed_in(value: Any, where: str, *, inner: str | None = None) -> list | None:
    """The values of a list, or of a text that is one: as Python, JSON or numpy write it, or with spaces (else commas or
    `|`) between them."""
    if value is None or isinstance(value, list):
        return value
    if not isinstance(value, str):
        return [value]
    text = value.strip()
    if text[:1] + text[-1:] in ("[]", "()") and len(text) > 1:
        return _bracketed(text, where)
    if re.search(r"\s", text):
        return re.split(r"[,;|]?\s+", text)
    if inner is None and (separator := next((one for one in ",|;" if one in text), None)):
        return text.split(separator)
    return [text] if text else []


def _bracketed(text: str, where: str) -> list:
    # numpy puts no commas between texts, and Python would join them to one
    is_numpy = len(STRING.findall(text)) > 1 and "," not in STRING.sub("", text)
    for parse in () if is_numpy else (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | tuple):
            return list(found)
    parts = [ast.literal_eval(one) if STRING.fullmatch(one) else one for one in PART.findall(text)]
    if "..." in parts[1:-1]:
        raise UserError(f'{where}: the list "{short(text)}" was cut short when it was written; write it again, whole')
    return parts


def _words(value: Any, tags: int, where: str, counts: Counter) -> list | None:
    """The words of a row; of a text without spaces its characters, if they are as many as the tags."""
    if not isinstance(value, str):
        return value if value is None or isinstance(value, list) else [value]
    found = listed_in(value, where, inner="words")
    if value.strip()[:1] + value.strip()[-1:] == "[]" and found is not None and len(found) != tags:
        found = value.split()
    if found is not None and len(found) != tags:
        characters = [one for one in value if not one.isspace()]
        if len(value.split()) != tags and len(characters) == tags:
            counts["texts are read character by character, as many as there are tags"] += 1
            return characters
        found = value.split()
    return found
