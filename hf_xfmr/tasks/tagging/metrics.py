"""Entity-level figures of tagged sentences, by seqeval: an entity counts if its type and both its ends are right."""

from collections import Counter
from collections.abc import Sequence

from seqeval import metrics

from ...data.wording import short
from .schemes import entities

TYPES = "types.csv"
WHOLE = 100  # the most types of which the report has all
TYPES_SHOWN = 30  # rows of a table for the terminal

Tags = Sequence[Sequence[str]]


def tagging_metrics(gold: Tags, predicted: Tags) -> dict[str, float]:
    """`f1`, `precision` and `recall` over all entities (micro), `f1_macro` over the types, and the `accuracy` of words.

    Both are BIO tags of each sentence's words, read as conlleval reads them. 0 where nothing was predicted or there.
    """
    options = {"zero_division": 0}
    return {
        "f1": float(metrics.f1_score(gold, predicted, **options)),
        "precision": float(metrics.precision_score(gold, predicted, **options)),
        "recall": float(metrics.recall_score(gold, predicted, **options)),
        "f1_macro": float(metrics.f1_score(gold, predicted, average="macro", **options)),
        "accuracy": float(metrics.accuracy_score(gold, predicted)),
    }


def entity_counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """Of one sentence: entities found that are right, entities found, entities there."""
    there, found = set(entities(gold)), set(entities(predicted))
    return len(there & found), len(found), len(there)


def per_type(gold: Tags, predicted: Tags, baseline: Tags | None = None) -> list[dict]:
    """Of each type: how many entities there are and were `found`, `precision`, `recall`, `f1`, the baseline's `f1`."""

    def table(guesses: Tags) -> dict:
        return metrics.classification_report(gold, guesses, output_dict=True, zero_division=0)

    ours, theirs = table(predicted), table(baseline) if baseline is not None else {}
    found = Counter(entity.type for tags in predicted for entity in entities(tags))
    return [
        {
            "type": kind,
            "entities": int(row["support"]),
            "found": found[kind],
            "precision": float(row["precision"]),
            "recall": float(row["recall"]),
            "f1": float(row["f1-score"]),
            "baseline_f1": float(theirs[kind]["f1-score"]) if kind in theirs else None,
        }
        for kind, row in ours.items()
        if not kind.endswith(" avg")
    ]


def most(rows: list[dict]) -> list[dict]:
    """Of `per_type` the types with most entities."""
    return sorted(rows, key=lambda row: -row["entities"])[:TYPES_SHOWN]


def format_table(rows: list[dict], *, file: str | None = None) -> list[str]:
    """`per_type` as lines of a table; of many types those with most entities (all are in a `file`, if there is one)."""
    shown = most(rows) if len(rows) > TYPES_SHOWN else rows
    rest, rows = len(rows) - len(shown), [row | {"type": short(row["type"])} for row in shown]
    width = max(8, *(len(row["type"]) for row in rows)) if rows else 8
    lines = [f"{'type':<{width}}  precision  recall     f1  entities"]
    lines += [
        f"{row['type']:<{width}}  {row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:5.3f}  {row['entities']:8,}"
        for row in rows
    ]
    where = f"; all are in {file}" if file else ""
    return [*lines, f"and {rest:,} more types of fewer entities{where}"] if rest else lines
