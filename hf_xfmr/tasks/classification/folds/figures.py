"""The figures of the folds: their mean, their spread, and an interval that heeds how much the folds share.

The runs of k folds share most of their train rows, so that their figures vary less than those of as many models trained
on rows of their own, and an interval of the plain standard error is too narrow; no estimate of the variance is unbiased
(Bengio and Grandvalet, 2004). Nadeau and Bengio (2003) widen it: the variance of the mean is taken to be (1/k + test
rows / train rows) of that of the folds, with k - 1 degrees of freedom. It says how other rows and other beginnings of
as large a training would have turned out; figures of all rows together have the bootstrap's interval, of the rows.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t

from ....data.regular import read_json
from ....run.aside import LOG
from . import left

FEW = 5  # folds, of whose mean a t interval says little


def corrected(values: Sequence[float], *, test: float, train: float) -> dict[str, float]:
    """`mean`, `sd`, and the ends `low` and `high` of the corrected 95 % interval of figures of folds that each were
    measured on `test` rows after learning from `train`. NaN for the ends where all folds have the same figure."""
    k, spread = len(values), stdev(values)
    half = float(t.ppf(0.975, k - 1)) * spread * math.sqrt(1 / k + test / train) if spread else math.nan
    middle = mean(values)
    return {"mean": middle, "sd": spread, "low": middle - half, "high": middle + half}


def summary(folder: Path, of: int) -> dict[str, Any]:
    """Of the `of` runs that left out a fold each: `rows` [{"fold", "train", "test", "epoch", figures...}], `figures`
    {name: `corrected`}, and, if they had a baseline, the same of it and of the `difference`, fold by fold."""
    facts = left.facts(folder, of)
    runs = [read_json(folder / f"fold-{number}" / "run.json", "record of a run") for number in range(1, of + 1)]
    ours = [run["metrics"]["test"] for run in runs]
    theirs = [(run.get("baseline") or {}).get("test") for run in runs]
    sizes = {"test": mean(one["test"] for one in facts), "train": mean(one["train"] for one in facts)}
    found: dict[str, Any] = {
        "of": of,
        "rows": [
            {"fold": at, "train": one["train"], "test": one["test"], "epoch": one["epoch"], "figures": figures}
            for at, (one, figures) in enumerate(zip(facts, ours, strict=True), 1)
        ],
        "figures": _each(ours, sizes),
    }
    if all(theirs):
        baselines: list[dict[str, float]] = [one for one in theirs if one]
        differences = [
            {name: a[name] - b[name] for name in a if a[name] is not None and b.get(name) is not None}
            for a, b in zip(ours, baselines, strict=True)
        ]
        found |= {"baseline": _each(baselines, sizes), "difference": _each(differences, sizes)}
    return found


def _each(figures: Sequence[dict[str, Any]], sizes: dict[str, float]) -> dict[str, dict[str, float]]:
    """Those that every fold has: a null is a figure that the rows did not define."""
    names = [name for name in figures[0] if all(one.get(name) is not None for one in figures)]
    return {name: corrected([one[name] for one in figures], **sizes) for name in names}


def line_of(folder: Path) -> str:
    """What is said of the run of a fold that has ended."""
    from ....report.names import metric_name
    from ....report.verdict.numbers import number

    run = read_json(folder / "run.json", "record of a run")
    name = ((run.get("verdict") or {}).get("claim") or {}).get("figure") or next(iter(run["metrics"]["test"]))
    value, rows = run["metrics"]["test"].get(name), left.of_fold(folder)["test"]
    figure = "no figure" if value is None else f"{metric_name(name)} {number(name, value)}"
    return f"  {figure} on the {rows:,} rows left out, {run['seconds']:.0f} s; {folder / LOG} has what it said"


def lines(found: dict[str, Any], name: str) -> list[str]:
    """What is to be said of them, the figure of that `name` first."""
    from ....report.names import metric_name
    from ....report.verdict.numbers import number, signed

    def shown(one: dict[str, float], say: Any = number) -> str:
        if one["low"] is None or math.isnan(one["low"]):
            return say(name, one["mean"])
        return f"{say(name, one['mean'])} ({say(name, one['low'])} to {say(name, one['high'])})"

    said = f"{metric_name(name)} {shown(found['figures'][name])}"
    against = ""
    if "difference" in found and name in found["difference"]:
        against = f"; TF-IDF's {number(name, found['baseline'][name]['mean'])}, difference "
        against += shown(found["difference"][name], signed)
    by_fold = "  ".join(number(name, row["figures"][name]) for row in found["rows"])
    return [
        f"folds: {said} over {found['of']} folds, every row by a model that had not seen it{against}",
        f"  by fold {by_fold}; sd {found['figures'][name]['sd']:.3f}",
        f"  this interval (95 %, Nadeau and Bengio, 2003) is of the mean of {found['of']} trainings, which",
        "  other trainings might give; the verdict's is of the rows, each answered once.",
        *(["  Of so few folds this one is wide: take the verdict's."] if found["of"] < FEW else []),
    ]
