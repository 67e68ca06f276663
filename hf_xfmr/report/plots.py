"""The pictures of reports and model cards, each a function to a matplotlib Figure; no global state is touched.

`as_svg` gives a figure for a page, in whose light or dark colours it then shows, `save` writes it to a file. Sizes are
those of a phone's screen: a page hardly scales them down, and lays two side by side where it can.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..drawing.style import FAINT, FIRST, INK, ON_FIRST, SECOND, WIDTH, as_svg, fonts_for, save, styled, tick_names
from .language import say

__all__ = [
    "as_svg",
    "confusion_matrix",
    "loss_by_position",
    "reliability",
    "residuals",
    "save",
    "scatter",
]

LEGIBLE = 30  # labels of a confusion matrix whose counts and names can be read on a page


class Bins(Protocol):
    """Decisions grouped by confidence: mean confidence, share that was right, and rows of each bin, [b] each."""

    confidence: np.ndarray
    accuracy: np.ndarray
    rows: np.ndarray


@styled
def confusion_matrix(counts: np.ndarray, label_names: Sequence[str], *, others: bool = False) -> Figure:
    """Counts [K, K], gold down, predicted across, coloured by the share of their row.

    Labels that cannot stand along an axis (see `tick_names`) are numbered from 1, for a legend beside it. For at most
    `LEGIBLE` labels: of more the largest confusions say more as a list. With `others` the last label stands for all
    others, whose large numbers make no cell's but their own small.
    """
    counts, k = np.asarray(counts), len(label_names)
    names = tick_names(label_names)
    drawn = names or [str(i) for i in range(1, k + 1)]
    longest = max(map(_columns, drawn))
    upright = not names or (k <= 3 and longest <= 12)  # what stands below the columns; else it is turned
    cell = max(0.3, min(0.55, 4 / k), 2.6 / k)  # inches
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
    for i, j in cells:
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
    axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal", xlabel=say("predicted"), ylabel=say("gold"))
    family = fonts_for(drawn)
    axes.set_xticks(range(k), drawn, family=family, rotation=0 if upright else 90)
    axes.set_yticks(range(k), drawn, family=family)
    axes.tick_params(which="both", length=0)
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
    axes.plot([low, 1], [low, 1], color=FAINT, linestyle=(0, (4, 3)), linewidth=1, label=say("perfectly calibrated"))
    lines = [
        (before, FIRST, "o", say("as predicted") if after else say("this model")),
        (after, SECOND, "s", say("temperature-scaled")),
    ]
    for bins, colour, marker, label in lines:
        if bins is not None:
            axes.plot(bins.confidence, bins.accuracy, color=colour, marker=marker, markersize=4, label=label)
            rows.plot(bins.confidence, bins.rows, color=colour, marker=marker, markersize=3, linewidth=1)
    axes.set_title(say("share that is right"))
    axes.legend(loc="best")
    rows.set_title(say("decisions"))
    rows.set_ylim(bottom=0)
    rows.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    rows.set_xlabel(say("confidence"))
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
    axes.set(xlabel=say("gold"), ylabel=say("predicted"), aspect="equal")
    axes.grid()
    return figure


@styled
def residuals(gold: np.ndarray, predicted: np.ndarray) -> Figure:
    """How far above or below gold each prediction is, [N] each: where the model errs, and to which side."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    errors = predicted - gold
    axes.axhline(0, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
    alpha = float(np.clip(18 / np.sqrt(len(gold)), 0.1, 0.7))
    axes.scatter(gold, errors, s=9, color=FIRST, alpha=alpha, linewidths=0, rasterized=len(gold) > 1000)
    edges = np.unique(np.quantile(gold, np.linspace(0, 1, 11)))  # tenths of the rows: the mean error of each
    group = np.clip(np.searchsorted(edges, gold, side="right") - 1, 0, max(len(edges) - 2, 0))
    means = [(gold[group == one].mean(), errors[group == one].mean()) for one in np.unique(group)]
    axes.plot(
        *zip(*means, strict=True), color=SECOND, marker="s", markersize=4, label=say("mean of a tenth of the rows")
    )
    axes.set(xlabel=say("gold"), title=say("predicted minus gold"))
    axes.legend(loc="best")
    axes.grid()
    return figure


@styled
def loss_by_position(losses: Sequence[float]) -> Figure:
    """Mean loss in nats of the token at each position, [T]: falls as long as more context helps."""
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(len(losses)), np.asarray(losses, float), color=FIRST, linewidth=1.2)
    axes.set(xlabel=say("position"), title=say("loss (nats a token)"))
    axes.grid(axis="y")
    return figure
