"""What a report says of predictions: figures with 95 % intervals, per label, per slice, calibration, worst errors."""

from typing import Any

import numpy as np

from . import bootstrap, calibration
from .results import Predictions

THRESHOLDS = [t / 10 for t in range(1, 10)]
SINGLE_LABEL = ["accuracy", "f1_macro", "f1_weighted", "mcc"]
Estimate = dict[str, float]  # value, low, high


def _estimates(names: list[str], values: np.ndarray, drawn: np.ndarray) -> dict[str, Estimate]:
    low, high = bootstrap.interval(drawn)
    return {
        name: {"value": float(values[i]), "low": float(low[i]), "high": float(high[i])} for i, name in enumerate(names)
    }


def confusion(p: Predictions) -> np.ndarray:
    """Counts [K, K] of gold (row) and predicted (column)."""
    k = len(p.labels)
    return np.bincount(p.gold * k + p.predicted, minlength=k * k).reshape(k, k)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def _precision_recall_f1(hits: np.ndarray, given: np.ndarray, there: np.ndarray) -> np.ndarray:
    """[..., K] each -> [..., 3, K]; NaN where undefined."""
    return np.stack([_ratio(hits, given), _ratio(hits, there), _ratio(2 * hits, given + there)], axis=-2)


def _of_table(table: np.ndarray) -> np.ndarray:
    """[..., K, K] -> [..., 3, K]."""
    return _precision_recall_f1(np.diagonal(table, axis1=-2, axis2=-1), table.sum(-2), table.sum(-1))


def _of_weights(p: Predictions, weights: np.ndarray) -> np.ndarray:
    """[b, N] -> [b, 3, K]."""
    return _precision_recall_f1(*(weights @ hit.astype(float) for hit in (p.gold & p.predicted, p.predicted, p.gold)))


def _single_label_figures(table: np.ndarray) -> np.ndarray:
    """Accuracy, macro F1 (over labels that occur), weighted F1, Matthews correlation: [b, K, K] -> [b, 4]."""
    total, hits = table.sum((1, 2)), np.trace(table, axis1=1, axis2=2)
    given, there = table.sum(1).astype(float), table.sum(2).astype(float)
    f1 = _of_table(table)[:, 2]
    spread = np.sqrt(np.maximum((total**2 - (given**2).sum(1)) * (total**2 - (there**2).sum(1)), 0))
    matthews = np.divide(hits * total - (given * there).sum(1), spread, out=np.zeros(len(table)), where=spread > 0)
    return np.stack([hits / total, np.nanmean(f1, axis=1), np.nansum(f1 * there, 1) / total, matthews], axis=1)


def _multi_label_figures(p: Predictions, weights: np.ndarray) -> np.ndarray:
    """Micro F1, macro F1 (over labels that occur) and the share of rows with all labels right: [b, N] -> [b, 3]."""
    hits, given, there = ((weights @ hit.sum(1)) for hit in (p.gold & p.predicted, p.predicted, p.gold))
    f1 = _of_weights(p, weights)[:, 2]
    macro = np.array([np.nanmean(row) if not np.isnan(row).all() else np.nan for row in f1])
    return np.stack([_ratio(2 * hits, given + there), macro, _mean(weights, right(p))], axis=1)


def _regression_figures(p: Predictions, weights: np.ndarray) -> np.ndarray:
    """Pearson, Spearman, mean absolute and mean squared error: [b, N] -> [b, 4]."""
    gold_ranks, predicted_ranks = (bootstrap.weighted_ranks(values, weights) for values in (p.gold, p.predicted))
    error = p.predicted - p.gold
    return np.stack(
        [
            bootstrap.pearson(p.gold, p.predicted, weights),
            bootstrap.pearson(gold_ranks, predicted_ranks, weights),
            _mean(weights, np.abs(error)),
            _mean(weights, error**2),
        ],
        axis=1,
    )


def _mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    return weights @ values / weights.sum(1)


def right(p: Predictions) -> np.ndarray:
    """Whether a row's label is right, or all its labels: [N]."""
    same = p.gold == p.predicted
    return (same if same.ndim == 1 else same.all(axis=1)).astype(float)


def headline_names(p: Predictions) -> list[str]:
    """The names of what `headline_of_weights` gives."""
    if p.gold.dtype == float:
        return ["pearson", "spearman", "mae", "mse"]
    return ["f1_micro", "f1_macro", "subset_accuracy"] if p.gold.ndim == 2 else SINGLE_LABEL


