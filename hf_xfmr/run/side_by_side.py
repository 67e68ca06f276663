"""A student and its teacher side by side: what each scores, how fast it is, in turns, and how large."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch

from ..report import bootstrap
from ..report.intervals import wilson

Drawn = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
TURNS = 5  # of each model, in which one follows the other


def beside(
    about: Mapping[str, Any],
    scores: Mapping[str, float],
    models: Mapping[str, Any],
    turns: Mapping[str, Callable[[], Any]],
    count: int,
    *,
    drawn: Drawn | None = None,
    unit: str = "rows",
    lower: bool = False,
    more: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """What run.json keeps as `distilled` of `student` and `teacher`: the score of each and the share kept (of one that
    is better `lower` the teacher's by the student's), `count` rows or tokens a second of both in float32 (medians of
    TURNS, taken in turns), and their sizes. `about`: name, split, rows, figure; `more`: further figures, of each the
    score of both. `drawn` gives the scores of student and teacher [b] each of rows drawn `weights` [b, rows] times:
    `kept_low` and `kept_high` are the 95 % interval by it."""
    speeds = {who: count / seconds for who, seconds in _medians(turns).items()}
    over, under = ("teacher", "student") if lower else ("student", "teacher")
    low, high = (None, None) if drawn is None else _interval(drawn, about["rows"], lower)
    sizes = {who: sum(one.numel() for one in model.parameters()) for who, model in models.items()}
    return {
        **about,
        "unit": unit,
        **{
            who: {
                about["figure"]: scores[who],
                **{name: both[who] for name, both in (more or {}).items()},
                "per_second": speeds[who],
                "parameters": sizes[who],
            }
            for who in ("student", "teacher")
        },
        "lower": lower,
        "more": list(more or {}),
        "kept": scores[over] / scores[under] if scores[under] else None,
        "kept_low": low,
        "kept_high": high,
        "times": speeds["student"] / speeds["teacher"],
        "threads": torch.get_num_threads(),
        "turns": TURNS,
    }


def _interval(drawn: Drawn, rows: int, lower: bool) -> tuple[float | None, float | None]:
    """The ends of the share kept by a paired bootstrap over the rows; None of so few that they tell nothing."""
    if rows < bootstrap.FEWEST:
        return None, None
    student, teacher = (np.concatenate(one) for one in zip(*map(drawn, bootstrap.weights(rows)), strict=True))
    over, under = (teacher, student) if lower else (student, teacher)
    kept = np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)
    if np.isnan(kept).all():
        return None, None
    low, high = map(float, bootstrap.interval(kept))
    if low == high:  # both answer alike; what is seen in none of the rows may be so often in others
        unseen = float(wilson(0, rows)[1])
        low, high = low * (1 - unseen), high * (1 + unseen)
    return low, high


def _medians(turns: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    took: dict[str, list[float]] = {who: [] for who in turns}
    for turn in range(TURNS + 1):
        for who, run in turns.items():
            begun = time.perf_counter()
            run()
            if turn:  # the first is to warm up
                took[who].append(time.perf_counter() - begun)
    return {who: statistics.median(seconds) for who, seconds in took.items()}


def lines(found: Mapping[str, Any] | None) -> Iterable[str]:
    """What is said of it."""
    if found is None:
        return ["student beside teacher: nothing is held out to compare them on; give --test_fraction 0.1"]
    small, large, name = found["student"], found["teacher"], found["figure"]
    low, high = found["kept_low"], found["kept_high"]
    if found["kept"] is None or (found["lower"] and not found["kept"]):
        kept = ""
    elif low is None and found["rows"] < bootstrap.FEWEST and found["unit"] == "rows":
        kept = ", too few rows to say which share is kept"
    elif found["lower"]:  # of an error nothing is kept: it grows
        kept = f", {1 / found['kept']:.2f} times the teacher's"
        kept += f" ({1 / high:.2f} to {1 / low:.2f}; less is better)" if low else " (less is better)"
    else:
        kept = f", {found['kept']:.1%} kept" + ("" if low is None else f" ({low:.0%} to {high:.0%})")
    further = ", ".join(f"{other} {small[other]:.3f} and {large[other]:.3f}" for other in found["more"])
    return [
        f"student beside teacher ({found['split']}, {found['rows']:,} rows): {name} {small[name]:.3f} and "
        f"{large[name]:.3f}{kept}",
        *([f"  {further}"] if further else []),
        f"  {found['times']:.2f} times as fast: {small['per_second']:,.0f} and {large['per_second']:,.0f} "
        f"{found['unit']}/s (float32, threads: {found['threads']}, medians of {found['turns']} turns)",
        f"  parameters: {small['parameters'] / 1e6:,.1f} and {large['parameters'] / 1e6:,.1f} million",
    ]
