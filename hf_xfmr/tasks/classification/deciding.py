"""A run's decision at its end: fitted on validation, in effect in the figures of every split, kept for `predict`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...errors import UserError
from ...report.verdict import remark
from . import decisions, fit_decision
from .decisions import NO_LABEL, Decision
from .problem import Problem


class Decided(NamedTuple):
    """The decision in effect, None for the problem's own; the record for run.json; and what is to be said of it."""

    decision: Decision | None = None
    record: dict[str, Any] | None = None
    said: tuple[str, ...] = ()


def at_the_end(
    settings: Any, problem: Problem, outputs: Mapping[str, Any], gold: Any, temperature: float | None, folder: Any
) -> Decided:
    """What is decided by, fitted on the outputs of `validation` and its encoded `gold`. A target that is out of reach
    does not cost the run: then it is said, and the likeliest label decides."""
    if fit_decision.wish(settings) is None or "validation" not in outputs:
        return Decided()
    shares = problem.probabilities(np.asarray(outputs["validation"], float) / (temperature or 1.0))
    assert shares is not None
    try:
        found = fit_decision.fit(settings, problem, shares, problem.gold_of(gold))
    except UserError as error:
        return Decided(said=(f"decision: {error}", f"  left as it was; another: hf_xfmr decide {folder}"))
    assert found is not None
    decision, record = found
    return Decided(decision, kept(decision, record), tuple(lines(record)))


def kept(decision: Decision, record: dict[str, Any]) -> dict[str, Any]:
    """The record as run.json has it, with the thresholds or costs themselves."""
    return {**record, "thresholds": decision.thresholds, "costs": decision.costs}


def of_record(record: Mapping[str, Any] | None, problem: Problem) -> Decision:
    """The decision that a run.json says is in effect. Raises `UserError` for one that is damaged."""
    found = record or {}
    fields = {f"decision_{name}": found.get(name) for name in ("thresholds", "costs")}
    return decisions.of_config(fields, problem.label_names, several=problem.several, name="run.json")


def fact(record: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a fact of a verdict: what is decided by, and that figures are at it."""
    told = {name: record[name] for name in ("target", "rows", "file") if record.get(name) is not None}
    return {"kind": f"decided_{record['for']}", **told}


def answers(problem: Problem, decision: Decision | None, logits: Any, temperature: float | None) -> np.ndarray | None:
    """What the decision answers to a split's outputs; None: what the problem's own does."""
    if decision is None:
        return None
    shares = problem.probabilities(np.asarray(logits, float) / (temperature or 1.0))
    assert shares is not None
    return decision(shares)


def answered(logits: Any, labels: Any, found: np.ndarray | None) -> tuple[Any, Any, np.ndarray | None]:
    """Outputs, encoded labels and answers of the rows that have an answer; where none has one, of all with the
    problem's own answers, None."""
    if found is None or found.ndim == 2:
        return logits, labels, found
    mask = found != NO_LABEL
    return (logits[mask], labels[mask], found[mask]) if mask.any() else (logits, labels, None)


def lines(record: Mapping[str, Any], most: int = 12) -> list[str]:
    """What is to be said of a decision: for what, and the thresholds with what they give on validation."""
    said = [f"decision: {remark(fact(record), 'en')}"]
    for one in record["by_label"][:most]:
        said.append(
            f"  {one['label']} from {one['threshold']:.3f}: precision {one['precision']:.3f}, recall "
            f"{one['recall']:.3f} on validation"
        )
    if (more := len(record["by_label"]) - most) > 0:
        said.append(f"  and {more:,} more labels")
    return said


def names(decision: Decision | None, found: np.ndarray | None) -> list[str] | None:
    """The answers as the predictions file writes them; None: as the problem does."""
    return None if decision is None or found is None else [decision.name_of(one) for one in found]
