"""What a classification run's figures mean: set against what is answered unread and against the baseline, by a paired
test; and what is to be heeded."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from ...report import verdict
from ...report.comparison import outcome
from ...report.verdict import few, leaks, learning
from .calibration import scale, worse
from .deciding import fact
from .problem import Problem
from .regression import Regression

FEW = 10  # rows of a label, of which its figures say little
NAMED = 50  # labels of a warning: of tens of thousands a report would be mostly names
WEAK = 0.5  # F1 of a label that accuracy hides
APART = 0.15  # by which accuracy is above macro F1 where it hides weak labels


def of_run(
    problem: Problem,
    splits: Mapping[str, Dataset],
    split: str | None,
    logits: Any,
    baseline: Mapping[str, Any] | None,
    calibration: Mapping[str, Any] | None,
    history: Sequence[Mapping],
    arguments: Mapping[str, Any],
    settings: Any,
    decision: Mapping[str, Any] | None = None,
    folds: int | None = None,
) -> verdict.Verdict:
    """The verdict on the `logits` of a split (None: nothing is held out), with the `baseline` of `fit_baseline`, the
    fitted `calibration`, and the log and arguments of Trainer. `settings` are the recipe's. A `decision` that was
    fitted is said, and left out of the comparison: a threshold for precision is no worse a model. Of the last of so
    many `folds` validation is all rows, each as the model answered that had not seen it."""
    if split is None:
        return verdict.nothing_held_out()
    gold, train = problem.gold_of(problem.array(splits[split]["labels"][:])), splits["train"]["labels"][:]
    if problem.has_names and not problem.several and np.ptp(gold) == 0:
        return verdict.untold("one_label", try_="--test_fraction 0.2" if split == "test" else None, split=split)
    ours, rows = problem.decided(logits), len(splits[split])
    name = problem.judged_by(gold)
    kind, answer, unread = problem.unread(train, rows)
    found, interval = problem.contest(name, gold, unread, ours)
    rivals = [{"kind": kind, "answer": answer, **found}]
    folded = folds is not None and split == "validation"
    if baseline is not None and (split == "test" or folded):
        rivals.append({"kind": "tfidf", **problem.contest(name, gold, baseline["answers"], ours)[0]})
    one_answer, value = problem.one_answer(ours), found["b"]
    is_good = one_answer is None and all(outcome(one) == "better" for one in rivals)
    easy, is_perfect = _too_easy(rivals), problem.has_names and value >= 1
    taught = learning.warnings(history, arguments, is_good=is_good, is_perfect=is_perfect)
    alone = one_answer is not None and not any(one.get("try") for one in taught)
    leaked = 0.0 if folded else leaks.share_in_train(_texts(splits[split]), _texts(splits["train"]))
    heeded = [
        *([] if easy and not leaked else leaks.warnings(name, 1.0 if is_perfect else 0.0, 1.0, leaked, split)),
        *([{"kind": "one_answer", "answer": one_answer, "try": learning.longer(arguments, history)}] if alone else []),
        *easy,
        *taught,
        *([] if one_answer else few.warnings(rivals[-1], rows, "rows")),
        *_unmeasured(problem, gold, ours, split),
        *_of_labels(problem, gold, ours, name, split, settings, one_answer),
        *(_of_ratings(gold, ours, split) if isinstance(problem, Regression) else []),
        *_of_temperature(problem, logits, gold, calibration, split),
        *([fact(decision)] if decision else []),
    ]
    if folded:
        heeded.append({"kind": "folded", "folds": folds})
    if split == "validation" and not folded:
        heeded.append({"kind": "validation_only", "try": "--test_fraction 0.1"})
    elif baseline is None:
        heeded.append({"kind": "no_baseline", "try": "--baseline true"})
    about: dict[str, Any] = {"rows": rows, "unit": "rows", "split": split, "interval": interval}
    return verdict.judge(name, value, rivals, **about, one_answer=one_answer, warnings=heeded)


def _texts(rows: Dataset) -> list[str]:
    if "text_pair" not in rows.column_names:
        return rows["text"][:]
    return [f"{a}\n{b}" for a, b in zip(rows["text"], rows["text_pair"], strict=True)]


def _too_easy(rivals: list[dict]) -> list[dict]:
    last = rivals[-1]
    perfect = last["name"] != "rmse" and last["a"] == last["b"] == 1
    return [{"kind": "too_easy", "rival": {"kind": last["kind"], "answer": last.get("answer")}}] if perfect else []


def _unmeasured(problem: Problem, gold: Any, ours: Any, split: str) -> list[dict]:
    """Labels that were learned and of which no row was kept to measure on."""
    if not problem.has_names:
        return []
    _, _, there = problem.counts_by_label(gold, ours)
    labels = [name for name, rows in zip(problem.label_names, there, strict=True) if not rows]
    more = "--test_fraction 0.3" if split == "test" else "--validation_fraction 0.3"
    return [{"kind": "unmeasured", **_named(labels), "split": split, "try": more}] if labels else []


def _named(labels: list[str]) -> dict:
    """A warning's labels: the first `NAMED`, and how many there are if that is more."""
    return {"labels": labels[:NAMED]} | ({"in_all": len(labels)} if len(labels) > NAMED else {})


