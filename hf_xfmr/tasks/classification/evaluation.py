"""What a report says of predictions: figures with 95 % intervals, per label, per slice, calibration, worst errors."""

from typing import Any

import numpy as np
from scipy.special import expit, logit

from ...report import bootstrap
from ...report.intervals import wilson, wilson_f1
from . import calibration
from .predictions import Predictions
from .ratios import mean, precision_recall_f1

Estimate = dict[str, float]  # value, low, high
SHARES = {"accuracy", "subset_accuracy"}  # figures that are a share of the rows


def _estimates(names: list[str], values: np.ndarray, drawn: np.ndarray) -> dict[str, Estimate]:
    low, high = bootstrap.interval(drawn)
    return {
        name: {"value": float(values[i]), "low": float(low[i]), "high": float(high[i])} for i, name in enumerate(names)
    }


def headline(p: Predictions) -> dict[str, Estimate]:
    """The figures of a whole test set, each with its interval."""
    found = _estimates(p.problem.headline_names, *p.problem.headline(p.gold, p.predicted))
    right = p.problem.right(p.gold, p.predicted)
    if right is None:
        return found
    low, high = wilson(right.sum(), len(right))
    for name in SHARES & set(found):
        found[name] |= {"low": float(low), "high": float(high)}
    if right.all():  # no resample of rows that are all right has a wrong one
        ends = p.problem.headline_at(float(low), p.gold)
        for name, end in zip(p.problem.headline_names, ends, strict=True):
            found[name] |= {"low": min(float(end), found[name]["value"]), "high": found[name]["value"]}
    return found


def per_label(p: Predictions) -> list[dict[str, Any]] | None:
    """Precision, recall and F1 of each label, with intervals that hold for few rows too, and how many rows bear it;
    None without labels. Of many labels those with most rows."""
    if not p.problem.has_names:
        return None
    shown = list(p.problem.shown_labels(p.gold))
    counts = [one[shown] for one in p.problem.counts_by_label(p.gold, p.predicted)]
    hits, given, there = counts
    values = precision_recall_f1(*counts)
    ends = [wilson(hits, given), wilson(hits, there), wilson_f1(hits, given, there)]
    return [
        {"label": p.labels[label], "rows": int(there[k])}
        | {
            name: {"value": float(values[i, k]), "low": float(ends[i][0][k]), "high": float(ends[i][1][k])}
            for i, name in enumerate(("precision", "recall", "f1"))
        }
        for k, label in enumerate(shown)
    ]


