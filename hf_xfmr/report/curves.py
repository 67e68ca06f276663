"""The pictures of a training: loss, learning rate, scores and speed over the steps, each a matplotlib Figure.

A curve has at least two points: one says nothing that a number does not say better. An axis is never so short that
it shows noise as a course.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing.style import FIRST, INK, SECOND, WIDTH, styled
from .language import say
from .names import metric_name

SHORTEST = 0.1  # of an axis, over its largest value: smaller differences look as small as they are


def have_losses(log_history: Sequence[Mapping]) -> bool:
    """Whether `learning_curves` has a curve to show."""
    return any(len(series(log_history, key)) > 1 for key in ("loss", "eval_loss"))


def have_progress(log_history: Sequence[Mapping]) -> bool:
    """Whether `progress_curves` has."""
    return any(len(series(log_history, key)) > 1 for key in ("tokens_per_second", *scores(log_history)))


@styled
def learning_curves(log_history: Sequence[Mapping]) -> Figure:
    """Loss over the steps, of training and (dotted) of each evaluation, and the learning rate below it.

    `log_history` is Trainer's: entries with `step` and any of `loss`, `eval_loss`, `learning_rate`.
    """
    scheduled = len(series(log_history, "learning_rate")) > 1
    figure = Figure(figsize=(WIDTH, 3.6 if scheduled else 2.6), layout="constrained")
    ratios = [2.4, 1] if scheduled else [1]
    loss, *rest = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0]
    _line(loss, log_history, "loss", FIRST, label=say("training"))
    _line(loss, log_history, "eval_loss", SECOND, label=say("validation"), marker="o", linestyle=":")
    loss.set_title(say("loss"))
    if len(loss.lines) > 1:
        loss.legend()
    for rate in rest:
        _line(rate, log_history, "learning_rate", FIRST)
        rate.set_title(say("learning rate"))
        rate.yaxis.set_major_formatter(_short_exponent)
    _finish(loss, *rest)
    for rate in rest:
        rate.set_ylim(bottom=0)
    return figure


def _short_exponent(value: float, _position: int) -> str:
    return re.sub(r"(\.0)?e-0?", "e-", f"{value:.1e}") if value else "0"


@styled
def progress_curves(log_history: Sequence[Mapping]) -> Figure:
    """The first three different `scores` of validation of each scale, and the speed in tokens per second, over the
    steps; those that were measured once are left out."""
    drawn = [[key for key in names if len(series(log_history, key)) > 1]
             for names in (scores(log_history, most=1), scores(log_history, above=1, most=100))]  # fmt: skip
    panels = [names for names in drawn if names]
    timed = len(series(log_history, "tokens_per_second")) > 1
    count = len(panels) + timed
    figure = Figure(figsize=(WIDTH, max(2.4, 1.8 * count)), layout="constrained")
    axes = list(figure.subplots(max(count, 1), 1, sharex=True, squeeze=False)[:, 0])
    for panel, names in zip(axes, panels, strict=False):
        curves = {tuple(series(log_history, name)): name for name in reversed(names)}
        names = sorted(curves.values())[:3]  # of scores that coincide, as accuracy and micro F1 do, the first
        for key, (colour, marker) in zip(names, [(FIRST, "o"), (SECOND, "s"), (INK, "^")], strict=False):
            label = metric_name(key.removeprefix("eval_"))
            _line(panel, log_history, key, colour, label=label, marker=marker)
        panel.set_title(say("validation") + (f": {label}" if len(names) == 1 else ""))
        if len(names) > 1:
            panel.legend()
    if timed:
        _line(axes[-1], log_history, "tokens_per_second", FIRST)
        axes[-1].set_title(say("tokens per second"))
        axes[-1].yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _finish(*axes)
    if timed:
        axes[-1].set_ylim(bottom=0)
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


def _finish(*panels: Axes) -> None:
    for axes in panels:
        axes.grid(axis="y")
        axes.margins(x=0.02, y=0.08)
        _at_least(axes)
    panels[-1].set_xlabel(say("step"))
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))


def _at_least(axes: Axes) -> None:
    """Make the axis `SHORTEST` of its largest value, where what is drawn spans less: around its middle."""
    values = np.concatenate([line.get_ydata() for line in axes.lines]) if axes.lines else np.zeros(0)
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    least = SHORTEST * max(abs(low), abs(high))
    if 0 < least > high - low:
        middle = (low + high) / 2
        axes.set_ylim(middle - least / 2, middle + least / 2)
