"""A dataset's name -> its splits for tagging: in CoNLL's layout, JSON with spans of characters, or a table."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from datasets import Dataset

from ... import samples
from ...data.files import read_text
from ...data.sources import ALIASES, load_dataset_dict, local_path, split_files, table_files
from ...data.table import kinds, objects, packed
from ...data.table.packed import bare
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...errors import UserError
from . import conll, label_studio, span_layouts

Rows: TypeAlias = Dataset | list[dict]


def load(
    name: Any,
    config: str | None,
    *,
    table: TableSettings | None = None,
    readings: list[Reading] | None = None,
    fields: tuple[str | None, str | None] = (None, None),
) -> dict[str, Rows]:
    """The splits of a file or folder. Those in CoNLL's layout are a `Dataset` of `tokens` and `tags`, from `fields`
    (the numbers of word and tag in a line, if told); JSON with spans are objects as they stand; others a `Dataset`."""
    readings = [] if readings is None else readings
    if not isinstance(name, str) or samples.is_sample(name):
        return dict(load_dataset_dict(name, config=config, table=table, readings=readings))
    path = local_path(name)
    if path.is_file() and _is_conll(path, table):
        return {"train": conll.read_conll(path, table, readings, fields=fields)}
    if path.is_dir():
        files = split_files(path, conll.SUFFIXES)
        tables = _tables(path)
        if "train" in tables and "train" not in files and _is_conll(tables["train"], table):
            files |= tables  # a short one may have one sentence, and no empty line
        if "train" in files:
            return {split: conll.read_conll(file, table, readings, fields=fields) for split, file in files.items()}
    if config is None and (found := _with_spans(path, table, readings)):
        return found
    return dict(load_dataset_dict(name, config=config, table=table, readings=readings))


def _tables(path: Path) -> dict[str, Path]:
    """The tables of text of a folder that could be in CoNLL's layout."""
    try:
        return split_files(path, tuple(kinds.DELIMITED))
    except UserError:  # shards, which are tables
        return {}


def _is_conll(path: Path, table: TableSettings | None) -> bool:
    """Whether a file is in CoNLL's layout by its name, or, a table of text, by empty lines between sentences."""
    suffix = bare(path).suffix.lower()
    if suffix == ".txt" and conll.begins_as_json(path, table):
        return False
    return suffix in conll.SUFFIXES or (suffix in kinds.DELIMITED and conll.has_sentences(path, table))


def _with_spans(path: Path, table: TableSettings | None, readings: list[Reading]) -> dict[str, Rows] | None:
    """The objects of files of JSON, if they have spans of characters."""
    if path.is_file():
        files: dict[str, list[Path]] = {"train": [path]}
    elif path.is_dir() and not (path / "dataset_dict.json").exists() and not (path / "state.json").exists():
        try:
            files = table_files(path)
        except UserError:  # which the usual reader says
            return None
    else:
        return None
    if not all(_is_json(file) for parts in files.values() for file in parts):
        return None
    found: list[Reading] = []
    splits: dict[str, list[dict]] = {}
    for split, parts in files.items():
        for file in parts:
            reading = Reading(str(file))
            for own, rows in _objects(file, table, reading).items():
                splits.setdefault(ALIASES.get((own or split).lower(), own or split), []).extend(rows)
                reading.count(len(rows))
            found.append(reading)
    if not span_layouts.has_spans(splits.get("train", [])):
        return None
    readings += found
    return dict(splits)


def _is_json(path: Path) -> bool:
    with packed.opened(path) as (file, _, name):
        kind = kinds.kind_of(name, file.peek(16)[:16])  # type: ignore[attr-defined]  # all of these streams have it
        return kind in ("json", "lines") or (kind is None and file.peek(16).lstrip()[:1] in (b"{", b"["))  # type: ignore[attr-defined]


def _objects(path: Path, table: TableSettings | None, reading: Reading) -> dict[str | None, list[dict]]:
    """The objects in a file; a text and its spans in a list, as spaCy has them, are an object too."""
    text = read_text(path, table, reading).lstrip("\ufeff")
    if (one := _one_row(text)) is not None:
        reading.format = "JSON"
        return {None: [one]}
    lines = bare(path).suffix.lower() in (".jsonl", ".ndjson")
    if (pairs := _pairs(text)) is not None:
        reading.format, lost = "JSON", sum(pair is None for pair in pairs)
        reading.note("each row is a text and its spans, as spaCy's are")
        if lost:
            reading.note(f"{lost:,} empty rows (null) are left out")
        return {None: [_of_pair(*pair) for pair in pairs if pair is not None]}
    return objects.read(path, text, reading, lines=lines)


def _one_row(text: str) -> dict | None:
    """The object that a JSON text is, if it is a row itself: a text and its spans, which are no rows."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_row = any(isinstance(value.get(name), str) for name in span_layouts.TEXT_NAMES) or label_studio.is_task(value)
    return value if is_row and span_layouts.has_spans([value]) else None


def _pairs(text: str) -> Sequence[Any] | None:
    """The pairs in a JSON text whose rows are `["text", {"entities": …}]`, or are such under "annotations"; else
    None."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start not in ("[", "{"):
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        if start == "{":
            return None
        try:
            values = [json.loads(line) for line in text.split("\n") if line.strip()]
        except (ValueError, RecursionError):
            return None
    if isinstance(values, dict):
        values = values.get("annotations", next(iter(values.values())) if len(values) == 1 else None)
    elif _is_pair(values):
        values = [values]
    if not isinstance(values, list) or not any(map(_is_pair, values)):
        return None
    return values if all(one is None or _is_pair(one) for one in values) else None


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict | list)
    ) and (isinstance(value[1], list) or "entities" in value[1] or "spans" in value[1])


def _of_pair(text: str, spans: Any) -> dict:
    return {"text": text, **(spans if isinstance(spans, dict) else {"entities": spans})}
