"""A corpus's name -> its documents: plain texts, one long text, or the text column of a dataset; whole or streamed."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path

import datasets
import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from .. import samples
from ..errors import UserError
from ..splits import split_of
from . import cache, text_files
from .carve import carve
from .columns import find_text_column
from .files import READERS, read_text
from .regular import check_regular
from .sources import load_dataset_dict, load_hub, local_path, split_files, with_usual_names
from .wording import listed

SPLITS = ("train", "validation", "test")
BUILDERS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}


@dataclass(kw_only=True)
class DocumentSettings:
    """Which texts a corpus consists of; everything has a default."""

    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset"})
    text_column: str | None = field(default=None, metadata={"help": "column of the texts; none: found by name"})
    lines: bool = field(default=False, metadata={"help": ".txt: each line is a document (left out: each file is one)"})
    separator: str | None = field(
        default=None, metadata={"help": '.txt: the line that separates documents, as ---; "": a blank line'}
    )
    join: str | None = field(
        default=None, metadata={"help": "make one text of each split's documents, with this between them"}
    )
    streaming: bool = field(
        default=False,
        metadata={
            "help": "read the corpus again for each epoch, in its order, instead of holding it (needs max_steps)"
        },
    )
    validation_fraction: float = field(
        default=0.1,
        metadata={
            "help": "share of train that becomes validation where there is none: documents by a hash of their "
            "text, or the end of a single text"
        },
    )
    max_train_documents: int | None = field(
        default=None, metadata={"help": "read only the first so many of train, before any join; none: all"}
    )
    max_validation_documents: int | None = field(
        default=None, metadata={"help": "the same for validation (also where it is taken from train) and test"}
    )


class Documents:
    """Texts that can be read any number of times, each time from the first on. Those without a character (other than
    white space) are left out, and counted in `empty` whenever they are read."""

    def __init__(self, read: Callable[[], Iterable[str | None]]):
        self.read = read
        self.empty = 0

    def __iter__(self) -> Iterator[str]:
        self.empty = 0
        for text in self.read():
            if text is None or not text.strip():
                self.empty += 1
            else:
                yield text

    def where(self, keep: Callable[[str], bool]) -> "Documents":
        return Documents(lambda: filter(keep, self))

    def first(self, limit: int | None) -> "Documents":
        return self if limit is None else Documents(lambda: islice(self.read(), limit))


def load_documents(name: str, settings: DocumentSettings) -> tuple[dict[str, Documents], list[str]]:
    """The documents of a corpus: its splits in the order train, validation, test, and what was done to get them, line
    by line.

    `name` is a `.txt` file (one document, or as `lines` and `separator` say), a folder of `.txt` files (a document
    each, in subfolders too; or train.txt, validation.txt and test.txt, each read as a file alone is), or a dataset with
    a column of texts, as `load_dataset_dict` takes it. Raises UserError, one sentence, for what can't be read.
    """
    share = settings.validation_fraction
    if not 0 <= share < 1:
        raise UserError(f"validation_fraction is {share}; it is at least 0 and under 1")
    if settings.streaming and settings.join is not None:
        raise UserError("join makes one text of all documents, which streaming never holds: leave one of them out")
    limits = dict.fromkeys(SPLITS, settings.max_validation_documents) | {"train": settings.max_train_documents}
    if any(limit is not None and limit < 1 for limit in limits.values()):
        raise UserError("max_train_documents and max_validation_documents are at least 1")
    sources = _sources(name, settings)
    if "train" not in sources:
        raise UserError(f"{name} has no train split, only {listed(sources)}; there is nothing to train on")
    sources = {split: sources[split].first(limits[split]) for split in SPLITS if split in sources}
    report = [f"data: {name}"]
    splits = _streams(sources, share, report) if settings.streaming else _held(name, sources, settings, report)
    if "validation" in splits:
        splits["validation"] = splits["validation"].first(limits["validation"])
    return {split: splits[split] for split in SPLITS if split in splits}, report


def _streams(sources: dict[str, Documents], share: float, report: list[str]) -> dict[str, Documents]:
    if "validation" in sources or not share:
        return sources
    report.append(f"validation: {share:.0%} of the documents of train, by a hash of their text")
    train = sources["train"]
    return sources | {
        "train": train.where(lambda text: split_of(text, share, 0) == "train"),
        "validation": train.where(lambda text: split_of(text, share, 0) == "validation"),
    }


def _held(
    name: str, sources: dict[str, Documents], settings: DocumentSettings, report: list[str]
) -> dict[str, Documents]:
    """The splits in memory, each joined to one text if asked, with a validation split."""
    texts: dict[str, list[str]] = {}
    for split, documents in sources.items():
        texts[split] = list(documents)
        if not texts[split]:
            raise UserError(f"{name}: no text of the {split} split has a character in it")
        if documents.empty:
            report.append(f"left out of {split}: {documents.empty:,} texts without a character")
        if settings.join is not None:
            report.append(f"joined: the {len(texts[split]):,} texts of {split} are one")
            texts[split] = [settings.join.join(texts[split])]
    if "validation" not in texts and settings.validation_fraction:
        _carve(texts, settings.validation_fraction, report)
    return {split: Documents(partial(iter, rows)) for split, rows in texts.items()}


def _carve(texts: dict[str, list[str]], share: float, report: list[str]) -> None:
    """Take a validation split out of train: documents by a hash of their text; of a single text the end."""
    if len(texts["train"]) == 1:
        (text,) = texts["train"]
        cut = int(len(text) * (1 - share))
        if not text[:cut].strip() or not text[cut:].strip():
            raise UserError(f"the text's {len(text):,} characters are too few to hold {share:.0%} out for validation")
        texts["train"], texts["validation"] = [text[:cut]], [text[cut:]]
        report.append(f"validation: the last {share:.0%} of the text, {len(text) - cut:,} characters")
        return
    rows = Dataset(InMemoryTable(pa.table({"text": pa.array(texts["train"], pa.large_string())})))
    sides = carve({"train": rows}, "text", validation=share, test=0)
    texts.update({split: side["text"][:] for split, side in sides.items()})
    report.append(
        f"validation: {len(texts['validation']):,} documents taken from train by a hash of their text, "
        f"{len(texts['train']):,} left"
    )


def _sources(name: str, settings: DocumentSettings) -> dict[str, Documents]:
    path = local_path(name)
    if path.suffix.lower() == ".txt" and not samples.is_sample(name):
        check_regular(path, "text file")
        if settings.streaming and not settings.lines and settings.separator is None:
            raise UserError(f"{name} is one document, which streaming would have to hold: say what separates documents")
        return {"train": _text_file(path, settings)}
    if os.path.isdir(path):
        if "train" in (files := split_files(path, (".txt",))):
            return {split: _text_file(file, settings) for split, file in files.items()}
        if "train" not in split_files(path) and (found := sorted(path.rglob("*.txt"))):
            parts = [_text_file(file, settings) for file in found]
            return {"train": Documents(lambda: chain.from_iterable(part.read() for part in parts))}
    if settings.lines or settings.separator is not None:
        raise UserError(f"lines and separator are for .txt files, which {name} is not: leave them out")
    rows = _streamed(path, name, settings) if settings.streaming else None
    if rows is None:
        rows = load_dataset_dict(name, config=settings.dataset_config)
    return {split: _column(rows[split], split, settings.text_column) for split in rows}


def _text_file(path: Path, settings: DocumentSettings) -> Documents:
    if settings.lines and settings.separator is not None:
        raise UserError("lines and separator exclude one another: leave one of them out")
    if settings.lines:
        return Documents(lambda: text_files.lines(path, streaming=settings.streaming))
    if settings.separator is not None:
        separator = settings.separator.strip()
        return Documents(lambda: text_files.between(path, separator, streaming=settings.streaming))
    return Documents(lambda: [read_text(path)])


def _column(rows, split: str, told: str | None) -> Documents:
    """The text column of a dataset, or of one that is streamed."""
    if isinstance(rows, Dataset):
        column = find_text_column(rows, told)
        return Documents(lambda: rows[column])
    try:
        head = Dataset.from_list(list(islice(rows, 1)))
    except Exception as error:
        raise UserError(f"the {split} split can't be read: {' '.join(str(error).split())}") from error
    column = find_text_column(head, told)

    def read() -> Iterator[str | None]:
        try:
            yield from (row[column] for row in rows)
        except Exception as error:  # what the library meets in the middle of a stream
            raise UserError(f"the {split} split can't be read to its end: {' '.join(str(error).split())}") from error

    return Documents(read)


def _streamed(path: Path, name: str, settings: DocumentSettings) -> dict | None:
    """The splits of table files or of a Hub dataset as streams; None for what is mapped into memory anyway."""
    if samples.is_sample(name):
        return None
    files = split_files(path) if os.path.isdir(path) else {"train": path} if path.suffix.lower() in READERS else {}
    if files and os.path.lexists(path):
        suffixes = {file.suffix.lower() for file in files.values()}
        if len(suffixes) > 1:
            raise UserError(f"{name}: its splits end in {listed(sorted(suffixes))}; streaming needs files of one kind")
        (suffix,) = suffixes
        for file in files.values():
            check_regular(file, "data file")
        options = {"sep": "\t"} if suffix == ".tsv" else {}
        paths = {split: str(file) for split, file in files.items()}
        with cache.for_streams():
            return datasets.load_dataset(BUILDERS[suffix], data_files=paths, streaming=True, **options)
    if os.path.lexists(path) or path.suffix.lower() in READERS:
        return None
    return with_usual_names(load_hub(name, settings.dataset_config, streaming=True))
