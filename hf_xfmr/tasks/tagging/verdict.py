"""What a tagging run's figures mean: entities found, set against a dictionary of train's entities over the same
sentences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from ...report import verdict
from ...report.comparison import outcome
from ...report.contests import f1_of_counts
from ...report.intervals import wilson, wilson_f1
from ...report.verdict import few, leaks, learning
from . import baseline
from .metrics import Tags, entity_counts
from .schemes import entities

FEW = 10  # entities of a type, of which its figures say little


def of_run(
    sentences: Mapping[str, Dataset],
    split: str | None,
    tags: Tags,
    against: Mapping[str, Any] | None,
    history: Sequence[Mapping],
    arguments: Mapping[str, Any],
    *,
    kind: str,
) -> verdict.Verdict:
    """The verdict on the `tags` of a split's sentences (None: nothing is held out). `against` has the `tags` of the
    baseline of this `kind` where it was asked of these sentences; a dictionary is asked in any case."""
    if split is None:
        return verdict.nothing_held_out()
    rows, train = sentences[split], sentences["train"]
    gold = rows["tags"][:]
    ours = counts(gold, tags)
    guesses: list[tuple[str, Tags]] = [("nothing", [["O"] * len(one) for one in gold])]
    if against is None or kind != "dictionary":
        found = baseline.predict("dictionary", train["tokens"][:], train["tags"][:], rows["tokens"][:])[1]
        guesses.append(("dictionary", found))
    if against is not None:
        guesses.append((kind, against["tags"]))
    contests = [(name, f1_of_counts("f1", counts(gold, guess), ours)) for name, guess in guesses]
    rivals = [{"kind": name, **contest[0]} for name, contest in contests]
    interval, value = contests[0][1][1], contests[0][1][0]["b"]
    is_good = all(outcome(one) == "better" for one in rivals)
    leaked = leaks.share_in_train(rows["text"][:], train["text"][:])
    heeded = [
        *leaks.warnings("f1", value, 1.0, leaked, split),
        *learning.warnings(history, arguments, is_good=is_good, is_perfect=value >= 1),
        *few.warnings(rivals[-1], len(rows), "sentences"),
        *_of_types(gold, tags, split),
    ]
    if split == "validation":
        heeded.append({"kind": "validation_only", "try": "--test_fraction 0.1"})
    about: dict[str, Any] = {"rows": len(rows), "unit": "sentences", "split": split, "interval": interval}
    return verdict.judge("f1", value, rivals, **about, warnings=heeded)


def counts(gold: Tags, guess: Tags) -> np.ndarray:
    """Of each sentence: entities that are right, given, there, [N, 3]."""
    return np.array([entity_counts(there, given) for there, given in zip(gold, guess, strict=True)]).reshape(-1, 3)


def headline(gold: Tags, tags: Tags) -> dict[str, dict[str, float]]:
    """F1, precision and recall of entities, with 95 % intervals: of the F1 by bootstrap over sentences, of shares of
    entities by Wilson."""
    each = counts(gold, tags)
    right, given, there = (int(one) for one in each.sum(0))
    found, interval = f1_of_counts("f1", each, each)
    if right in (0, given) and right in (0, there):
        interval = tuple(map(float, wilson_f1(right, given, there)))  # type: ignore[assignment]
    shown = {"f1": {"value": found["b"], "low": interval[0], "high": interval[1]}}
    for name, total in (("precision", given), ("recall", there)):
        if total:
            low, high = wilson(right, total)
            shown[name] = {"value": right / total, "low": float(low), "high": float(high)}
    return shown


def _of_types(gold: Tags, tags: Tags, split: str) -> list[dict]:
    there, given = (Counter(one.type for row in rows for one in entities(row)) for rows in (gold, tags))
    lost = [kind for kind, _ in there.most_common() if not given[kind]]
    found: list[dict] = []
    if lost:
        rows = sum(there[kind] for kind in lost)
        found.append({"kind": "never_found_types", "labels": lost, "rows": rows, "split": split})
    rare = [kind for kind, count in reversed(there.most_common()) if count < FEW]
    if rare and len(rare) < len(there):
        found.append({"kind": "few_of_a_type", "labels": rare, "split": split})
    return found
