"""Thresholds fitted on validation rows: for the highest F1, for a precision or a recall, or for the least cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...data.wording import listed
from ...errors import UserError
from . import costs
from .answers import WHOLE
from .calibration import at_threshold
from .decisions import Decision
from .problem import Problem

LEAST = 10  # rows that bear a label, or get it, under which a threshold says nothing


@dataclass(kw_only=True)
class DecisionSettings:
    """From when on a label is answered; nothing said: the likeliest label, and of several those from 0.5 on."""

    best_f1: bool = field(default=False, metadata={"help": "thresholds of highest F1 on the validation rows"})
    target_precision: float | None = field(
        default=None, metadata={"help": "thresholds of highest recall among those of this precision, as 0.9"}
    )
    target_recall: float | None = field(
        default=None, metadata={"help": "thresholds of highest precision among those of this recall, as 0.95"}
    )
    costs: str | None = field(
        default=None,
        metadata={"help": "a .csv or .yaml file of what each wrong answer costs; the least expected cost decides"},
    )
    decision_labels: str | None = field(
        default=None,
        metadata={"help": "labels that get a threshold, as spam,fraud; none: all, and of two the second"},
    )


def wish(settings: Any) -> str | None:
    """What is wished for: best_f1, target_precision, target_recall or costs; None: nothing. Raises `UserError` for more
    than one, and for a share that can't be."""
    told = [
        name
        for name in ("best_f1", "target_precision", "target_recall", "costs")
        if getattr(settings, name) not in (None, False)
    ]
    if len(told) > 1:
        raise UserError(f"{told[0]} and {told[1]} are both given: leave one of them out")
    for name in ("target_precision", "target_recall"):
        share = getattr(settings, name)
        if share is not None and not 0 < share <= 1:  # NaN too
            raise UserError(f"{name} is {share}; it must be above 0 and at most 1")
    if settings.decision_labels and (not told or told[0] == "costs"):
        raise UserError(
            "decision_labels names labels, but not what their thresholds are for: add --best_f1 true, "
            "--target_precision 0.9 or --target_recall 0.9"
        )
    return told[0] if told else None


def labels_of(settings: Any, problem: Problem) -> list[str]:
    """The labels that get a threshold. Raises `UserError` for labels that are not there, too many, or too few told."""
    kind, names = wish(settings), problem.label_names
    if not problem.has_names:
        raise UserError(f"{kind} is given, but ratings are not decided: leave it out")
    if len(names) > WHOLE:
        instead = (
            "and cut the probabilities of the answers where you like"
            if problem.several
            else "and have unsure answers instead: hf_xfmr predict --abstain_below 0.9"
        )
        raise UserError(
            f"{kind} is given, but of more than {WHOLE} labels ({len(names):,}) no run keeps the probabilities of all, "
            f"from which thresholds are fitted: leave it out, {instead}"
        )
    if settings.decision_labels:
        return _told(settings.decision_labels, names)
    if problem.several or kind == "costs":
        return list(names)
    if len(names) == 2:
        return [names[1]]
    if kind == "target_precision":
        return list(names)
    raise UserError(
        f"{kind} of {len(names)} labels, of which a row has one, needs to know whose: name it, as in "
        f'--decision_labels "{names[-1]}" (labels: {listed(names)})'
    )


def _told(text: str, names: Sequence[str]) -> list[str]:
    given = [text] if text in names else [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in given if name not in names]:
        raise UserError(f'decision_labels: there is no label "{unknown[0]}"; the labels are {listed(names)}')
    return list(dict.fromkeys(given))


def check(settings: Any, problem: Problem, splits: Mapping[str, Any] | None = None) -> None:
    """Whether what is wished for can be, before anything is trained; `splits` hold the encoded `labels`. Raises
    `UserError`."""
    kind = wish(settings)
    if kind is None:
        return
    labels = labels_of(settings, problem)
    if kind == "costs":
        costs.read(settings.costs, problem.label_names, several=problem.several)
    elif kind != "target_precision" and not problem.several and len(labels) > 1:
        raise UserError(
            f"decision_labels names {len(labels)} labels, and {kind} of several can't be had at once where a row has "
            "one: name one, or give --target_precision"
        )
    if splits is None:
        return
    if lacking := [name for name in ("validation", "test") if name not in splits]:
        raise UserError(
            f"{kind} is fitted on validation rows and measured on test rows, and there is no {lacking[0]}: give "
            f"--{lacking[0]}_fraction 0.1"
        )
    if kind != "costs" and _needs(settings, problem):
        gold = problem.gold_of(problem.array(splits["validation"]["labels"][:]))
        for label in labels:
            _check_rows(problem, gold, label, is_told=True)


