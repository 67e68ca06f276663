"""The pictures of what the check looked at: lengths, labels, vocabulary. Each is a function to a matplotlib Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing.style import FAINT, FIRST, INK, SECOND, WIDTH, fonts_for, styled, tick_names
from .language import say

MOST_LABELS = 20
OTHERS = "(all others)"  # the rows of all labels that a balance does not name


@styled
def lengths(histogram: Mapping[str, Any], limit: int | None) -> Figure:
    """Rows by their length in tokens; what is longer than `limit`, which is dashed, in another colour.

    `histogram` has `edges` [n + 1], `rows` [n] and `longest`; the last bin holds all that is longer too.
    """
    edges, rows = np.asarray(histogram["edges"], float), np.asarray(histogram["rows"], float)
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    colours = [SECOND if limit is not None and left >= limit else FIRST for left in edges[:-1]]
    axes.bar(edges[:-1], rows, width=np.diff(edges) * 0.92, align="edge", color=colours, linewidth=0)
    if limit is not None and limit <= edges[-1]:
        axes.axvline(limit, color=INK, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(f"{limit:,}", (limit, 1), xycoords=("data", "axes fraction"), xytext=(3, -8),
                      textcoords="offset points")  # fmt: skip
    more = histogram["longest"] > edges[-1]
    axes.set_xlabel(
        say("tokens (the last bar: up to {longest})", longest=f"{histogram['longest']:,}") if more else say("tokens")
    )
    axes.set_title(say("rows"))
    axes.set_xlim(0, edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="y")
    return figure


@styled
def label_balance(balance: Mapping[str, Mapping[str, int]]) -> Figure:
    """Share of each label in each split, by the split's name and the label's; the 20 most frequent ones of train.
    The rows of OTHERS count, but are not drawn."""
    train = balance["train"]
    names = [name for name in train if name != OTHERS]
    if len(names) > MOST_LABELS:
        names = sorted(names, key=lambda name: -train[name])[:MOST_LABELS]
    drawn = tick_names(names) or [str(number) for number in range(1, len(names) + 1)]
    splits = list(balance)
    figure = Figure(figsize=(WIDTH, max(1.6, 0.5 + 0.14 * len(names) * (len(splits) + 1))), layout="constrained")
    axes = figure.subplots()
    places, height = np.arange(len(names)), 0.84 / len(splits)
    for number, split in enumerate(splits):
        total = max(sum(balance[split].values()), 1)
        shares = [100 * balance[split][name] / total for name in names]
        bars = axes.barh(places + number * height, shares, height * 0.9, align="edge", label=split, linewidth=0,
                         color=(FIRST, SECOND, FAINT)[number % 3])  # fmt: skip
        if len(names) * len(splits) <= 12:
            axes.bar_label(bars, [f"{balance[split][name]:,}" for name in names], padding=2, fontsize=7, color=INK)
    axes.set_yticks(places + 0.42, drawn, family=fonts_for(drawn))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(say("% of the split's labels"))
    axes.grid(axis="x")
    if len(splits) > 1:
        figure.legend(loc="outside upper left", ncols=len(splits))
    return figure


@styled
def vocabulary_coverage(columns: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Share of the text that the most frequent tokens make up, by their number (logarithmic), for each text column.

    A column has `ranks` and `shares` [n], and how many tokens are `used` of a `vocabulary`.
    """
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    for (name, one), colour, style in zip(columns.items(), (FIRST, SECOND), ("-", ":"), strict=False):
        shares: Sequence[float] = [100 * share for share in one["shares"]]
        used, vocabulary = f"{one['used']:,}", f"{one['vocabulary']:,}"
        label = say("{name}: {used} of {vocabulary} tokens used", name=name, used=used, vocabulary=vocabulary)
        axes.plot(one["ranks"], shares, color=colour, linestyle=style, marker="o", markersize=3, label=label)
    axes.set_xscale("log")
    axes.set_ylim(0, 105)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel=say("most frequent tokens"), title=say("% of the text"))
    axes.legend(loc="lower right")
    axes.grid(axis="y")
    return figure
