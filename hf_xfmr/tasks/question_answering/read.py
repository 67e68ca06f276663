"""A dataset's questions, checked, in splits: all that is known before a tokenizer reads them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from datasets import Dataset, Features, List, Value

from ...data.carve import carve, limit_rows
from ...data.sources import load_dataset_dict
from ...data.summary import splits_line
from ...data.table import reading
from ...data.wording import listed
from ...errors import UserError
from . import layouts, metrics
from .places import placed
from .settings import FAULTY, METRICS, AnsweringSettings

SPLITS = ("train", "validation", "test")
FEATURES = Features(
    {
        "text": Value("string"),
        "text_pair": Value("string"),
        "id": Value("string"),
        "answers": List(Value("string")),
        "starts": List(Value("int32")),
    }
)


class Asked(NamedTuple):
    """`questions` of each split: `text` (the question), `text_pair` (its context), `id`, `answers` (none: it has none)
    and the characters that these start at. `metric` counts their answers; `report` are the lines said."""

    questions: dict[str, Dataset]
    metric: str
    report: list[str]


def check(settings: AnsweringSettings) -> None:
    """Raises `UserError` for settings that can't be."""
    for name, value, choices in (
        ("faulty_answers", settings.faulty_answers, FAULTY),
        ("answer_metric", settings.answer_metric, METRICS),
    ):
        if value not in choices:
            raise UserError(f'{name} is "{value}"; it can be {", ".join(choices)}')
    if settings.max_answer_length < 1:
        raise UserError(f"max_answer_length is {settings.max_answer_length}; it must be at least 1 token")


def read_asked(dataset: Any, settings: AnsweringSettings) -> Asked:
    """Load, understand, check, carve and limit the questions of a dataset. Raises `UserError` for what can't be."""
    check(settings)
    readings: list[reading.Reading] = []
    loaded = load_dataset_dict(dataset, config=settings.dataset_config, table=settings, readings=readings)
    return asked(dataset, loaded, settings, readings)


def asked(
    dataset: Any, loaded: Mapping[str, Dataset], settings: AnsweringSettings, readings: list[reading.Reading]
) -> Asked:
    """The same of splits that are loaded already."""
    if "train" not in loaded:
        raise UserError(f"{dataset} has no train split, only {listed(loaded)}; there is nothing to train on")
    given, notes, found = {}, [], []
    for split in (split for split in SPLITS if split in loaded):
        layout, items = layouts.items(loaded[split], split, settings)
        found.append(layout)
        checked = placed(items, split, settings.faulty_answers)
        notes += checked.notes
        given[split] = Dataset.from_list(
            [
                {"text": one.question, "text_pair": one.context, "id": one.id}
                | {"answers": one.answers, "starts": one.starts}
                for one in checked.items
            ],
            features=FEATURES,
        )
        if not len(given[split]):
            raise UserError(f"{split} has no question left to {'learn from' if split == 'train' else 'measure on'}")
    if not any(given["train"]["answers"][:]):
        raise UserError(
            "no question of train has an answer, so that there is nothing to learn; if a column has them, say which "
            "with --answer_column"
        )
    report = [f"data: {reading.called(dataset)}, {' and '.join(dict.fromkeys(found))}"]
    carved = carve(
        given, "text_pair", validation=settings.validation_fraction, test=settings.test_fraction, notes=report
    )
    questions = {
        split: limit_rows(carved[split], getattr(settings, f"max_{split}_rows"), split=split, notes=report)
        for split in SPLITS
        if split in carved
    }
    source = {split: split if split in given else "train" for split in questions}
    unused = [split for split in loaded if split not in SPLITS]
    line = splits_line(questions, source, unused=unused).replace("hash of the text", "hash of the context")
    report[1:1] = [*reading.lines(readings), line, *notes]
    report += [_line(split, rows) for split, rows in questions.items()]
    metric = metrics.chosen(settings.answer_metric, questions["train"]["text_pair"][:1000])
    how = {"squad": "words, as SQuAD's script does", "cmrc": "Chinese characters, as CMRC 2018's script does"}
    why = "" if settings.answer_metric != "auto" else " (by the script of the contexts; --answer_metric says otherwise)"
    report.append(f"answers are compared by {how[metric]}{why}")
    return Asked(questions, metric, report)


def _line(split: str, rows: Dataset) -> str:
    """`questions of train: 100 of 20 contexts; 30 have no answer; 2 have several`."""
    answers = rows["answers"][:]
    counts = Counter(min(len({*one}), 2) for one in answers)
    contexts = len({*rows["text_pair"][:]})
    several = f"; {counts[2]:,} have several answers" if counts[2] else ""
    if several and split == "train":
        several += ", of which the first is learned"
    none = f"; {counts[0]:,} have no answer" if counts[0] else "; all have an answer"
    return f"questions of {split}: {len(rows):,} about {contexts:,} context{'s' * (contexts != 1)}{none}{several}"
