"""The rows of one split of a classification dataset, checked: texts, labels, ids."""

import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from ...data.columns import Columns
from ...data.wording import at, listed
from ...errors import UserError
from .labels import check_labels
from .problem import Problem


def read_rows(
    dataset: Dataset,
    split: str,
    columns: Columns,
    *,
    kind: type[Problem],
    drop_empty: bool,
    drop_unlabelled: bool,
    notes: list[str],
) -> Dataset:
    """The columns `text`, `text_pair` (for pairs), `label` (see `Problem.raw`), `id` and `row`, the row's number.

    What is done to the rows is added to `notes`. Raises UserError, naming rows, for missing columns, texts and labels.
    """
    for name in (columns.text, columns.pair, columns.label):
        if name is not None and name not in dataset.column_names:
            raise UserError(
                f'the {split} split has no column "{name}", which train has; it has {listed(dataset.column_names)}'
            )
    texts = {"text": dataset[columns.text][:]}
    if columns.pair is not None:
        texts["text_pair"] = dataset[columns.pair][:]
    rows = list(range(len(dataset)))
    empty = [row for row in rows if any(not (column[row] or "").strip() for column in texts.values())]
    if empty:
        if not drop_empty:
            name = listed(name for name in (columns.text, columns.pair) if name is not None)
            raise UserError(
                f"{at(split, empty)}: no text in column {name}; fill it in, or leave such rows out by drop_empty: true"
            )
        notes.append(
            f"dropped: {len(empty):,} of {len(dataset):,} {split} rows, which have no text: {at(split, empty)}"
        )
        rows = sorted(set(rows).difference(empty))
        if not rows:
            raise UserError(f"no {split} row has a text; nothing is left of the split")
    labels = kind.raw(dataset[columns.label][:], dataset.features[columns.label])
    unlabelled = {row for row in rows if kind.is_missing(labels[row])} if drop_unlabelled else set()
    if unlabelled:
        notes.append(
            f"dropped: {len(unlabelled):,} of {len(dataset):,} {split} rows, which have no label: "
            f"{at(split, sorted(unlabelled))}"
        )
        rows = [row for row in rows if row not in unlabelled]
        if not rows:
            raise UserError(f'no {split} row has a label in column "{columns.label}"; nothing is left of the split')
    labels = check_labels([labels[row] for row in rows], kind, column=columns.label, split=split, rows=rows)
    ids = dataset[columns.id][:] if columns.id in dataset.column_names else list(range(len(dataset)))
    if None in ids:
        notes.append(f'ids: column "{columns.id}" has gaps in {split}, so its rows are known by their number')
        ids = list(range(len(dataset)))
    table = {name: pa.array([column[row] for row in rows], pa.large_string()) for name, column in texts.items()}
    table |= {
        "label": pa.array(labels),
        "id": pa.array([str(ids[row]) for row in rows]),
        "row": pa.array(rows, pa.int64()),
    }
    return Dataset(InMemoryTable(pa.table(table)))


def has_no_labels(dataset: Dataset, column: str, *, known: Dataset) -> bool:
    """Whether the split cannot be scored: no label column, or only nulls, empty texts and -1, which train has not."""
    if column not in dataset.column_names:
        return True
    return all(one in (None, "", -1) for one in dataset[column][:]) and -1 not in known[column][:]
