"""Two classification runs compared: McNemar's exact test on accuracy, a paired bootstrap for every other figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ...data.wording import SHOWN
from ...errors import UserError
from ...report import bootstrap
from ...report.comparison import figure, same_rows
from ...report.names import is_lower
from . import predictions
from .predictions import Predictions


def compare(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    """`rows` and `figures` of two predictions files, and their run.json. Raises `UserError` for runs of two kinds."""
    kinds = [run.get("problem_type") for run in runs]
    if kinds[0] != kinds[1]:
        raise UserError(f"{files[0]} is of {kinds[0]} and {files[1]} of {kinds[1]}: compare runs of one kind")
    names = [run.get("label_names") for run in runs]
    a, b = (
        predictions.read(f, problem_type=kind, labels=label, shares=False)
        for f, kind, label in zip(files, kinds, names, strict=True)
    )
    if set(a.labels) != set(b.labels):
        only = [f"{len(set(x) - set(y)):,} of their own" for x, y in ((a.labels, b.labels), (b.labels, a.labels))]
        said = [one.labels if len(one.labels) <= SHOWN else more for one, more in zip((a, b), only, strict=True)]
        raise UserError(f"{files[0]} has the labels {said[0]} and {files[1]} {said[1]}: compare runs of one task")
    order = np.array(same_rows(files, [_keys(one) for one in (a, b)], ["id", "text", "second text", "gold label"]))
    main = a.problem.judged_by(a.gold)
    return {"rows": len(a), "main": main, "figures": _paired(a, _reordered(b, order, a))}


def _keys(p: Predictions) -> list[tuple]:
    """What makes a row of one run the same as one of the other."""
    gold = [p.problem.key(label) for label in p.gold]
    return list(zip(p.ids, p.texts, p.pairs or [""] * len(p), gold, strict=True))


def _reordered(p: Predictions, order: np.ndarray, like: Predictions) -> Predictions:
    """The rows in another order, with labels numbered as in `like`."""
    gold, predicted = (p.problem.renumbered(values[order], like.labels) for values in (p.gold, p.predicted))
    ids, texts = ([values[place] for place in order] for values in (p.ids, p.texts))
    return Predictions(like.problem, ids, texts, None, gold, predicted)


def _paired(p: Predictions, q: Predictions) -> list[dict]:
    """The headline figures, each resample drawing the same rows of both."""
    problem, found, once = p.problem, [], np.ones((1, len(p)))

    def of(one: Predictions, weights: np.ndarray) -> np.ndarray:
        return problem.headline_of_weights(one.gold, one.predicted, weights)

    values = [of(one, once)[0] for one in (p, q)]
    blocks = list(bootstrap.weights(len(p)))
    drawn = [np.concatenate([of(one, block) for block in blocks]) for one in (p, q)]
    for i, name in enumerate(problem.headline_names):
        exact, test = None, "paired bootstrap"
        if name == "accuracy":
            right = [problem.row_figure(one.gold, one.predicted).astype(bool) for one in (p, q)]
            only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
            exact = binomtest(only_b, only_a + only_b).pvalue if only_a + only_b else 1.0
            test = f"McNemar, exact: {only_b:,} rows only B has right, {only_a:,} only A"
        better = "lower" if is_lower(name) else "higher"
        pair = (values[0][i], values[1][i])
        found.append(figure(name, pair, drawn[1][:, i] - drawn[0][:, i], exact, test, better, rows=len(p)))
    return found
