"""What a bare dataset would be as a tagging: how it is read, its types of entity, and how to train on it."""

from collections.abc import Sequence

from datasets import Dataset

from ...data.part import is_chinese, part_of_rows
from ...data.table.reading import Reading, lines
from ...errors import UserError
from ...run.console import say
from ...run.settings import of_flags
from ..task import LOOKED_AT, Look
from . import columns, layouts
from .loading import Rows
from .read import load_as_told, tagged
from .settings import TaggingSettings

MODELS = {True: "google-bert/bert-base-chinese", False: "sample:minilm"}
MOST_TAGS = 300  # distinct last fields of a text whose lines have several, which would be its tags


def look(name: str, words: Sequence[str]) -> Look | None:
    """Raises `UserError`, after saying what was understood, for tagged text that no run could train on; None for
    what is none."""
    try:
        settings = of_flags(TaggingSettings, words)
    except UserError:  # flags of another task
        return None
    readings: list[Reading] = []
    try:
        loaded = load_as_told(name, settings, readings)
    except UserError:  # said by the task whose file it is
        return None
    if "train" not in loaded or not _is_tagged(loaded["train"], readings, settings):
        return None
    try:
        sentences, types, report = tagged(name, loaded, settings, readings)
    except UserError:
        say(*lines(readings), "problem: tagging of entities")
        raise
    parts = {split: part_of_rows(split, rows, LOOKED_AT)[0] for split, rows in sentences.items()}
    problem = f"problem: tagging of {len(types):,} type{'' if len(types) == 1 else 's'} of entity"
    flags = ["--model", MODELS[is_chinese(parts["train"])]]
    return Look([*report[1:], problem], parts, None, "tag_bert", flags)


def _is_tagged(train: Rows, readings: Sequence[Reading], settings: TaggingSettings) -> bool:
    """Whether the rows are sentences with tags, words with tags, or texts with spans of characters."""
    if not isinstance(train, Dataset):
        return True
    if all(one.format == "CoNLL's layout" for one in readings) and readings:
        tags = {tag for row in train["tags"][:] for tag in row}
        return "O" in tags and 1 < len(tags) <= MOST_TAGS  # any text of lines with spaces is in that layout
    if settings.spans_column or settings.tags_column or layouts.has_spans(train, settings):
        return True
    names = train.column_names
    found = columns.known(names, columns.TOKENS), columns.known(names, columns.TAGS)
    if not all(found):
        return False
    lists = [layouts.holds_list(train, name) for name in (found[0][0], found[1][0])]
    return all(lists) or bool(columns.known_bare(names, columns.SENTENCES))
