"""Pairs of sentences: from any dataset with two columns of texts, parallel text files, or a generated task."""

import random
import string
from collections.abc import Mapping, Sequence

import pyarrow as pa
from datasets import Dataset, DatasetDict
from datasets.features import Translation
from datasets.table import InMemoryTable

from ... import samples
from ...data.columns import IDS
from ...data.sources import load_dataset_dict
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...data.wording import at, listed
from ...errors import UserError
from ...splits import split_of
from . import languages, memories, moses, tables

TASKS = {"copy": lambda words: words, "reverse": lambda words: words[::-1]}
PAIR = (
    "a dataset on the Hub, sample:tatoeba-en-fr, task:copy; a table (CSV, TSV with or without names, JSON(L), Parquet "
    "and others) with two columns of texts, or one called translation of {en: …, fr: …}; a .tmx; SOURCE,TARGET text "
    "files, or the prefix, folder or OPUS .zip of corpus.en and corpus.fr"
)


class Pairs(dict[str, Dataset]):
    """Splits with the columns `source`, `target`, `id` (text) and `row`, its number in the split it was read from."""

    source_lang: str
    target_lang: str


def read_pairs(
    dataset: str | DatasetDict,
    *,
    config: str | None = None,
    source: str | None = None,
    target: str | None = None,
    task_rows: int = 10_000,
    task_length: int = 12,
    drop_empty: bool = False,
    notes: list[str],
    table: TableSettings | None = None,
    readings: list[Reading] | None = None,
) -> Pairs:
    """The pairs of a dataset, as they stand. `source` and `target` are names of languages or of columns.

    What is left out is added to `notes`. Raises UserError, naming file, column or rows, for what is no pair of texts.
    """
    name = dataset if isinstance(dataset, str) else ""
    read: list[Reading] = []
    if name.startswith("task:"):
        loaded, source, target = generated(name, rows=task_rows, longest=task_length), "source", "target"
    elif samples.is_sample(name):
        loaded = load_dataset_dict(name, config=config)
    elif of_memories := memories.found(name, source, target, table, read):
        loaded, source, target = of_memories
    elif files := moses.found(name, source, target):
        source, target, *_ = files["train"]
        loaded = DatasetDict(
            {
                split: moses.zipped(one, other, (source, target), table, read)
                for split, (_, _, one, other) in files.items()
            }
        )
    else:
        loaded = tables.load(dataset, config, source, target, table, read)
    if readings is not None:
        readings += read
    if "train" not in loaded:
        raise UserError(f"the dataset has no train split, only {listed(loaded)}; there is nothing to train on")
    source, target, nested = _columns(loaded["train"], source, target, notes)
    pairs = Pairs()
    pairs.source_lang, pairs.target_lang = source, target
    for split in ("train", "validation", "test"):
        if split in loaded:
            rows = _flat(loaded[split], split, nested, (source, target)) if nested else loaded[split]
            pairs[split] = _checked(rows, split, source, target, drop_empty=drop_empty, notes=notes)
    return pairs


def generated(name: str, *, rows: int, longest: int) -> DatasetDict:
    """`task:copy` or `task:reverse`: distinct sequences of 1 to `longest` letters, 90/5/5 by a hash; always the same.

    Raises UserError for another task, and for sizes at which there are no so many sequences.
    """
    task = name.removeprefix("task:")
    if task not in TASKS:
        raise UserError(f"{name} is no generated task; there are {listed(f'task:{one}' for one in TASKS)}")
    if longest < 1 or rows < 100 or rows > len(string.ascii_lowercase) ** longest // 2:
        raise UserError(
            f"task_rows {rows:,} distinct sequences of at most task_length {longest} letters can't be made; give at "
            "least 100 rows, and longer sequences for more"
        )
    draw = random.Random(0)
    found: dict[str, str] = {}
    while len(found) < rows:
        words = [draw.choice(string.ascii_lowercase) for _ in range(draw.randint(1, longest))]
        found[" ".join(words)] = " ".join(TASKS[task](words))
    splits: dict[str, dict[str, list]] = {
        split: {"source": [], "target": []} for split in ("train", "validation", "test")
    }
    for one, other in found.items():
        side = splits[split_of(one, validation=0.05, test=0.05)]
        side["source"].append(one)
        side["target"].append(other)
    return DatasetDict({split: Dataset.from_dict(columns) for split, columns in splits.items()})


