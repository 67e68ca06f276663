"""Pictures of attention, and of the table of position signals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from .style import FAINT, FIRST, INK, SECOND, fonts_for, styled

# From nothing to a colour, so that the ground of a page shows through, dark or light.
_SHADES = LinearSegmentedColormap.from_list("shades", [(0, to_rgba(FIRST, 0)), (1, to_rgba(FIRST))])
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging", [(0, to_rgba(FIRST)), (0.5, to_rgba(FIRST, 0)), (0.5, to_rgba(SECOND, 0)), (1, to_rgba(SECOND))]
)
_ROW = 0.19  # inches a token takes along an axis


def labels_for(tokens: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Tokens as an axis can bear them, and the fonts to draw them in: numbers from 1 if no installed font has them."""
    fonts = fonts_for(tokens)
    return (list(tokens), fonts) if fonts else ([str(place + 1) for place in range(len(tokens))], None)


@styled
def attention_maps(
    weights: np.ndarray,
    down: Sequence[str],
    across: Sequence[str],
    *,
    title: str,
    words: tuple[str, str] = ("mean of {} heads", "head {}"),
) -> Figure:
    """Where each token `down` looks among those `across`: the heads' mean, and below it every head by itself.

    weights [H, len(down), len(across)], each row of which sums to 1. `words` say so in another language.
    """
    mean, one = words
    heads = len(weights)
    width, height = 0.9 + _ROW * len(across), 0.9 + _ROW * len(down)
    columns = min(heads, 4 if width < 5 else 2)
    rows = -(-heads // columns)
    small = 0.62  # of the mean's size, without tokens
    figure = Figure(
        figsize=(max(width + 0.7, columns * small * width, 4.4), height + 0.5 + rows * (small * height + 0.2)),
        layout="constrained",
    )
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[height, *[small * height] * rows])
    heat_map(figure.add_subplot(grid[0, :]), weights.mean(0), down, across, title=f"{title}, {mean.format(heads)}")
    for head in range(heads):
        axes = figure.add_subplot(grid[1 + head // columns, head % columns])
        heat_map(axes, weights[head], (), (), title=one.format(head + 1))
    return figure


def heat_map(axes: Axes, weights: np.ndarray, down: Sequence[str], across: Sequence[str], *, title: str) -> None:
    """Draw weights [len(down), len(across)] as cells, the stronger the larger; without tokens no axis is written."""
    axes.imshow(weights, cmap=_SHADES, vmin=0, vmax=max(float(weights.max()), 1e-9), aspect="equal")
    _tokens(axes, down, across)
    axes.set_title(title)
    for spine in axes.spines.values():
        spine.set_visible(True)


def _tokens(axes: Axes, down: Sequence[str], across: Sequence[str]) -> None:
    for tokens, set_ticks, turn in ((down, axes.set_yticks, 0), (across, axes.set_xticks, 90)):
        labels, fonts = labels_for(tokens) if tokens else ([], None)
        set_ticks(range(len(labels)), labels, family=fonts, rotation=turn)
    axes.tick_params(length=0)


@styled
def one_word(
    weights: np.ndarray,
    tokens: Sequence[str],
    at: Sequence[int],
    *,
    title: str,
    words: tuple[str, str] = ("mean", "head"),
) -> Figure:
    """What one word looks at: a line to every token, as strong as the heads' mean attention, and the heads beside it.

    weights [H, T] of the word to each token, `at` the places of its own tokens. `words` name the shares' columns.
    """
    heads, count = weights.shape
    labels, fonts = labels_for(tokens)
    figure = Figure(figsize=(4.4 + 0.16 * heads, 0.9 + 0.21 * count), layout="constrained")
    lines, shares = figure.subplots(1, 2, sharey=True, width_ratios=[2.6, 0.6 + 0.16 * (heads + 1)])
    mean = weights.mean(0)
    strength = mean / max(float(mean.max()), 1e-9)
    start = float(np.mean(at))
    for place in range(count):
        lines.plot(
            [0.28, 0.72], [start, place], color=FIRST, alpha=float(strength[place]), linewidth=2.2, clip_on=False
        )
        lines.text(0.75, place, labels[place], ha="left", va="center", family=fonts)
        chosen = place in at
        colour, weight = (SECOND, "bold") if chosen else (FAINT, "normal")
        lines.text(0.25, place, labels[place], ha="right", va="center", family=fonts, color=colour, weight=weight)
    lines.set(xlim=(0, 1), ylim=(count - 0.5, -0.5))
    lines.set_title(title)
    lines.set_axis_off()
    shares.imshow(
        np.column_stack([mean, weights.T]), cmap=_SHADES, vmin=0, vmax=max(float(weights.max()), 1e-9), aspect="auto"
    )
    shares.axvline(0.5, color=INK, linewidth=0.8)
    shares.set_xticks(range(heads + 1), [words[0], *map(str, range(1, heads + 1))], rotation=90)
    shares.tick_params(length=0, left=False, labelleft=False)
    shares.set_xlabel(words[1])
    return figure


@styled
def position_signals(
    table: np.ndarray, *, words: tuple[str, str, str] = ("dimension", "position", "position signals")
) -> Figure:
    """The sinusoids of section 3.5, [positions, dimensions]: each row is what is added to the word at that position.
    `words` are the labels of both axes and the title."""
    across, down, title = words
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(table, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    axes.set(xlabel=across, ylabel=down, title=title)
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure
