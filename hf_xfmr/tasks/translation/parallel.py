"""Pairs of sentences: from any dataset with two columns of texts, parallel text files, or a generated task."""

import random
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from datasets import Dataset, DatasetDict
from datasets.features import Translation
from datasets.table import InMemoryTable

from ...data.columns import IDS
from ...data.files import read_text
from ...data.sources import ALIASES, load_dataset_dict, local_path
from ...data.table import kinds
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...data.wording import at, listed
from ...errors import UserError
from ...splits import split_of

TASKS = {"copy": lambda words: words, "reverse": lambda words: words[::-1]}
PAIR = "a dataset on the Hub, sample:tatoeba-en-fr, task:copy, a file with two columns, or SOURCE,TARGET text files"


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
    if name.startswith("task:"):
        loaded, source, target = generated(name, rows=task_rows, longest=task_length), "source", "target"
    elif files := _parallel_files(name, source, target):
        source, target = source or files[0][1].suffix[1:] or "source", target or files[0][2].suffix[1:] or "target"
        loaded = DatasetDict(
            {split: _zipped(one, other, source, target, table, readings) for split, one, other in files}
        )
    else:
        loaded = load_dataset_dict(dataset, config=config, table=table, readings=readings)
    if "train" not in loaded:
        raise UserError(f"the dataset has no train split, only {listed(loaded)}; there is nothing to train on")
    source, target, nested = _columns(loaded["train"], source, target)
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


def _parallel_files(name: str, source: str | None, target: str | None) -> list[tuple[str, Path, Path]]:
    """(split, source file, target file) of `SOURCE,TARGET`, or of a folder with files as train.en and train.fr."""
    if name.count(",") == 1 and not Path(name).exists():
        one, other = (local_path(part.strip()) for part in name.split(","))
        if kinds.is_table(one) or kinds.is_table(other):
            raise UserError(
                f"{name}: SOURCE,TARGET are two files of plain text, one sentence a line; give one table alone"
            )
        return [("train", one, other)]
    folder = local_path(name)
    if not name or not folder.is_dir():
        return []
    texts = [file for file in sorted(folder.iterdir()) if file.is_file() and not kinds.is_table(file)]
    splits = {ALIASES.get(file.stem.lower(), file.stem.lower()): file.stem for file in texts}
    splits = {split: stem for split, stem in splits.items() if split in ("train", "validation", "test")}
    if "train" not in splits:
        return []
    languages = [file.suffix[1:] for file in texts if file.stem == splits["train"] and file.suffix]
    if source is None or target is None:
        raise UserError(
            f"{name} holds train files that end in {listed(languages)}: say which is the source by source_lang and "
            "which the target by target_lang"
        )
    return [(split, folder / f"{stem}.{source}", folder / f"{stem}.{target}") for split, stem in splits.items()]


def _zipped(
    one: Path,
    other: Path,
    source: str,
    target: str,
    table: TableSettings | None,
    readings: list[Reading] | None,
) -> Dataset:
    columns = {}
    for name, path in ((source, one), (target, other)):
        try:
            reading = Reading(str(path))
            text = read_text(path, table, reading)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); give {PAIR}") from None
        columns[name] = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        reading.rows = len(columns[name])
        if readings is not None:
            readings.append(reading)
    counts = {len(column) for column in columns.values()}
    if len(counts) > 1:
        (a, b) = (len(columns[name]) for name in (source, target))
        raise UserError(
            f"{one} has {a:,} lines but {other} has {b:,}: line by line they must be translations of one another"
        )
    return Dataset.from_dict(columns)


def _columns(rows: Dataset, source: str | None, target: str | None) -> tuple[str, str, str | None]:
    """Names of the source and target column, and of the column they are nested in (`translation`), if any."""
    nested = next((name for name in rows.column_names if _is_translation(rows.features[name])), None)
    if nested is not None:
        feature = rows.features[nested]
        names = list(feature.languages if isinstance(feature, Translation) else feature)
        where = f'column "{nested}"'
    else:
        names, where = [name for name in rows.column_names if _is_text(rows.features[name])], "the dataset"
    for option, name in (("source_lang", source), ("target_lang", target)):
        if name is not None and name not in names:
            raise UserError(f'{option} is "{name}", but {where} has no texts of that name; it has {listed(names)}')
    others = [name for name in names if name not in (source, target) and name.casefold() not in IDS]
    untold = [source, target].count(None)
    if untold and len(others) != untold:  # with neither told, the order of two says which is which
        raise UserError(
            f"{where} has {listed(names) or 'no texts'}: say which is translated by source_lang, and into which by "
            "target_lang"
        )
    others.reverse()
    source, target = source or others.pop(), target or others.pop()
    if source == target:
        raise UserError(f'source_lang and target_lang are both "{source}"; they must be different')
    return source, target, nested


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
