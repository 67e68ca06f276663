"""A dataset's rows with their labels, checked, in splits: all that is known before a tokenizer reads them."""

from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset, DatasetDict

from ...data import word_lists
from ...data.carve import carve, draw_rows, limit_rows
from ...data.columns import Columns
from ...data.picked import picked
from ...data.sources import load_dataset_dict
from ...data.table import reading
from ...data.wording import listed
from ...errors import UserError
from ...run.folds import Part, running
from . import fixed_labels, label_column, subsets
from .answers import WHOLE
from .folds import rows as folds
from .kinds import kind_of_column, of_labels
from .labels import check_recurring, check_seen, distinct_labels
from .many_labels import ManyLabels
from .problem import Problem
from .rows import has_no_labels, read_rows
from .settings import ClassificationSettings

SPLITS = ("train", "validation", "test")


class Labelled(NamedTuple):
    """`splits` have the columns that `rows.read_rows` says; `source` names the split that each was carved from, or
    itself; `unused` splits are left alone; `readings` and `notes` say how the files and the labels were read. Of a
    run of folds `splits` are its own (see `folds.rows`)."""

    splits: dict[str, Dataset]
    source: dict[str, str]
    problem: Problem
    columns: Columns
    unused: list[str]
    readings: list[reading.Reading]
    notes: list[str]
    fold_of: np.ndarray | None = None  # of each row that folds deal out, its fold


def read_labelled(
    dataset: Any, settings: ClassificationSettings, *, seed: int = 0, readings: list[reading.Reading] | None = None
) -> Labelled:
    """Load, understand, check, carve and limit the rows of a dataset; see `data.classification`, also for errors.
    `seed` draws the `rows_per_label`; `readings` gets what was read before an error."""
    readings = [] if readings is None else readings
    loaded = load_dataset_dict(dataset, config=settings.dataset_config, table=settings, readings=readings)
    if "train" not in loaded:
        raise UserError(f"the dataset has no train split, only {listed(loaded)}; there is nothing to train on")
    notes: list[str] = []
    loaded = word_lists.as_texts(loaded, (settings.text_column, settings.text_pair_column), notes)
    loaded, columns = label_column.find(loaded, settings, notes)
    feature = loaded["train"].features[columns.label]
    kind = kind_of_column(feature, column=columns.label, told=settings.problem_type)

    given = _read(loaded, columns, kind, settings, notes)
    if settings.fixed_labels:
        given = fixed_labels.applied(given, settings.fixed_labels, kind, columns, notes)
    if kind.has_names:
        check_recurring(given["train"]["label"][:], column=columns.label)
    part, dealt, fold_of = running.get() if settings.folds else None, None, None
    if part is not None:
        given, dealt, fold_of = folds.arranged(given, part, kind, settings.max_train_rows, notes)
    carved = _carved(given, part, kind, settings, notes)
    splits = {split: carved[split] for split in SPLITS if split in carved}
    source = {split: split if split in given else "train" for split in splits}
    problem = kind()
    if kind.has_names:
        known = splits["train"]["label"][:] if dealt is None else dealt  # the models of all folds have the same labels
        problem = of_labels(kind, distinct_labels(known, feature, column=columns.label))
        for split in splits if part is None or part.is_last else ():
            check_seen(splits[split], splits["train"], split=split, source=source[split], column=columns.label)
        if part is not None and isinstance(problem, ManyLabels):
            raise UserError(
                f"folds are for up to {WHOLE} labels, and these rows have {len(problem.labels):,}: leave folds out"
            )
    for split in splits:
        if part is None or split == "validation" or (split == "test" and part.is_last):
            splits[split] = _limited(splits[split], split, settings, notes)
    if settings.rows_per_label is not None:
        if part is not None:
            raise UserError(
                "folds and rows_per_label exclude one another: folds read all rows, so leave one of them out"
            )
        if not kind.has_names or kind.several:
            raise UserError(
                f"rows_per_label is for one label a row, and this is {problem.problem_type.replace('_', ' ')}: give "
                "max_train_rows instead"
            )
        train = splits["train"]
        splits["train"] = draw_rows(train, settings.rows_per_label, labels=train["label"][:], seed=seed, notes=notes)
    unused = [split for split in loaded if split not in SPLITS]
    return Labelled(splits, source, problem, columns, unused, readings, notes, fold_of)


def _carved(
    given: dict[str, Dataset],
    part: Part | None,
    kind: type[Problem],
    settings: ClassificationSettings,
    notes: list[str],
) -> dict[str, Dataset]:
    """The splits with those that are missing taken from train. Of few rows a hash may leave a fold without validation
    rows, when those before it are trained already: another is tried."""
    for turn in range(1 if part is None else 20):
        said: list[str] = []
        try:
            carved = carve(
                given,
                "text",
                validation=0 if part is not None and part.is_last else settings.validation_fraction,
                test=settings.test_fraction if part is None else 0,
                learned=[one if isinstance(one, list) else [one] for one in given["train"]["label"][:]]
                if kind.has_names
                else None,
                notes=said,
                salt="" if part is None else f"fold {part.number} {turn or ''}",
            )
        except UserError as error:
            failed = error
            continue
        notes += said
        return carved
    raise failed


def _limited(rows: Dataset, split: str, settings: ClassificationSettings, notes: list[str]) -> Dataset:
    most, seed = getattr(settings, f"max_{split}_rows"), settings.max_train_rows_seed
    if split != "train" or seed is None or most is None or most >= len(rows):
        return limit_rows(rows, most, split=split, notes=notes)
    notes.append(
        f"max_train_rows: {most:,} of {len(rows):,} train rows are used, chosen by max_train_rows_seed {seed}, each "
        "label with its share"
    )
    return picked(rows, subsets.places(rows["text"][:], rows["label"][:], most, seed))


def _read(
    loaded: DatasetDict, columns: Columns, kind: type[Problem], settings: ClassificationSettings, notes: list[str]
) -> dict[str, Dataset]:
    """The checked rows of train, validation and test, as far as they were given and can be scored."""
    usable = [split for split in SPLITS if split in loaded]
    if "test" in usable and has_no_labels(loaded["test"], columns.label, known=loaded["train"]):
        usable.remove("test")
        notes.append(
            f"test: the given split's {len(loaded['test']):,} rows have no labels and cannot be scored; left out"
        )
    return {
        split: read_rows(
            loaded[split],
            split,
            columns,
            kind=kind,
            drop_empty=settings.drop_empty,
            drop_unlabelled=settings.drop_unlabelled,
            notes=notes,
        )
        for split in usable
    }