def _of_labels(
    problem: Problem, gold: Any, ours: Any, judged: str, split: str, settings: Any, one_answer: str | None
) -> list[dict]:
    """What the labels' own figures say that the whole hides."""
    if not problem.has_names:
        return []
    weigh = None if problem.several or getattr(settings, "class_weights", None) else "--class_weights auto"
    found: list[dict] = []
    if judged == "f1_macro":
        names, counts = np.unique(gold, return_counts=True)
        accuracy = float((gold == ours).mean())
        answer, most = problem.label_names[names[counts.argmax()]], float(counts.max() / len(gold))
        found.append({"kind": "unbalanced", "share": most, "answer": answer, "accuracy": accuracy})
    _, given, there = problem.counts_by_label(gold, ours)
    names = np.array(problem.label_names, dtype=object)
    order = np.argsort(-there, kind="stable")
    lost = [label for label in order if there[label] and not given[label]]
    if lost and one_answer is None:
        fact = {"kind": "never_found", **_named(names[lost].tolist()), "rows": int(there[lost].sum()), "split": split}
        found.append(fact | {"try": weigh})
    if judged == "accuracy" and one_answer is None:
        found += _hidden(problem, gold, ours, None if lost else weigh)
    rare = [label for label in order[::-1] if 0 < there[label] < FEW]
    if rare and len(rare) < (there > 0).sum():
        found.append({"kind": "few_of_a_label", **_named(names[rare].tolist()), "split": split})
    return found


def _hidden(problem: Problem, gold: Any, ours: Any, weigh: str | None) -> list[dict]:
    names = problem.headline_names
    once = problem.headline_of_weights(gold, ours, np.ones((1, len(gold))))[0]
    accuracy, macro = (float(once[names.index(name)]) for name in ("accuracy", "f1_macro"))
    if accuracy - macro < APART:
        return []
    hits, given, there = problem.counts_by_label(gold, ours)
    f1 = 2 * hits / np.maximum(given + there, 1)
    weak = [label for label in np.argsort(f1, kind="stable") if there[label] and f1[label] < WEAK]
    labels = [problem.label_names[label] for label in weak]
    fact = {"kind": "rare_labels", "accuracy": accuracy, "macro": macro, **_named(labels), "try": weigh}
    return [fact] if labels else []


def _of_ratings(gold: np.ndarray, ours: np.ndarray, split: str) -> list[dict]:
    if np.ptp(gold) == 0:
        return [{"kind": "undefined", "split": split}]
    error = ours - gold
    r2 = float(1 - (error**2).mean() / gold.var())
    if np.ptp(ours) > 0 and r2 < 0.5:
        pearson = float(np.corrcoef(gold, ours)[0, 1])
        if pearson**2 - max(r2, 0) > 0.2 and pearson > 0:
            return [{"kind": "off_scale", "pearson": pearson, "r2": r2, "bias": float(error.mean())}]
    return [{"kind": "negative_r2", "r2": r2}] if r2 < 0 else []


def _of_temperature(problem: Problem, logits: Any, gold: Any, fitted: Mapping | None, split: str) -> list[dict]:
    """Whether the temperature that is kept made the test rows' probabilities worse, and by more than chance."""
    if not fitted or not fitted["kept"] or split != "test" or not isinstance(logits, np.ndarray):
        return []
    own = problem.probabilities(np.asarray(logits, float))
    assert own is not None
    found = worse(own, scale(own, fitted["temperature"], several=gold.ndim == 2), gold)
    if found is None:
        return []
    advice = None if found["chance"] else "predict with --temperature 1"
    return [{"kind": "temperature_worse", **found, "split": split, "try": advice}]
