"""How many rows are left, and how many of those are right, if a model may say "unsure": what a report promises."""

from typing import Any

import numpy as np

from ...report.intervals import wilson
from . import calibration
from .decisions import NO_LABEL, Decision, confidence
from .predictions import Predictions
from .promise import STEPS, promised

SHOWN = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # of them those on the page


def counts(p: Predictions, temperature: float | None, decision: Decision) -> dict[str, Any] | None:
    """Of each probability to abstain below, STEPS in all, the rows that are answered and those of them that are right
    (of several labels: all of them), with `rows` in all. None without probabilities of all labels.
    """
    if p.probabilities is None:
        return None
    shares = p.probabilities
    if temperature is not None:
        shares = calibration.scale(shares, temperature, several=p.problem.several)
    chosen = decision(shares)
    sure = np.where(chosen == NO_LABEL, -1.0, confidence(shares, chosen)) if chosen.ndim == 1 else None
    sure = confidence(shares, chosen) if sure is None else sure
    right = np.asarray(p.problem.right(p.gold, chosen)).astype(bool)
    place = np.floor(np.round(sure * STEPS, 9)).astype(int)  # a row is answered up to this step
    answered, hits = (
        [int(one) for one in np.bincount(place[kept], minlength=STEPS + 1)[::-1].cumsum()[::-1][:STEPS]]
        for kept in (place >= 0, (place >= 0) & right)
    )
    return {"rows": len(p), "answered": answered, "right": hits}


def lines(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page shows of `counts`: `abstain_below`, `share` answered, `rows`, and the `accuracy` of those with its
    interval; those probabilities only at which something changes."""
    shown: list[dict[str, Any]] = []
    for limit in SHOWN:
        one = promised(found, limit)
        if one is not None and not (shown and one["rows"] == shown[-1]["rows"]):
            low, high = wilson(one["right"], one["rows"])
            accuracy = {"value": one["right"] / one["rows"], "low": float(low), "high": float(high)}
            shown.append({"abstain_below": limit, **one, "accuracy": accuracy})
    return shown
