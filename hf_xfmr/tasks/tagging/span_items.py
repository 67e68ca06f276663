"""One row's spans, however they are written: objects, lists, or types with their texts and places."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ...data.wording import short
from ...errors import UserError

START: tuple[str, ...] = (
    "start",
    "startoffset",
    "begin",
    "startchar",
    "beginoffset",
    "charstart",
    "startidx",
    "startindex",
    "startpos",
)
START += ("offset", "from", "b")
END: tuple[str, ...] = ("end", "endoffset", "endchar", "charend", "endidx", "endindex", "endpos", "stop", "to", "e")
PLACES = ("span", "offset", "offsets", "position", "positions", "pos", "loc", "range", "indices", "entityindex")
TYPE: tuple[str, ...] = (
    "label",
    "labels",
    "entitytype",
    "entitygroup",
    "type",
    "labeltype",
    "tag",
    "category",
    "class",
    "ner",
    "entity",
)
TYPE += ("name",)
TEXT = ("text", "surface", "mention", "entitytext", "span", "value", "entity", "name", "word")
NORMALIZED = ("word", "name")  # a pipeline's and a person's, which need not be copies of the text
PLACED = re.compile(r"([BI])-(.+)")


LARGEST = 1 << 31  # characters


class Span(NamedTuple):
    """Characters from `start` to `end`, as the file counts; `text` is what the file says stands there, and `exact`
    that it is a copy of it."""

    start: int
    end: int
    type: str
    text: str | None = None
    exact: bool = True


def written(value: Any) -> Any:
    """A value that a table has as a text (JSON, or as Python writes it), as what it is."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{"):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value


def looks_like_spans(value: Any) -> bool:
    """Whether a value is spans of characters, and at least one."""
    value = written(value)
    if isinstance(value, dict):
        return bool(value) and (_are_columns(value) or any(map(_has_places, value.values())))
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(one, dict) for one in value):
        keys = _keys(value[0])
        return any(key in keys for key in TYPE) and (
            "points" in keys or _first(keys, START) is not None or bool(_parts(value[0], keys))
        )
    return all(isinstance(one, list | tuple) and _is_triple(one) for one in value)


def _is_triple(one: Any) -> bool:
    numbers = [x for x in one if _is_whole(x)]
    return len(one) in (3, 4) and len(numbers) >= 2 and (any(isinstance(x, str) for x in one) or len(numbers) == 3)


def _is_whole(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdecimal())


def _is_places(value: Any) -> bool:
    """[[from, to], …]."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, list) and len(one) == 2 and all(map(_is_whole, one)) for one in value)
    )


def _has_places(value: Any) -> bool:
    """What CLUENER has of a type, {text: [[from, to]]}, or the places alone, which may be objects."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return _first(_keys(value[0]), START) is not None
    return (bool(value) and all(map(_is_places, value.values()))) if isinstance(value, dict) else _is_places(value)


def _keys(item: dict) -> dict[str, str]:
    """Keys without case and underscores, and as they are."""
    return {str(key).casefold().replace("_", ""): key for key in item}


