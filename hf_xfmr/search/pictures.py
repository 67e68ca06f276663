"""The course of a search, and how much each setting mattered."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing.lettering import width_of
from ..drawing.style import FAINT, FIRST, SECOND, WIDTH, styled
from ..report.language import say
from ..report.names import metric_name


@styled
def course(record: Mapping[str, Any]) -> Figure:
    """Each trial's figure, and the best so far."""
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    axes = figure.add_subplot()
    ended = [(one["number"], one["value"]) for one in record["trials"] if one["value"] is not None]
    left = [(one["number"], one["at"][max(one["at"])]) for one in record["trials"]
            if one["state"] == "pruned" and one["at"]]  # fmt: skip
    best = min if record["lower"] else max
    so_far = [best(value for _, value in ended[: place + 1]) for place in range(len(ended))]
    axes.step([number for number, _ in ended], so_far, where="post", color=FIRST)
    axes.plot(*zip(*ended, strict=True), "o", color=FIRST, markersize=4)
    if left:
        axes.plot(*zip(*left, strict=True), "x", color=FAINT, markersize=5)
    own = next((one for one in record["trials"] if one["own"] and one["value"] is not None), None)
    if own:
        axes.axhline(own["value"], color=SECOND, linewidth=0.9, linestyle="--")
        axes.annotate(say("own"), (1, own["value"]), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                      color=SECOND, fontsize=8)  # fmt: skip
    axes.set_xlabel(say("trial"))
    axes.set_title(metric_name(record["figure"]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    return figure


@styled
def shares(importance: Mapping[str, float]) -> Figure:
    """A bar for each setting."""
    names, values = list(importance), list(importance.values())
    left = 0.25 + max(map(width_of, names))
    height = 0.25 * len(names) + 0.35
    width = max(WIDTH, left + 2.4)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, 0.15 / height, (width - left - 0.6) / width, (height - 0.2) / height))
    rows = range(len(names))
    axes.barh(rows, values, height=0.6, color=FIRST)
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=4)
    axes.spines["bottom"].set_visible(False)
    for row, value in zip(rows, values, strict=True):
        axes.annotate(f"{value:.0%}", (value, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
    return figure