def headline_of_weights(p: Predictions, weights: np.ndarray) -> np.ndarray:
    """The headline figures with each row counted `weights` times: [b, N] -> [b, F]."""
    if p.gold.dtype == float:
        return _regression_figures(p, weights)
    if p.gold.ndim == 2:
        return _multi_label_figures(p, weights)
    k = len(p.labels)
    cells = p.gold * k + p.predicted
    tables = np.stack([np.bincount(cells, weights=row, minlength=k * k) for row in weights])
    return _single_label_figures(tables.reshape(-1, k, k))


def headline(p: Predictions) -> dict[str, Estimate]:
    """The figures of a whole test set, each with its interval."""
    names = headline_names(p)
    if p.gold.dtype == float or p.gold.ndim == 2:
        drawn = bootstrap.resample(lambda w: headline_of_weights(p, w), bootstrap.weights(len(p)))
        return _estimates(names, headline_of_weights(p, np.ones((1, len(p))))[0], drawn)
    table = confusion(p)
    drawn = bootstrap.resample(_single_label_figures, bootstrap.counts(table))
    return _estimates(names, _single_label_figures(table[None])[0], drawn)


def per_label(p: Predictions) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each label, with intervals and the number of rows that bear it."""
    if p.gold.ndim == 2:
        rows, values = p.gold.sum(0), _of_weights(p, np.ones((1, len(p))))[0]
        drawn = bootstrap.resample(lambda w: _of_weights(p, w), bootstrap.weights(len(p)))
    else:
        table = confusion(p)
        rows, values = table.sum(1), _of_table(table)
        drawn = bootstrap.resample(_of_table, bootstrap.counts(table))
    names = ["precision", "recall", "f1"]
    return [
        {"label": label, "rows": int(rows[k]), **_estimates(names, values[:, k], drawn[:, :, k])}
        for k, label in enumerate(p.labels)
    ]


def slices(p: Predictions) -> dict[str, list[dict[str, Any]]]:
    """Accuracy (regression: mean absolute error) by quarter of length in tokens, and of rows cut and not, if any is."""
    values, out = (np.abs(p.gold - p.predicted) if p.gold.dtype == float else right(p)), {}
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
    drawn = bootstrap.resample(lambda w: _mean(w, values)[:, None], bootstrap.weights(len(values)))
    return {"slice": name, "rows": len(values), **_estimates(["figure"], values.mean(keepdims=True), drawn)}


def worst(p: Predictions, *, most: int = 50) -> list[dict[str, Any]]:
    """The rows most wrong: highest probability on a wrong label, or largest error. `score` is that figure."""
    if p.gold.dtype == float:
        score = np.abs(p.predicted - p.gold)
    elif p.probabilities is None:
        score = 1 - right(p)
    elif p.gold.ndim == 2:
        score = np.where(p.gold != p.predicted, np.abs(p.probabilities - p.gold), 0).max(axis=1)
    else:
        score = np.where(p.gold != p.predicted, p.probabilities[np.arange(len(p)), p.predicted], 0)
    order = [i for i in np.argsort(-score, kind="stable")[:most] if score[i] > 0]
    return [
        {
            "id": p.ids[i],
            "text": p.texts[i],
            "text_pair": p.pairs[i] if p.pairs else None,
            "gold": p.names(p.gold[i]),
            "predicted": p.names(p.predicted[i]),
            "score": float(score[i]) if p.gold.dtype == float or p.probabilities is not None else None,
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
    return found


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

    Two labels: a row for each of THRESHOLDS, all for the second label. Several labels: for each a row at 0.5. With
    validation rows also one, `chosen`, for that of highest F1 on them. None for other problems.
    """
    several = p.gold.ndim == 2
    scaled = _scaled(p, temperature)
    if scaled is None or not (several or len(p.labels) == 2):
        return None
    on_validation = _scaled(validation, temperature) if validation is not None else None
    rows: list[dict[str, Any]] = []
    for k, label in enumerate(p.labels) if several else [(1, p.labels[1])]:
        gold = p.gold[:, k] if several else p.gold == k
        given = dict.fromkeys([0.5] if several else THRESHOLDS, False)
        if validation is not None and on_validation is not None:
            validation_gold = validation.gold[:, k] if several else validation.gold == k
            best = calibration.best_threshold(on_validation[:, k], validation_gold)
            if best is not None:  # the one that reads the same, if there is
                given[next((t for t in given if abs(t - best) < 0.0005), best)] = True
        for threshold in sorted(given, key=lambda t: (several and given[t], t)):
            figures = calibration.at_threshold(scaled[:, k], gold, threshold)
            rows.append({"label": label, "chosen": given[threshold], **figures})
    return rows


def _scaled(p: Predictions, temperature: float | None) -> np.ndarray | None:
    if p.probabilities is None or temperature is None:
        return p.probabilities
    return calibration.scale(p.probabilities, temperature, several=p.gold.ndim == 2)
