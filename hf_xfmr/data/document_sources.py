"""A corpus's name -> the documents of its splits: of text files, of a list of texts, or of a table's columns."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Dataset

from .. import samples
from ..errors import UserError
from . import text_files, text_folders
from .answered import is_known
from .conversations import of_columns
from .messages import Chat
from .regular import check_regular
from .row_texts import TextOf
from .sources import load_dataset_dict, load_hub, local_path, split_files, split_parts, table_files, with_usual_names
from .table import kinds, reading, rows
from .table.arrow import dataset_of
from .table.packed import bare
from .table.reading import Reading
from .text_columns import text_of
from .texts import Documents, DocumentSettings

HEAD = 1000  # rows of a stream that tell its columns


def sources(name: Any, settings: DocumentSettings, readings: list[Reading], chat: Chat | None) -> dict[str, Documents]:
    """The documents of each split; what was understood of each file is added to `readings`. `chat` is the tokenizer's
    way to write messages. Raises UserError, one sentence, for what can't be read."""
    called = reading.called(name)
    if isinstance(name, str) and not samples.is_sample(name):
        path = local_path(name)
        if (found := _of_texts(path, settings, readings)) is not None:
            return found
        if settings.lines or settings.separator is not None:
            what = "a folder without any" if os.path.isdir(path) else "none"
            raise UserError(f"lines and separator are for .txt files, and {name} is {what}: leave them out")
        if (strings := _strings(path, settings, readings)) is not None:
            return {"train": strings}
        streams = _streamed(path, name, settings, readings) if settings.streaming else None
        if streams is not None:
            return _of_columns(streams, called, settings, chat)
    elif settings.lines or settings.separator is not None:
        raise UserError(f"lines and separator are for .txt files, which {called} is not: leave them out")
    try:
        loaded = load_dataset_dict(name, config=settings.dataset_config, table=settings, readings=readings)
    except UserError as error:
        if "no table stands in it" in str(error):
            raise UserError(f"{error}; a plain text is read by --lines true or --separator, or as .txt") from None
        if "the folder has no train file" in str(error):
            raise UserError(f"{error}; or give a folder of .txt files") from None
        raise
    return _of_columns(loaded, called, settings, chat)


def _of_texts(path: Path, settings: DocumentSettings, readings: list[Reading]) -> dict[str, Documents] | None:
    """Those of a text file or of a folder of them; None for anything else."""
    split = settings.lines or settings.separator is not None
    if os.path.isdir(path):
        if "train" in (files := split_files(path, text_folders.SUFFIXES)):
            return {name: text_folders.one_file(file, settings, readings) for name, file in files.items()}
        if "train" in split_parts(path, kinds.SUFFIXES):
            return None
        found = text_folders.folder(path, settings, readings)
        return None if found is None else {"train": found}
    if text_folders.is_text(path):
        check_regular(path, "text file")
    if not os.path.isfile(path) or (kinds.is_table(path) and bare(path).suffix):
        return None
    kind, inner = rows.kind_of(path)
    if kind is not None or (Path(inner).suffix.lower() not in (*text_folders.SUFFIXES, "") and not split):
        return None
    if not split and text_files.is_json_lines(path):
        return None  # a table, whatever it is called
    if settings.streaming and not split:
        raise UserError(
            f"{path} is one document, which streaming would have to hold: say what separates documents, with --lines "
            'true (each line is one) or --separator "" (blank lines stand between them)'
        )
    return {"train": text_folders.one_file(path, settings, readings)}


