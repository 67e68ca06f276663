"""A corpus of any task -> the texts, labels and ids that the checks look at: all of a small one, a part of a large."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

ROWS = 50_000  # most rows of a split that are looked at
CHARACTERS = 20_000_000  # and of documents most characters
COLUMNS = ("text", "text_pair", "source", "target")


@dataclass(frozen=True)
class Part:
    """The rows of a split that are looked at, of `total` (None: not known before it is read).

    `texts` are columns of equal length; `labels`, if the task has any, names of labels (lists of them where several may
    hold), or floats to regress on. `ids` are the dataset's own, or the row's number from 0 in the split it came from.
    `names` are the dataset's own names of `text`, `text_pair` and `label`, where it has others.
    """

    split: str
    total: int | None
    ids: list[str]
    texts: dict[str, list[str]]
    labels: list | None = None
    names: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def named(self, column: str) -> str:
        """What a column is called in the dataset."""
        return self.names.get(column, column)


def gather(corpus: Any, *, rows: int = ROWS) -> dict[str, Part]:
    """The parts of a corpus by split: of its `documents`, else its `sentences`, else its `splits`."""
    if hasattr(corpus, "documents"):
        return {split: _documents(split, texts, rows) for split, texts in corpus.documents.items()}
    splits = getattr(corpus, "sentences", None) or corpus.splits
    return {split: _rows(split, dataset, corpus, rows) for split, dataset in splits.items()}


def _documents(split: str, documents, most: int) -> Part:
    texts: list[str] = []
    characters, ended = 0, True
    for text in documents:
        if len(texts) == most or characters > CHARACTERS:
            ended = False
            break
        texts.append(str(text))
        characters += len(texts[-1])
    return Part(split, len(texts) if ended else None, list(map(str, range(len(texts)))), {"text": texts})


def _rows(split: str, dataset: Dataset, corpus, most: int) -> Part:
    total = len(dataset)
    picked = [row * total // most for row in range(most)] if total > most else list(range(total))  # spread evenly
    dataset = dataset.select(picked) if total > most else dataset
    texts = {name: dataset[name][:] for name in COLUMNS if name in dataset.column_names}
    labels = _labels(dataset, corpus) if hasattr(corpus, "problem_type") else None
    ids = dataset["id"][:] if "id" in dataset.column_names else picked
    return Part(split, total, list(map(str, ids)), texts, labels, getattr(corpus, "column_names", {}))


def _labels(dataset: Dataset, corpus) -> list:
    labels, names = dataset["labels"][:], corpus.label_names
    if not names:
        return labels
    if corpus.problem_type == "multi_label_classification":
        return [[name for name, holds in zip(names, row, strict=True) if holds] for row in labels]
    return [names[label] for label in labels]


def encoders(corpus: Any) -> dict[str, tuple[Any, Callable[[list[str]], list[list[int]]]]]:
    """For each text column its tokenizer, and a function from texts to their ids without special tokens."""
    if hasattr(corpus, "tokenizers"):
        pair = corpus.tokenizers
        return {
            "source": (pair.source, lambda texts: [ids[:-1] for ids in pair.source_ids(texts)]),
            "target": (pair.target, lambda texts: [ids[:-1] for ids in pair.target_ids(texts)]),
        }
    tokenizer = corpus.tokenizer

    def encode(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]

    return dict.fromkeys(("text", "text_pair"), (tokenizer, encode))


def limit(corpus: Any, settings: Any) -> int | None:
    """Tokens of a row the model reads at most, special tokens included; None where nothing is cut."""
    if hasattr(corpus, "text_window"):
        return corpus.text_window["max_length"]
    return settings.max_length if hasattr(corpus, "tokenizers") else None


def spread(part: Part, *, rows: int, characters: int) -> Part:
    """Rows from all over a part, at most so many and with about so many characters together, but one at least."""
    total = sum(len(text) for column in part.texts.values() for text in column)
    count = max(1, min(rows, len(part), len(part) * characters // max(total, 1)))
    picked = [row * len(part) // count for row in range(count)]
    # Of a long document its beginning.
    texts = {name: [column[row][:characters] for row in picked] for name, column in part.texts.items()}
    labels = [part.labels[row] for row in picked] if part.labels else None
    return Part(part.split, part.total, [part.ids[row] for row in picked], texts, labels, part.names)
