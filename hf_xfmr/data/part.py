"""The rows of a split that a check looks at: all of a small one, a part of a large."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from datasets import Dataset

from .word_lists import is_mostly_chinese

AT_A_TIME = 50_000  # rows whose labels are counted
CHARACTERS = 20_000_000  # of documents, the most that are looked at
LOOKED_AT = 200_000  # characters, and texts, that tell whether they are Chinese
COLUMNS = ("text", "text_pair", "source", "target")


@dataclass(frozen=True)
class Part:
    """The rows of a split that are looked at, of `total` (None: not known before it is read).

    `texts` are columns of equal length; `labels`, if the task has any, names of labels (lists of them where several may
    hold), or floats to regress on; of a sample `label_counts` says how many rows of the whole split have each name.
    `ids` are the dataset's own, or the row's number from 0 in the split it came from. `names` are the dataset's own
    names of `text`, `text_pair` and `label`, where it has others; `are_documents`: a text may be of any length.
    """

    split: str
    total: int | None
    ids: list[str]
    texts: dict[str, list[str]]
    labels: list | None = None
    label_counts: Counter | None = None
    names: dict[str, str] = field(default_factory=dict)
    are_documents: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    def named(self, column: str) -> str:
        """What a column is called in the dataset."""
        return self.names.get(column, column)

    def spread(self, *, rows: int, characters: int) -> "Part":
        """Rows from all over, at most so many and with about so many characters together, but one at least."""
        total = sum(len(text) for column in self.texts.values() for text in column)
        count = max(1, min(rows, len(self), len(self) * characters // max(total, 1)))
        picked = [row * len(self) // count for row in range(count)]
        # Of a long document its beginning.
        texts = {name: [column[row][:characters] for row in picked] for name, column in self.texts.items()}
        labels = [self.labels[row] for row in picked] if self.labels else None
        return replace(self, ids=[self.ids[row] for row in picked], texts=texts, labels=labels)


def part_of_documents(split: str, documents: Iterable[str], most: int) -> Part:
    """The first `most` documents, or as many as have CHARACTERS."""
    texts: list[str] = []
    characters, ended = 0, True
    for text in documents:
        if len(texts) == most or characters > CHARACTERS:
            ended = False
            break
        texts.append(str(text))
        characters += len(texts[-1])
    ids = list(map(str, range(len(texts))))
    return Part(split, len(texts) if ended else None, ids, {"text": texts}, are_documents=True)


def part_of_rows(split: str, rows: Dataset, most: int) -> tuple[Part, Dataset]:
    """At most `most` rows, spread evenly over the split; and what was picked of the dataset."""
    total = len(rows)
    picked: Sequence[int] = [row * total // most for row in range(most)] if total > most else list(range(total))
    rows = rows.select(picked) if total > most else rows
    texts = {name: rows[name][:] for name in COLUMNS if name in rows.column_names}
    ids = rows["id"][:] if "id" in rows.column_names else picked
    return Part(split, total, list(map(str, ids)), texts), rows


def each_label(rows: Iterable) -> Iterator:
    """Of rows with one label each, or a list of them, each label."""
    return (label for row in rows for label in (row if isinstance(row, list) else [row]))


def with_labels(
    part: Part, picked: Sequence, column: Sequence, named: Callable[[Any], list], *, are_names: bool
) -> Part:
    """A part with its labels: `named` gives them for what `picked` and the split's whole `column` hold. Of a sample the
    names are counted in all rows, some at a time."""
    if not are_names or len(column) == len(part):
        return replace(part, labels=named(picked[:]))
    counts: Counter = Counter()
    for start in range(0, len(column), AT_A_TIME):
        counts.update(each_label(named(column[start : start + AT_A_TIME])))
    return replace(part, labels=named(picked[:]), label_counts=counts)


def is_chinese(part: Part) -> bool:
    """Whether most letters of the texts are Chinese characters."""
    text = "".join("".join(column[:LOOKED_AT]) for column in part.texts.values())[:LOOKED_AT]
    return is_mostly_chinese(text)