def _strings(path: Path, settings: DocumentSettings, readings: list[Reading]) -> Documents | None:
    """The texts of a JSON list of texts, or of JSON lines each of which is one; None for other files."""
    if bare(path).suffix.lower() not in (".json", ".jsonl", ".ndjson") or not os.path.isfile(path):
        return None
    read = Reading(str(path), "JSON")
    with text_files.text_of(path, settings, read) as file:
        beginning = file.read(4096).lstrip(text_files.BLANK)
    if not re.match(r'"|\[\s*"', beginning):
        return None

    def values() -> Iterator[Any]:
        if beginning.startswith("["):
            yield from json.loads(text_files.whole(path, settings))
            return
        for line in text_files.lines(path, settings):
            if line.strip(text_files.BLANK):
                yield json.loads(line.removeprefix("\ufeff"))

    def texts() -> Iterator[str | None]:
        number = -1
        try:
            for number, value in enumerate(values()):
                if value is not None and not isinstance(value, str):
                    raise UserError(
                        f"{path}: row {number} (counted from 0) is {json.dumps(value)[:40]}, not a text as the first "
                        "is; give each row one kind"
                    )
                yield value
        except UserError:
            raise
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: row {number + 1} (counted from 0) is not JSON ({error}); mend it") from None
        read.rows = number + 1

    read.note("each value is a text")
    readings.append(read)
    return Documents(texts)


def _of_columns(
    splits: Mapping[str, Any], called: str, settings: DocumentSettings, chat: Chat | None
) -> dict[str, Documents]:
    """The texts of tables, or of streams of their rows."""
    found = {}
    for split, given in splits.items():
        head = _head(given, split, settings)
        how = of_columns(head, called, settings) or text_of(head, called, settings, chat)
        read = _read(given, how, split)
        found[split] = Documents(read, how.lines, how.lacks)
    return found


def _head(given: Any, split: str, settings: DocumentSettings) -> Dataset:
    """The first rows, or all. Those of a stream do not tell what a column holds later: the column of texts may be empty
    or look like numbers so far."""
    if isinstance(given, Dataset):
        return given
    try:
        head = given[0][0] if isinstance(given, list) else Dataset.from_list(list(islice(given, HEAD)))
    except Exception as error:
        raise UserError(f"the {split} split can't be read: {' '.join(str(error).split())}") from error
    table = head.data.table
    for place, name in enumerate(head.column_names):
        kind = getattr(head.features[name], "dtype", None)
        if (is_known(name) or name == settings.text_column) and kind in ("null", "int64", "float64", "bool"):
            table = table.set_column(place, name, table.column(place).cast(pa.string()))
    return head if table is head.data.table else dataset_of(table)


def _read(given: Any, how: TextOf, split: str) -> Callable[[], Iterable[str | None]]:
    if isinstance(given, Dataset):
        if how.make is None:
            return lambda: given[how.columns[0]]
        chosen = given.select_columns(how.columns)
        return lambda: _counted(how, chosen)
    if isinstance(given, list):
        return lambda: _counted(how, (row for _, stream in given for row in stream))

    def read() -> Iterator[str | None]:
        try:
            yield from _counted(how, given)
        except UserError:
            raise
        except Exception as error:  # what the library meets in the middle of a stream
            raise UserError(f"the {split} split can't be read to its end: {' '.join(str(error).split())}") from error

    return read


def _counted(how: TextOf, given: Iterable[Mapping[str, Any]]) -> Iterator[str | None]:
    how.begin()
    for row in given:
        yield how(row)


def _streamed(path: Path, name: str, settings: DocumentSettings, readings: list[Reading]) -> dict | None:
    """The splits of table files or of a Hub dataset as streams; None for what is held whole anyway."""
    if not os.path.lexists(path):
        if kinds.is_table(path):
            return None
        return with_usual_names(load_hub(name, settings.dataset_config, streaming=True))
    if os.path.isdir(path) and ((path / "dataset_dict.json").exists() or (path / "state.json").exists()):
        return None
    files = table_files(path) if os.path.isdir(path) else {"train": [path]}
    splits = {}
    for split, parts in files.items():
        streams = []
        for part in parts:
            read = Reading(str(part))
            if (stream := rows.streamed(part, settings, read)) is None:
                return None
            readings.append(read)
            streams.append(stream)
        splits[split] = streams
    return splits
