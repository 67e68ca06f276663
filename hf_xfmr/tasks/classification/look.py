"""What a bare table would be as a classification: how it is read, its labels, and how to train on it."""

from collections.abc import Sequence

from ...data.part import Part, part_of_rows
from ...data.summary import splits_line
from ...data.table import reading
from ...errors import UserError
from ...run.console import say
from ...run.settings import of_flags
from ..task import Look
from . import summary
from .read import Labelled, read_labelled
from .settings import ClassificationSettings

ROWS = 50_000  # most rows of a split that are looked at
CHINESE = range(0x3400, 0xA000)
LOOKED_AT = 200_000  # characters that tell whether texts are Chinese
MODELS = {True: "google-bert/bert-base-chinese", False: "sample:minilm"}


def look(name: str, words: Sequence[str]) -> Look:
    """Raises `UserError`, after saying how the file was read, for what no run could train on."""
    settings = of_flags(ClassificationSettings, words)
    readings: list[reading.Reading] = []
    try:
        read = read_labelled(name, settings, readings=readings)
    except UserError:
        say(*reading.lines(readings))
        raise
    problem, splits = read.problem, read.splits
    encoded = problem.encode(splits["train"]["label"][:])
    kind = problem.problem_type.replace("_", " ")
    lines = [
        *reading.lines(readings),
        summary.columns_line(read.columns),
        f"problem: {kind}" + (f" of {len(problem.labels):,} labels" if problem.labels else ""),
        *read.notes,
        problem.balance_line(encoded),
        *([] if any(note.startswith("dropped:") for note in read.notes) else ["missing: nothing"]),
        splits_line(splits, read.source, unused=read.unused),
    ]
    parts = {split: _part(split, read) for split in splits}
    flags = ["--model", MODELS[_is_chinese(parts["train"])]]
    return Look(lines, parts, problem.label_names or None, "classify_bert", flags)


def _part(split: str, read: Labelled) -> Part:
    part, rows = part_of_rows(split, read.splits[split], ROWS)
    labels = read.problem.named(read.problem.encode(rows["label"][:]))
    names = {"text": read.columns.text, "label": read.columns.label}
    return Part(
        part.split,
        part.total,
        part.ids,
        part.texts,
        labels=labels,
        names=names | ({"text_pair": read.columns.pair} if read.columns.pair else {}),
    )


def _is_chinese(part: Part) -> bool:
    text = "".join(part.texts["text"])[:LOOKED_AT]
    return 2 * sum(ord(one) in CHINESE for one in text) > sum(one.isalpha() for one in text)
