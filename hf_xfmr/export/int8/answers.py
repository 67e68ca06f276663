"""The rows of a file of answers, answered by a model anew: what two precisions of one model are compared by.

A file of answers is what a run leaves of its validation rows (`Task.answers`): with what was asked, the gold answer and
the model's. What is written here has the model's in place of that one, for `Task.compare`.
"""

import csv
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ... import engines
from ...engines.batches import by_length
from ...errors import UserError
from ...tasks.classification.classifier import Classifier
from ...tasks.tagging.alignment import align, join, word_tags
from .rows import first_rows

SAMPLE = 128  # rows by which speeds are compared
BATCH = 64


class Work(NamedTuple):
    """What a model said of each row; `sample` answers some of them once more, of so many `units`, to be timed."""

    said: list[Any]
    sample: Callable[[], object]
    units: int
    unit: str


def classify(model: str, rows: Path, out: Path, run: Path, **engine: Any) -> Work:
    """CSV: id, text, text_pair for a model that reads pairs, gold."""
    table = first_rows("classification", rows)
    predictor = Classifier(model, **engine)
    texts = [row["text"] for row in table]
    pairs = [row["text_pair"] for row in table] if table[0].get("text_pair") else None

    def answer(most: int) -> list[Any]:
        return list(predictor(texts[:most], None if pairs is None else pairs[:most], batch_size=BATCH))

    answers = answer(len(texts))
    if any("error" in one for one in answers):
        raise UserError(f"{model} gives no finite numbers to {sum('error' in one for one in answers):,} rows of {rows}")
    said = [one["label"] if "label" in one else one["value"] for one in answers]
    asked = ["text", *(["text_pair"] if pairs else [])]
    write_table(out, ["id", *asked, "gold", "predicted"], table, [{"predicted": one} for one in said])
    return Work(said, partial(answer, SAMPLE), min(SAMPLE, len(said)), "rows")


def tag(model: str, rows: Path, out: Path, run: Path, **options: Any) -> Work:
    """JSON lines: id, tokens (words), gold (their BIO tags)."""
    from transformers import AutoTokenizer

    from ...run import loading

    table = first_rows("tagging", rows)
    tokenizer: Any = loading.from_pretrained(AutoTokenizer, str(run))
    engine = engines.rows(model, "AutoModelForTokenClassification", **options)
    labels, most = engines.labels(engine.config), engines.positions(engine.config) - 2
    joined = [join(row["tokens"], _between(row["tokens"])) for row in table]
    pieces = align([text for text, _ in joined], [starts for _, starts in joined], tokenizer)
    ids = [[tokenizer.cls_token_id, *one.ids[:most], tokenizer.sep_token_id] for one in pieces]

    def names(rows: list[list[int]]) -> list[list[str]]:
        return [
            [labels[label] for label in logits[1 : len(row) - 1].argmax(-1)]
            for row, logits in zip(rows, engine(rows), strict=True)
        ]

    tags = of_like_lengths(names, ids, BATCH)
    said = [
        word_tags(one.word[:most], found, len(row["tokens"]))
        for one, found, row in zip(pieces, tags, table, strict=True)
    ]
    lines = [
        json.dumps({**row, "predicted": found}, ensure_ascii=False) for row, found in zip(table, said, strict=True)
    ]
    out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    sample = partial(of_like_lengths, names, ids[:SAMPLE], BATCH)
    return Work(said, sample, len(ids[:SAMPLE]), "sentences")


def _between(words: Sequence[str]) -> str:
    """What stands between words: nothing where each is a character of its own, as in Chinese."""
    return "" if all(len(word) == 1 for word in words) and not any(word.isascii() for word in words) else " "


def of_like_lengths(
    compute: Callable[[list[list[int]]], Sequence[Any]], ids: Sequence[list[int]], batch_size: int
) -> list[Any]:
    """What `compute` answers to rows of ids, in batches of like lengths."""
    found: list[Any] = [None] * len(ids)
    for batch in by_length(ids, batch_size):
        for row, one in zip(batch, compute([ids[row] for row in batch]), strict=True):
            found[row] = one
    return found


def write_table(path: Path, columns: list[str], rows: list[dict], answers: list[dict], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | answer for row, answer in zip(rows, answers, strict=True))