def _first(keys: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((keys[name] for name in names if name in keys), None)


def _are_columns(value: dict) -> bool:
    """Whether spans are written as columns: {"start": [0, 9], "end": [5, 12], "label": [...]}."""
    keys = _keys(value)
    return all(
        (name := _first(keys, names)) is not None and isinstance(value[name], list) for names in (START, END, TYPE)
    )


def read_spans(value: Any, where: str) -> list[Span]:
    """The spans of a row. Raises UserError, which begins with `where`, for what is none."""
    value = written(value)
    if value is None or value == "" or value == [] or value == {}:
        return []
    if isinstance(value, dict):
        if _are_columns(value):
            value = [dict(zip(value, one, strict=False)) for one in zip(*value.values(), strict=True)]
        else:
            return list(_of_types(value, where))
    if not isinstance(value, list):
        raise UserError(f'{where}: "{short(value)}" is no list of spans; each has a start, an end and a label')
    return _joined(value, [span for item in value for span in read_item(item, where)])


def _of_types(value: dict, where: str) -> Iterator[Span]:
    """CLUENER's {type: {text: [[from, to]]}}; without texts {type: [[from, to]]}."""
    for kind, inner in value.items():
        for text, places in inner.items() if isinstance(inner, dict) else [(None, inner)]:
            if places is not None and not isinstance(places, list):
                raise UserError(
                    f'{where}: "{short(places)}" under "{short(kind)}" is no list of places as [[from, to]]'
                )
            for place in places or []:
                if isinstance(place, dict):
                    yield from read_item({**place, "label": kind}, where)
                    continue
                if not isinstance(place, list) or len(place) != 2:
                    raise UserError(f'{where}: "{short(place)}" under "{short(kind)}" is no place as [from, to]')
                yield Span(_whole(place[0], where), _whole(place[1], where), str(kind), text)


def read_item(item: Any, where: str) -> list[Span]:
    """A span, once for each of its labels (without one of type "") and of its parts."""
    if isinstance(item, list | tuple):
        return [_of_list(item, where)]
    if not isinstance(item, dict):
        raise UserError(f'{where}: "{short(item)}" is no span; it has a start, an end and a label')
    keys = _keys(item)
    label = _first(keys, TYPE)
    if label is not None and (parts := _parts(item, keys)):
        return [span for part in parts for span in read_item({**part, "label": item.get(label)}, where)]
    start, end = _first(keys, START), _first(keys, END)
    if start is None or label is None or (end is None and "length" not in keys):
        raise UserError(f"{where}: the span {short(json.dumps(item, default=str))} lacks a start, an end or a label")
    labels = item[label] if isinstance(item[label], list) else [item[label]]
    first = _whole(item[start], where)
    last = _whole(item[end], where) if end is not None else first + _whole(item[keys["length"]], where)
    texts = [name for name in TEXT if name in keys and keys[name] != label and isinstance(item[keys[name]], str)]
    text = item[keys[texts[0]]] if texts else None
    if wrong := [one for one in labels if not isinstance(one, str | int | None)]:
        raise UserError(f'{where}: the label "{short(wrong[0])}" is no text; give the name of the type')
    exact = not texts or texts[0] not in NORMALIZED
    return [Span(first, last, "" if one is None else str(one), text, exact) for one in labels or [None]]


def _parts(item: dict, keys: dict[str, str]) -> list[dict]:
    """The places of a span that are no numbers of its own: points, [from, to], [[from, to], …], or an object."""
    if "points" in keys:
        points = item[keys["points"]] or []
        return [one for one in points if isinstance(one, dict)] if isinstance(points, list) else []
    given = [item[keys[name]] for name in TEXT if name in keys and keys[name] != _first(keys, TYPE)]
    listed = [[one] if isinstance(one, str) else one for one in given]
    texts = next((one for one in listed if isinstance(one, list) and all(isinstance(x, str) for x in one)), [])
    for value in (item[keys[name]] for name in PLACES if name in keys):
        parts: list[dict] = []
        if isinstance(value, dict) and _first(_keys(value), START) is not None:
            parts = [value]
        elif isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value)):
            parts = [dict(zip(("start", "end"), value, strict=True))]
        elif _is_places(value):
            parts = [{"start": start, "end": end} for start, end in value]
        if parts:
            if len(texts) != len(parts):
                return parts
            return [{"text": text, **part} for part, text in zip(parts, texts, strict=True)]
    return []


def _of_list(item: Any, where: str) -> Span:
    numbers = [one for one in item if _is_whole(one)]
    others = [one for one in item if isinstance(one, str) and not _is_whole(one)]
    if len(numbers) < 2 or len(numbers) + len(others) < 3:
        raise UserError(f'{where}: "{short(item)}" is no span as [start, end, "LABEL"]')
    label = others[0] if others else str(numbers[2])
    return Span(int(numbers[0]), int(numbers[1]), label, others[1] if len(others) > 1 else None, exact=False)


def _whole(value: Any, where: str) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0 or abs(value) > LARGEST:
        raise UserError(f'{where}: "{short(value)}" is no number of a character; give starts and ends as numbers')
    return int(value)


def _joined(items: list, spans: list[Span]) -> list[Span]:
    """The entities of a pipeline's tokens (B- and I- with their index), spans that they are otherwise."""
    if len(items) != len(spans) or not all(isinstance(item, dict) and "index" in item for item in items):
        return spans
    parts = [PLACED.fullmatch(span.type) for span in spans]
    if not all(parts):
        return spans
    found: list[Span] = []
    last = None
    for item, span, part in zip(items, spans, parts, strict=True):
        place, kind = part.groups()  # type: ignore[union-attr]  # none is None
        if place == "I" and found and found[-1].type == kind and item["index"] == (last or 0) + 1:
            found[-1] = Span(found[-1].start, span.end, kind)
        else:
            found.append(Span(span.start, span.end, kind))
        last = item["index"]
    return found