def _needs(settings: Any, problem: Problem) -> bool:
    """Whether each label must get a threshold: of several labels, none of which is named, rare ones keep 0.5."""
    return bool(settings.decision_labels) or not problem.several


def _check_rows(problem: Problem, gold: Any, label: str, *, is_told: bool) -> bool:
    there = int(problem.holds(gold, problem.ids[label]).sum())
    if there < LEAST and is_told:
        raise UserError(
            f'only {there} of {len(gold):,} validation rows bear "{label}", and a threshold takes {LEAST} at least: '
            "name other labels with --decision_labels, or hold out more rows (--validation_fraction 0.2)"
        )
    return there >= LEAST


def fit(settings: Any, problem: Problem, probabilities: np.ndarray, gold: Any) -> tuple[Decision, dict] | None:
    """The decision that is wished for, fitted on calibrated probabilities [N, K] of validation rows and their `gold`;
    and the record of it for run.json: `for`, `target`, `rows`, and of each label `threshold` and what it gives on these
    rows. None where nothing is wished for. Raises `UserError` for too few rows, and a target out of reach."""
    kind = wish(settings)
    if kind is None:
        return None
    check(settings, problem)
    names = tuple(problem.label_names)
    record: dict[str, Any] = {"for": kind, "target": None, "rows": len(gold), "by_label": []}
    if kind == "costs":
        told = costs.read(settings.costs, names, several=problem.several)
        record["file"] = Path(settings.costs).name
        if not problem.several:
            return Decision(names, False, costs=told), record
    else:
        told = {}
        record["target"] = getattr(settings, kind) if kind != "best_f1" else None
    thresholds: dict[str, float] = {}
    beyond: dict[str, str] = {}
    for label in labels_of(settings, problem):
        if not _check_rows(problem, gold, label, is_told=_needs(settings, problem)):
            continue
        share, holds = probabilities[:, problem.ids[label]], problem.holds(gold, problem.ids[label])
        found = threshold(share, holds, kind, record["target"], told.get(label))
        if isinstance(found, str):
            beyond[label] = found
            continue
        thresholds[label] = found
        record["by_label"].append({"label": label, **at_threshold(share, holds, found)})
    if beyond:
        more = f" and {len(beyond) - 1} more labels" if len(beyond) > 1 else ""
        label, reason = next(iter(beyond.items()))
        raise UserError(
            f'{kind} {record["target"]} is out of reach on the validation rows for "{label}" ({reason}){more}: give a '
            "lower one, or other --decision_labels"
        )
    if not thresholds:
        raise UserError(
            f"no label is borne by {LEAST} of the {len(gold):,} validation rows, so that none can get a threshold: "
            "hold out more rows (--validation_fraction 0.2)"
        )
    return Decision(names, problem.several, thresholds=thresholds), record


def threshold(
    share: np.ndarray, holds: np.ndarray, kind: str, target: float | None, cost: dict[str, float] | None = None
) -> float | str:
    """The threshold of probabilities [N] that is best for bool [N], half-way to the next lower probability; or why
    there is none, in words.

    best_f1: highest F1. target_precision: highest recall of those that precise, where LEAST rows get the label at
    least. target_recall: fewest rows of those that find so many. costs: least of `missed` and `false_alarm`.
    """
    order = np.argsort(-share, kind="stable")
    ranked, hits = share[order], np.cumsum(holds[order])
    following = np.append(ranked[1:], 0.0)
    ends = np.flatnonzero(ranked != following) if len(ranked) else np.array([], int)  # equal ones stand on one side
    given, total = ends + 1, int(holds.sum())
    hits = hits[ends]
    if kind == "target_precision":
        precision = np.where(given >= LEAST, hits / given, -1.0)
        good = np.flatnonzero(precision >= (target or 0.0))
        if not len(good):
            best = precision.max(initial=-1.0)
            return "too few rows" if best < 0 else f"at most {best:.3f}, of {given[precision.argmax()]:,} rows"
        place = good[np.lexsort((given[good], -hits[good]))[0]]
    elif kind == "target_recall":
        place = int(np.argmax(hits >= np.ceil((target or 0.0) * total - 1e-9)))
    elif kind == "costs":
        assert cost is not None
        spent = cost["missed"] * (total - hits) + cost["false_alarm"] * (given - hits)
        if cost["missed"] * total < spent.min() and ranked[0] < 1:
            return float((1 + ranked[0]) / 2)  # never answered costs least
        place = int(spent.argmin())
    else:
        place = int((2 * hits / (given + total)).argmax())
    return float((ranked[ends[place]] + following[ends[place]]) / 2)
