"""Rows with a text and spans of its characters: which layout they have, and their spans in one form."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...data.names import TEXTS
from ...data.wording import at, listed
from ...errors import UserError
from . import label_studio
from .span_items import Span, looks_like_spans, read_spans, written

SPANS: tuple[str, ...] = (
    "entities",
    "spans",
    "label",
    "labels",
    "annotations",
    "annotation",
    "ents",
    "ner",
    "entity",
    "tags",
)
SPANS += ("mentions", "named_entities", "entity_list", "ner_tags", "predictions", "标签", "实体")
TEXT_NAMES: tuple[str, ...] = (
    *dict.fromkeys(["text", *TEXTS]),
    "data",
    "context",
    "input",
    "raw_text",
    "raw",
    "passage",
)
TEXT_NAMES += ("originaltext", "original_text", "原文")
IDS = ("id", "guid", "_input_hash", "sent_id", "doc_id", "idx")
PEOPLE = {"_session_id", "_annotator_id"}  # Prodigy's, of rows that were marked by several people
WORDS, TAGS = {"tokens", "words", "token", "word"}, {"ner_tags", "tags", "labels", "ner", "ner_labels", "tag"}


@dataclass
class Layout:
    """`name` is said in the report. `exclusive`: where the layout's maker says so, ends are not part of a span."""

    name: str
    text: str
    spans: str
    exclusive: bool = False


@dataclass
class Marked:
    """A text with its spans, as the file has them."""

    row: int
    id: str
    text: str
    spans: list[Span]


def has_spans(rows: Sequence[dict], told: str | None = None) -> bool:
    """Whether the rows have spans, and are no lists of words and tags."""
    if told is None and any(has_words(row) for row in rows[:1]):
        return False
    return any(label_studio.is_task(row) for row in rows) or bool(_columns(rows, told))


def has_words(row: dict) -> bool:
    """Whether a row has a list of words and one of tags."""
    return all(any(_is_list(row.get(name)) for name in names) for names in (WORDS, TAGS))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str | int) for one in value)


def _columns(rows: Sequence[dict], told: str | None) -> list[str]:
    """The columns whose values are spans."""
    names = [name for row in rows for name in row] if told is None else [told]
    known = {name.casefold(): name for name in dict.fromkeys(names) if told or name.casefold() in SPANS}
    order = [known[name] for name in ([told.casefold()] if told else SPANS) if name in known]
    found = [name for name in order if any(looks_like_spans(row.get(name)) for row in rows)]
    if found or told is not None:
        return found
    others = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, list) and value)
    return [name for name in others if any(_are_objects(row.get(name)) for row in rows)]


def _are_objects(value: Any) -> bool:
    """Whether a value is spans as objects, which nothing else looks like."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and looks_like_spans(value)


def find(rows: Sequence[dict], text: str | None, spans: str | None) -> Layout:
    """The layout of train's rows. Raises UserError, which asks for --spans_column or --text_column, where several could
    be meant."""
    if spans is None and any(label_studio.is_task(row) for row in rows):
        column = next(name for row in rows if label_studio.is_task(row) for name in label_studio.GIVEN if name in row)
        return Layout("Label Studio's export", "data", column, exclusive=True)
    found = _columns(rows, spans)
    if len(found) > 1:
        raise UserError(f"the spans could be those of {listed(found)}; say which with --spans_column {found[0]}")
    if not found:
        raise UserError(f'--spans_column "{spans}" holds no spans of characters (start, end and label)')
    names = dict.fromkeys(name for row in rows for name in row)
    texts = [name for name in names if name != found[0] and _is_text(rows, name)]
    if text is not None and text not in texts:
        raise UserError(f'text_column is "{text}", which is no column of texts; there are {listed(texts)}')
    known = [one for name in TEXT_NAMES for one in texts if one.casefold() == name] if text is None else [text]
    if not known and len(texts) != 1:
        raise UserError(
            f'beside the spans of "{found[0]}" no column is known to be the text; say which with --text_column (the '
            f"rows have {listed(names)})"
        )
    name, exclusive = _maker(rows, found[0])
    return Layout(name, (known or texts)[0], found[0], exclusive)


def _is_text(rows: Sequence[dict], name: str) -> bool:
    return any(isinstance(row.get(name), str) for row in rows) and not any(
        looks_like_spans(row.get(name)) for row in rows
    )


def _maker(rows: Sequence[dict], column: str) -> tuple[str, bool]:
    """What writes spans so, and whether its ends are known to be exclusive."""
    values = (written(row.get(column)) for row in rows)
    value = next(value for value in values if looks_like_spans(value))
    if isinstance(value, dict):
        return "types with their texts and places, as CLUENER's", False
    first = value[0]
    if isinstance(first, list | tuple):
        return "lists of start, end and label, as spaCy's and Doccano's", True
    if "points" in first:
        return "labels with points, as Dataturks'", False
    if {"start_offset", "end_offset"} <= set(first):
        return "Doccano's spans", True
    if "token_start" in first or {"_task_hash", "answer"} & set(rows[0]):
        return "Prodigy's spans", True
    if isinstance(first.get("labels"), list):
        return "Label Studio's spans", True
    if {"entity_group", "entity"} & set(first) and "score" in first:
        return "a pipeline's entities", True
    return "spans of characters", False


def is_marked(row: dict, layout: Layout) -> bool:
    """Whether somebody looked for entities in a row, and be it that there are none."""
    return row.get(layout.spans) is not None


def marked(rows: Iterable[dict], split: str, layout: Layout, counts: Counter) -> list[Marked]:
    """Text and spans of each row; what was left out is counted. Raises UserError naming rows."""
    found = []
    seen: set[str] = set()
    for number, row in enumerate(rows):
        where = at(split, [number])
        if (answer := row.get("answer")) in ("reject", "ignore"):  # Prodigy's
            counts[f"rows answered {answer} are left out"] += 1
            continue
        text: Any
        if PEOPLE & set(row) and isinstance(text := row.get(layout.text), str):
            if text in seen:
                counts["rows have the text of one before, of another person or time, and are left out"] += 1
                continue
            seen.add(text)
        if layout.name.startswith("Label Studio's export"):
            one = label_studio.read(row, where, counts)
            if one is None:
                continue
            text, spans = one
        else:
            text, spans = row.get(layout.text), read_spans(row.get(layout.spans), where)
            counts[f'rows have no "{layout.spans}", and so no entities'] += row.get(layout.spans) is None
        spans = [_turned(span, text) for span in spans] if isinstance(text, str) else spans
        if not isinstance(text, str):
            raise UserError(f'{where}: there is no text in "{layout.text}"; give one, or remove the row')
        if not text.strip():
            if spans:
                raise UserError(f"{where}: has spans and no text; give the text, or remove the row")
            counts["rows without text are left out"] += 1
            continue
        name = next((row[key] for key in IDS if row.get(key) is not None), number)
        found.append(Marked(number, str(name), text, spans))
    return found


def _turned(span: Span, text: str) -> Span:
    """A list's two texts the other way around, if it is the first that stands at the place."""
    if span.exact or span.text is None or span.start < 0 or not text.startswith(span.type, span.start):
        return span
    return span if text.startswith(span.text, span.start) else span._replace(type=span.text, text=span.type)