def _columns(rows: Dataset, source: str | None, target: str | None, notes: list[str]) -> tuple[str, str, str | None]:
    """Names of the source and target column, and of the column they are nested in (`translation`), if any."""
    nested = next((name for name in rows.column_names if _is_translation(rows.features[name])), None)
    if nested is not None:
        feature = rows.features[nested]
        names = list(feature.languages if isinstance(feature, Translation) else feature)
        where = f'column "{nested}"'
    else:
        names, where = [name for name in rows.column_names if _is_text(rows.features[name])], "the dataset"
    names = [name for name in names if name.casefold() not in IDS or name in (source, target)]
    coded = [name for name in names if languages.is_code(name)]
    if len(names) > 2 and len(coded) == 2 and source is None and target is None:
        names = coded
    one, other = languages.chosen(where, names, source, target, ordered=True)
    one, other = (languages.matching(side, names)[0] for side in (one, other))
    texts = [name for name in rows.column_names if _is_text(rows.features[name]) and name not in (one, other)]
    if unread := [name for name in [*texts, *names] if name not in (one, other) and name.casefold() not in IDS]:
        notes.append(f"not read: {listed(dict.fromkeys(unread))}")
    return one, other, nested


def _is_text(feature) -> bool:
    return getattr(feature, "dtype", None) in ("string", "large_string")


def _is_translation(feature) -> bool:
    return isinstance(feature, Translation) or (
        isinstance(feature, Mapping) and len(feature) > 1 and all(map(_is_text, feature.values()))
    )


def _flat(rows: Dataset, split: str, nested: str, names: Sequence[str]) -> Dataset:
    """Those texts in the column `nested` as columns of their own."""
    if nested not in rows.column_names:
        raise UserError(f'the {split} split has no column "{nested}", which train has')
    pairs = rows[nested][:]
    texts = {name: [(pair or {}).get(name) for pair in pairs] for name in names}
    passengers = {name: rows[name][:] for name in rows.column_names if name.casefold() in IDS and name not in names}
    return Dataset.from_dict(passengers | texts)


def _checked(rows: Dataset, split: str, source: str, target: str, *, drop_empty: bool, notes: list[str]) -> Dataset:
    for name in (source, target):
        if name not in rows.column_names:
            raise UserError(
                f'the {split} split has no column "{name}", which train has; it has {listed(rows.column_names)}'
            )
    sides: list[Sequence] = [rows[source][:], rows[target][:]]
    kept = [row for row, pair in enumerate(zip(*sides, strict=True)) if all((text or "").strip() for text in pair)]
    if len(kept) < len(rows):
        empty = sorted(set(range(len(rows))).difference(kept))
        if not drop_empty:
            raise UserError(
                f"{at(split, empty)}: no text on one of the sides {listed((source, target))}; fill it in, or leave "
                "such pairs out by drop_empty: true"
            )
        notes.append(f"dropped: {len(empty):,} of {len(rows):,} {split} pairs, which lack a side: {at(split, empty)}")
        if not kept:
            raise UserError(f"no {split} pair has texts on both sides; nothing is left of the split")
    ids = next((name for name in rows.column_names if name.casefold() in IDS and name not in (source, target)), None)
    names = [str(one) for one in rows[ids][:]] if ids else list(map(str, range(len(rows))))
    table = {
        "source": pa.array([sides[0][row] for row in kept], pa.large_string()),
        "target": pa.array([sides[1][row] for row in kept], pa.large_string()),
        "id": pa.array([names[row] for row in kept]),
        "row": pa.array(kept, pa.int64()),
    }
    return Dataset(InMemoryTable(pa.table(table)))
