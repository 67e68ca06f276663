"""What a bare table would be as a classification: how it is read, its labels, and how to train on it."""

from collections.abc import Sequence
from dataclasses import replace

from ...data.answered import are_answered
from ...data.columns import WhichColumn
from ...data.part import Part, is_chinese, part_of_rows, with_labels
from ...data.sources import local_path
from ...data.summary import splits_line
from ...data.table import reading
from ...data.text_folders import is_text
from ...errors import UserError
from ...run.console import say
from ...run.settings import of_flags
from ...samples import is_sample
from ..task import LOOKED_AT, Look
from . import summary
from .read import Labelled, read_labelled
from .settings import ClassificationSettings

MODELS = {True: "google-bert/bert-base-chinese", False: "sample:minilm"}


def look(name: str, words: Sequence[str]) -> Look | None:
    """Raises `UserError`, after saying how the file was read, for what no run could train on; None for texts alone, and
    for questions with answers, which no column of labels goes with."""
    settings = of_flags(ClassificationSettings, words)
    told = settings.label_column or settings.label_columns
    if not told and not is_sample(name) and is_text(local_path(name)):
        return None
    readings: list[reading.Reading] = []
    try:
        read = read_labelled(name, settings, readings=readings)
    except UserError as error:
        columns = readings[0].columns if readings else []
        no_label = isinstance(error, WhichColumn) and error.option == "label_column" and not error.candidates
        if no_label and (len(columns) == 1 or are_answered(columns)):
            return None
        if not told and "the folder has no train file" in str(error):
            return None
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
        summary.missing_line(read.notes),
        splits_line(splits, read.source, unused=read.unused),
    ]
    parts = {split: _part(split, read) for split in splits}
    flags = ["--model", MODELS[is_chinese(parts["train"])]]
    return Look(lines, parts, problem.label_names or None, "classify_bert", flags)


def _part(split: str, read: Labelled) -> Part:
    whole, problem = read.splits[split], read.problem
    part, rows = part_of_rows(split, whole, LOOKED_AT)
    labels = rows["label"], whole["label"], lambda given: problem.named(problem.encode(given))
    names = {"text": read.columns.text, "label": read.columns.label}
    names |= {"text_pair": read.columns.pair} if read.columns.pair else {}
    return replace(with_labels(part, *labels, are_names=problem.has_names), names=names)
