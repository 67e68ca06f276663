"""What a bare dataset would be as questions to be answered: how it is read, and how to train on it."""

from collections.abc import Sequence
from dataclasses import replace

from ...data.part import is_chinese, part_of_rows
from ...data.sources import load_dataset_dict
from ...data.table.reading import Reading, lines
from ...errors import UserError
from ...run.console import say
from ...run.settings import of_flags
from ..task import LOOKED_AT, Look
from . import layouts
from .data import NAMES
from .read import asked
from .settings import AnsweringSettings

MODELS = {True: "google-bert/bert-base-chinese", False: "sample:minilm"}


def look(name: str, words: Sequence[str]) -> Look | None:
    """Raises `UserError`, after saying what was understood, for questions that no run could train on; None for
    what are none."""
    try:
        settings = of_flags(AnsweringSettings, words)
    except UserError:  # flags of another task
        return None
    readings: list[Reading] = []
    try:
        loaded = load_dataset_dict(name, config=settings.dataset_config, table=settings, readings=readings)
    except UserError:  # said by the task whose file it is
        return None
    told = settings.question_column or settings.context_column
    if "train" not in loaded or not (told or layouts.is_known(loaded["train"].column_names)):
        return None
    problem = "problem: answering questions by a part of their context"
    try:
        questions, _, report = asked(name, loaded, settings, readings)
    except UserError:
        say(*lines(readings), problem)
        raise
    parts = {split: part_of_rows(split, rows, LOOKED_AT)[0] for split, rows in questions.items()}
    parts = {split: replace(part, names=NAMES) for split, part in parts.items()}
    return Look([*report[1:], problem], parts, None, "answer_bert", ["--model", MODELS[is_chinese(parts["train"])]])
