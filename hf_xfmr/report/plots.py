"""The pictures of reports and model cards, each a function to a matplotlib Figure; no global state is touched.

`as_svg` gives a figure for a page, in whose light or dark colours it then shows, `save` writes it to a file. Sizes are
those of a phone's screen: a page hardly scales them down, and lays two side by side where it can.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..drawing.style import FAINT, FIRST, INK, ON_FIRST, SECOND, WIDTH, as_svg, fonts_for, save, styled, tick_names
from .names import metric_name

__all__ = [
    "as_svg",
    "confusion_matrix",
    "learning_curves",
    "loss_by_position",
    "progress_curves",
    "reliability",
    "save",
    "scatter",
]


class Bins(Protocol):
    """Decisions grouped by confidence: mean confidence, share that was right, and rows of each bin, [b] each."""

    confidence: np.ndarray
    accuracy: np.ndarray
    rows: np.ndarray


@styled
def learning_curves(log_history: Sequence[Mapping]) -> Figure:
    """Loss over the steps, of training and (dotted) of each evaluation, and the learning rate below it.

    `log_history` is Trainer's: entries with `step` and any of `loss`, `eval_loss`, `learning_rate`.
    """
    scheduled = bool(series(log_history, "learning_rate"))
    figure = Figure(figsize=(WIDTH, 3.6 if scheduled else 2.6), layout="constrained")
    ratios = [2.4, 1] if scheduled else [1]
    loss, *rest = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0]
    _line(loss, log_history, "loss", FIRST, label="training")
    _line(loss, log_history, "eval_loss", SECOND, label="validation", marker="o", linestyle=":")
    loss.set_title("loss")
    if len(loss.lines) > 1:
        loss.legend()
    for rate in rest:
        _line(rate, log_history, "learning_rate", FIRST)
        rate.set_title("learning rate")
        rate.yaxis.set_major_formatter(_short_exponent)
    _finish_curves(loss, *rest)
    return figure


def _short_exponent(value: float, _position: int) -> str:
    return re.sub(r"(\.0)?e-0?", "e-", f"{value:.1e}") if value else "0"


@styled
def progress_curves(log_history: Sequence[Mapping]) -> Figure:
    """The first three different `scores` of validation of each scale, and the speed in tokens per second, over the
    steps."""
    panels = [names for names in (scores(log_history, most=1), scores(log_history, above=1, most=100)) if names]
    timed = bool(series(log_history, "tokens_per_second"))
    count = len(panels) + timed
    figure = Figure(figsize=(WIDTH, max(2.4, 1.8 * count)), layout="constrained")
    axes = list(figure.subplots(max(count, 1), 1, sharex=True, squeeze=False)[:, 0])
    for panel, names in zip(axes, panels, strict=False):
        curves = {tuple(series(log_history, name)): name for name in reversed(names)}
        names = sorted(curves.values())[:3]  # of scores that coincide, as accuracy and micro F1 do, the first
        for key, (colour, marker) in zip(names, [(FIRST, "o"), (SECOND, "s"), (INK, "^")], strict=False):
            label = metric_name(key.removeprefix("eval_"))
            _line(panel, log_history, key, colour, label=label, marker=marker)
        panel.set_title("validation" + (f": {label}" if len(names) == 1 else ""))
        if len(names) > 1:
            panel.legend()
    if timed:
        _line(axes[-1], log_history, "tokens_per_second", FIRST)
        axes[-1].set_title("tokens per second")
        axes[-1].set_ylim(bottom=0)
        axes[-1].yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _finish_curves(*axes)
    return figure


def scores(log_history: Sequence[Mapping], *, above: float = 0, most: float = 100) -> list[str]:
    """The `eval_` keys that are scores, neither loss nor timing, whose largest value is over `above`, at most `most`.

    Accuracy and F1 are at most 1; BLEU and chrF go up to 100. A score that is 0 throughout counts as one up to 1.
    """
    keys = {key for entry in log_history for key in entry if key.startswith("eval_")}
    keys -= {key for key in keys if key.endswith(("_loss", "_runtime", "_per_second"))}
    largest = {key: max((abs(value) for _, value in series(log_history, key)), default=None) for key in sorted(keys)}
    return [k for k, v in largest.items() if v is not None and v <= most and (v > above or above == 0)]


def series(log_history: Sequence[Mapping], key: str) -> list[tuple[float, float]]:
    """The finite values logged under `key`, each with its step, in order of the steps."""
    return sorted((e["step"], e[key]) for e in log_history if _finite(e.get(key)) and "step" in e)


def _finite(value) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def _line(axes: Axes, log_history: Sequence[Mapping], key: str, colour: str, **options) -> None:
    points = series(log_history, key)
    if points:
        steps, values = zip(*points, strict=True)
        options.setdefault("marker", "o" if len(points) == 1 else None)
        axes.plot(steps, values, color=colour, markersize=4, **options)


def _finish_curves(*panels: Axes) -> None:
    for axes in panels:
        axes.grid(axis="y")
        axes.margins(x=0.02, y=0.08)
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))


@styled
def confusion_matrix(counts: np.ndarray, label_names: Sequence[str], *, others: bool = False) -> Figure:
    """Counts [K, K], gold down, predicted across, coloured by the share of their row.

    Labels that cannot stand along an axis (see `tick_names`) are numbered from 1, for a legend beside it. Above
    40 labels the cells bear colours alone. With `others` the last label stands for all others, whose large numbers
    make no cell's but their own small.
    """
    counts, k = np.asarray(counts), len(label_names)
    crowded = k > 40
    names = None if crowded else tick_names(label_names)
    drawn = names or [str(i) for i in range(1, k + 1)]
    longest = max(map(_columns, drawn))
    upright = not names or (k <= 3 and longest <= 12)  # what stands below the columns; else it is turned
    cell = 8 / k if crowded else max(0.3, min(0.55, 4 / k), 2.6 / k)  # inches
    margin = 0.45 + 0.075 * longest
    figure = Figure(figsize=(k * cell + margin, k * cell + (0.5 if upright else margin)), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    largest = counts[:-1, :-1].max() if others else counts.max()

    def size(largest: int) -> float:
        return min(10.0, 72 * cell / (0.75 * len(f"{largest:,}")))

    cells = list(zip(*np.nonzero(counts), strict=True))
    squares = [Rectangle((j - 0.5, i - 0.5), 1, 1) for i, j in cells]
    colours = [to_rgba(FIRST, 0.04 + 0.96 * shares[cell]) for cell in cells]
    axes.add_collection(PatchCollection(squares, facecolors=colours, linewidths=0))
    for i, j in [] if crowded else cells:
        text = f"{counts[i, j]:,}" + (f"\n{shares[i, j]:.0%}" if k <= 6 else "")
        colour = ON_FIRST if shares[i, j] > 0.55 else INK
        axes.text(
            j,
            i,
            text,
            ha="center",
            va="center",
            color=colour,
            fontsize=size(max(largest, counts[i, j])),
            in_layout=False,
        )
    axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal", xlabel="predicted", ylabel="gold")
    family, ticks = fonts_for(drawn), range(9, k, 10) if crowded else range(k)
    axes.set_xticks(ticks, [drawn[i] for i in ticks], family=family, rotation=0 if upright else 90)
    axes.set_yticks(ticks, [drawn[i] for i in ticks], family=family)
    axes.tick_params(which="both", length=0)
    if not crowded:
        axes.set_xticks(np.arange(1, k) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, k) - 0.5, minor=True)
        axes.grid(which="minor")
    return figure


def _columns(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


@styled
def reliability(before: Bins, after: Bins | None = None) -> Figure:
    """How often decisions of each confidence are right, with how many there are; `after` temperature scaling beside."""
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axes, rows = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    low = float(min(b.confidence.min() for b in (before, after) if b is not None))
    axes.plot([low, 1], [low, 1], color=FAINT, linestyle=(0, (4, 3)), linewidth=1, label="perfectly calibrated")
    lines = [
        (before, FIRST, "o", "as predicted" if after else "this model"),
        (after, SECOND, "s", "temperature-scaled"),
    ]
    for bins, colour, marker, label in lines:
        if bins is not None:
            axes.plot(bins.confidence, bins.accuracy, color=colour, marker=marker, markersize=4, label=label)
            rows.plot(bins.confidence, bins.rows, color=colour, marker=marker, markersize=3, linewidth=1)
    axes.set_title("share that is right")
    axes.legend(loc="best")
    rows.set_title("decisions")
    rows.set_ylim(bottom=0)
    rows.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    rows.set_xlabel("confidence")
    for panel in (axes, rows):
        panel.grid(axis="y")
    return figure


@styled
def scatter(gold: np.ndarray, predicted: np.ndarray) -> Figure:
    """Predicted against gold values, [N] each, with the diagonal on which they agree."""
    figure = Figure(figsize=(WIDTH, WIDTH), layout="constrained")
    axes = figure.subplots()
    ends = np.array([min(gold.min(), predicted.min()), max(gold.max(), predicted.max())])
    axes.plot(ends, ends, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
    many = len(gold) > 1000  # thousands of vector points make a page slow
    alpha = float(np.clip(18 / np.sqrt(len(gold)), 0.1, 0.7))
    axes.scatter(gold, predicted, s=9, color=FIRST, alpha=alpha, linewidths=0, rasterized=many)
    axes.set(xlabel="gold", ylabel="predicted", aspect="equal")
    axes.grid()
    return figure


@styled
def loss_by_position(losses: Sequence[float]) -> Figure:
    """Mean loss in nats of the token at each position, [T]: falls as long as more context helps."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(len(losses)), np.asarray(losses, float), color=FIRST, linewidth=1.2)
    axes.set(xlabel="position", title="loss (nats a token)")
    axes.grid(axis="y")
    return figure