def decided_labels(p: Predictions, fitted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each label with a threshold what it gave on the validation rows (`fitted`: label, threshold, precision,
    recall), and on `p` its precision and recall with intervals; of `p` a row that is unsure has no label."""
    found = []
    for one in fitted:
        label = p.problem.ids[one["label"]]
        given, there = p.problem.holds(p.predicted, label), p.problem.holds(p.gold, label)
        if p.answered is not None:
            given = given & p.answered
        hits = (given & there).sum()
        shares = {}
        for name, of in (("precision", given.sum()), ("recall", there.sum())):
            low, high = wilson(hits, of)
            shares[name] = {"value": float(hits / of) if of else float("nan"), "low": float(low), "high": float(high)}
        kept = {name: one[name] for name in ("label", "threshold")}
        found.append({**kept, "validation": {name: one[name] for name in shares}, **shares})
    return found


def slices(p: Predictions) -> dict[str, list[dict[str, Any]]]:
    """The mean of the problem's `row_figure` by quarter of length in tokens, and of rows cut and not, if any is."""
    values, out = p.problem.row_figure(p.gold, p.predicted), {}
    if p.tokens is not None:
        edges = np.unique(np.quantile(p.tokens, [0.25, 0.5, 0.75], method="nearest"))
        quarter = np.searchsorted(edges, p.tokens, side="left")
        members = [quarter == i for i in range(len(edges) + 1)]
        spans = [(int(p.tokens[m].min()), int(p.tokens[m].max())) if m.any() else None for m in members]
        out["length"] = [
            _slice(f"{span[0]:,}–{span[1]:,} tokens" if span[0] < span[1] else f"{span[0]:,} tokens", values[member])
            for span, member in zip(spans, members, strict=True)
            if span
        ]
    if p.cut is not None and p.cut.any():
        parts = [("whole", ~p.cut), ("cut", p.cut)]
        out["truncation"] = [_slice(name, values[member]) for name, member in parts if member.any()]
    return out


def _slice(name: str, values: np.ndarray) -> dict[str, Any]:
    if np.isin(values, (0, 1)).all():
        low, high = wilson(values.sum(), len(values))
        figure = {"value": float(values.mean()), "low": float(low), "high": float(high)}
        return {"slice": name, "rows": len(values), "figure": figure}
    drawn = bootstrap.resample(lambda w: mean(w, values)[:, None], bootstrap.weights(len(values)))
    return {"slice": name, "rows": len(values), **_estimates(["figure"], values.mean(keepdims=True), drawn)}


def worst(p: Predictions, *, most: int = 50) -> list[dict[str, Any]]:
    """The rows most wrong: highest probability on a wrong label, or largest error. `score` is that figure."""
    shares = p.probabilities if p.confidence is None else p.confidence
    score, tells = p.problem.wrongness(p.gold, p.predicted, shares)
    order = [i for i in np.argsort(-score, kind="stable")[:most] if score[i] > 0]
    return [
        {
            "id": p.ids[i],
            "text": p.texts[i],
            "text_pair": p.pairs[i] if p.pairs else None,
            "gold": p.problem.shown(p.gold[i]),
            "predicted": p.problem.shown(p.predicted[i]),
            "score": float(score[i]) if tells else None,
            "tokens": int(p.tokens[i]) if p.tokens is not None else None,
            "cut": bool(p.cut[i]) if p.cut is not None else None,
        }
        for i in order
    ]


def calibrate(
    p: Predictions, validation: Predictions | None, *, told: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Calibration error and likelihood on `p`, before and after the temperature fitted on `validation`; and whether the
    temperature is `kept`, since it makes validation likelier by more than chance.

    `told` is what the run says of itself, {"temperature", "kept"}: it fitted on probabilities that are not rounded.
    None without probabilities. `temperature` and `after` are None where no temperature can be fitted.
    """
    if p.confidence is not None:
        return _of_confidence(p, told)
    if p.probabilities is None:
        return None
    found: dict[str, Any] = {"temperature": None, "kept": False, "validation": None, "after": None}
    found["before"] = _calibration_figures(p.probabilities, p.gold)
    if validation is None or validation.probabilities is None:
        return found
    on, gold = validation.probabilities, validation.gold
    temperature = told["temperature"] if told else calibration.fit_temperature(on, gold)
    if temperature is not None:
        scaled = [calibration.scale(rows, temperature, several=gold.ndim == 2) for rows in (p.probabilities, on)]
        found["temperature"] = temperature
        found["kept"] = told["kept"] if told else calibration.helps(on, gold, temperature)
        found["after"] = _calibration_figures(scaled[0], p.gold)
        likelihoods = (calibration.negative_log_likelihood(rows, gold) for rows in (on, scaled[1]))
        found["validation"] = dict(zip(("before", "after"), likelihoods, strict=True))
        worse = calibration.worse(p.probabilities, scaled[0], p.gold)
        if found["kept"] and worse is not None:
            found["note"] = {"kind": "temperature_worse", **worse, "split": "test"}
    return found


def _of_confidence(p: Predictions, told: dict[str, Any] | None) -> dict[str, Any]:
    """`calibrate` where the file has the likeliest labels alone: as predicted, and what the run says of its own fit."""
    assert p.confidence is not None
    right = np.asarray(p.problem.right(p.gold, p.predicted)).astype(bool)
    bins = calibration.equal_bins(p.confidence, right)
    found: dict[str, Any] = {"temperature": None, "kept": False, "validation": None, "after": None}
    found["before"] = {
        "expected_calibration_error": bins.error,
        "adaptive_calibration_error": calibration.adaptive_bins(p.confidence, right).error,
        "negative_log_likelihood": None if p.likelihood is None else calibration.mean_surprise(p.likelihood),
        "bins": bins,
    }
    return found | (told or {})


def _calibration_figures(probabilities: np.ndarray, gold: np.ndarray) -> dict[str, Any]:
    bins = calibration.reliability(probabilities, gold)
    return {
        "expected_calibration_error": bins.error,
        "adaptive_calibration_error": calibration.adaptive_reliability(probabilities, gold).error,
        "negative_log_likelihood": calibration.negative_log_likelihood(probabilities, gold),
        "bins": bins,
    }


def thresholds(
    p: Predictions, validation: Predictions | None, temperature: float | None
) -> list[dict[str, Any]] | None:
    """What other thresholds than 0.5 give on `p`, on temperature-scaled probabilities if there is a temperature.

    `threshold` is of the probabilities that `predict` gives, `unscaled_threshold` the same one in those of the
    predictions file and `pipeline`. A row for each label and probability of the problem's `thresholds`; with validation
    rows also one, `chosen`, for that of highest F1 on them. None for problems without.
    """
    scaled = _scaled(p, temperature)
    tried = p.problem.thresholds()
    if scaled is None or not tried:
        return None
    on_validation = _scaled(validation, temperature) if validation is not None else None
    rows: list[dict[str, Any]] = []
    for k, grid in tried:
        gold, given = p.problem.holds(p.gold, k), dict.fromkeys(grid, False)
        if validation is not None and on_validation is not None:
            best = calibration.best_threshold(on_validation[:, k], p.problem.holds(validation.gold, k))
            if best is not None:  # the one that reads the same, if there is
                given[next((t for t in given if abs(t - best) < 0.0005), best)] = True
        for threshold in sorted(given, key=lambda t: (p.problem.several and given[t], t)):
            figures = calibration.at_threshold(scaled[:, k], gold, threshold)
            own = threshold if temperature is None else float(expit(logit(threshold) * temperature))
            rows.append({"label": p.labels[k], "chosen": given[threshold], **figures, "unscaled_threshold": own})
    return rows


def _scaled(p: Predictions, temperature: float | None) -> np.ndarray | None:
    if p.probabilities is None or temperature is None:
        return p.probabilities
    return calibration.scale(p.probabilities, temperature, several=p.gold.ndim == 2)
