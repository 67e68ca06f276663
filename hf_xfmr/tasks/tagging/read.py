"""A dataset's sentences with their tags as BIO, in splits: all that is known before a tokenizer reads them."""

from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

from datasets import Dataset, Features, List, Value

from ...data.carve import carve, limit_rows
from ...data.summary import splits_line
from ...data.table import reading
from ...data.word_lists import CHINESE
from ...data.wording import at, listed, short
from ...errors import UserError
from . import layouts, notation
from .alignment import join
from .loading import Rows, load
from .schemes import entities, write_tags
from .sentence import Sentence
from .settings import TaggingSettings

SPLITS = ("train", "validation", "test")
TYPES = 20  # of which a line of the report has the numbers
FEATURES = Features(
    {
        "tokens": List(Value("string")),
        "tags": List(Value("string")),
        "id": Value("string"),
        "text": Value("string"),
        "starts": List(Value("int32")),
    }
)


class Tagged(NamedTuple):
    """`sentences` of each split have `tokens`, `tags` (BIO), `id`, `text` and `starts`; `report` are the lines said."""

    sentences: dict[str, Dataset]
    types: list[str]
    report: list[str]


def read_tagged(dataset: Any, settings: TaggingSettings) -> Tagged:
    """Load, understand, check, carve and limit the sentences of a dataset; see `data.tagging`, also for errors."""
    readings: list[reading.Reading] = []
    return tagged(dataset, load_as_told(dataset, settings, readings), settings, readings)


def load_as_told(dataset: Any, settings: TaggingSettings, readings: list[reading.Reading]) -> dict[str, Rows]:
    """`load` as the settings say."""
    fields = (settings.tokens_column, settings.tags_column)
    return load(dataset, settings.dataset_config, table=settings, readings=readings, fields=fields)


def tagged(dataset: Any, loaded: dict[str, Rows], settings: TaggingSettings, readings: list[reading.Reading]) -> Tagged:
    """The same of splits that are loaded already."""
    if "train" not in loaded:
        raise UserError(f"{dataset} has no train split, only {listed(loaded)}; there is nothing to train on")
    if all(one.format == "CoNLL's layout" for one in readings) and readings:
        settings = replace(settings, tokens_column=None, tags_column=None)  # they said which fields
    read, lines, is_bio = layouts.read({split: loaded[split] for split in SPLITS if split in loaded}, settings)
    known = _notation(read, "BIO" if is_bio else settings.tag_scheme)
    types = notation.types_in([known.canonical[tag] for tag in one.tags] for one in read["train"])
    if not types:
        raise UserError(
            "train has no tag but O, no entity to learn; if another column has the tags, say which with --tags_column"
        )
    shown = f"{len(types):,} types: {listed(types)}" if len(types) > TYPES else ", ".join(map(short, types))
    separator = _separator(read["train"]) if settings.word_separator is None else settings.word_separator
    report = [f"data: {reading.called(dataset)}, tags {known.scheme} of {shown}; the model learns BIO"]
    report += [f"tags: {note}" for note in known.notes]
    given = {split: _sentences(rows, split, types, known, separator, report) for split, rows in read.items()}
    carved = carve(
        given,
        "text",
        validation=settings.validation_fraction,
        test=settings.test_fraction,
        learned=[{entity.type for entity in entities(tags)} for tags in given["train"]["tags"][:]],
        notes=report,
    )
    sentences = {
        split: limit_rows(carved[split], getattr(settings, f"max_{split}_rows"), split=split, notes=report)
        for split in SPLITS
        if split in carved
    }
    source = {split: split if split in given else "train" for split in sentences}
    unused = [split for split in loaded if split not in SPLITS]
    report[1:1] = [*reading.lines(readings), *lines, splits_line(sentences, source, unused=unused)]
    report += [_entity_line(split, rows["tags"][:]) for split, rows in sentences.items()]
    return Tagged(sentences, types, report)


def _notation(read: dict[str, list[Sentence]], scheme: str | None) -> notation.Notation:
    """How all splits' tags are written. Raises UserError naming the row of a tag that is none."""

    def where(tag: str) -> str:
        return next(at(split, [one.row]) for split, rows in read.items() for one in rows if tag in one.tags)

    return notation.find([one.tags for rows in read.values() for one in rows], scheme, where)


def _separator(read: list[Sentence]) -> str:
    counts = Counter(len(word) == 1 and ord(word) in CHINESE for one in read for word in one.words)
    return "" if counts[True] > counts[False] else " "


def _sentences(
    read: list[Sentence], split: str, types: list[str], known: notation.Notation, separator: str, notes: list[str]
) -> Dataset:
    rows, mended = [], []
    for one in read:
        tags = [known.canonical[tag] for tag in one.tags]
        found = entities(tags)
        if unseen := sorted({entity.type for entity in found} - set(types)):
            raise UserError(
                f'{at(split, [one.row])}: the type "{unseen[0]}" never occurs in train; add train rows of it, or '
                "correct it"
            )
        if known.written_as and write_tags(found, len(tags), known.written_as) != tags:
            mended.append(one.row)
        text, starts = join(one.words, separator) if one.text is None else (one.text, one.starts)
        bio = write_tags(found, len(tags))
        rows.append({"tokens": one.words, "tags": bio, "id": one.id, "text": text, "starts": starts})
    if mended:
        notes.append(
            f"tags out of {known.scheme} in {len(mended):,} of {len(rows):,} {split} rows, read as conlleval does (an "
            f"entity begins where its first tag stands): {at(split, mended)}"
        )
    return Dataset.from_list(rows, features=FEATURES)


def _entity_line(split: str, tags: list[list[str]]) -> str:
    """How many entities there are of each type; of many types, of those with most."""
    count = Counter(entity.type for row in tags for entity in entities(row))
    shown = sorted(count.items()) if len(count) <= TYPES else count.most_common(TYPES)
    parts = ", ".join(f"{short(kind)} {number:,}" for kind, number in shown)
    more = f", and {len(count) - TYPES:,} types more" if len(count) > TYPES else ""
    return f"entities of {split}: {count.total():,} in {len(tags):,} sentences ({parts or 'none'}{more})"
