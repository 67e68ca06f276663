"""Pictures of attention, and of the table of position signals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from . import shares
from .lettering import LINE, labels_for, paragraph, shortened, width_of, wrapped
from .style import FAINT, FIRST, INK, SECOND, fonts_for, styled
from .words import WORDS, Words

# From nothing to a colour, so that the ground of a page shows through, dark or light.
SHADES = LinearSegmentedColormap.from_list("shades", [(0, to_rgba(FIRST, 0)), (1, to_rgba(FIRST))])
_HIDDEN = LinearSegmentedColormap.from_list("hidden", [(0, to_rgba(FAINT, 0)), (1, to_rgba(FAINT, 0.3))])
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging", [(0, to_rgba(FIRST)), (0.5, to_rgba(FIRST, 0)), (0.5, to_rgba(SECOND, 0)), (1, to_rgba(SECOND))]
)
_CELL, _SMALL, _GAP = 0.19, 0.085, 0.3  # inches: of a token along the large map's axis, a head's, and between maps
_FULL = 8  # even shares that get the whole colour; one gets a third of it


def shade(weights: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Weights [..., T, S] as depths of colour, 0 to 1, on the logarithm of even shares: an even map is even, and no
    row outshines another for having less to choose from."""
    return np.clip(np.log2(1 + shares.in_shares(weights, seen)) / np.log2(1 + _FULL), 0, 1)


@styled
def attention_maps(
    weights: np.ndarray,
    down: Sequence[str],
    across: Sequence[str],
    *,
    title: str,
    causal: bool = False,
    words: Words = WORDS["en"],
    as_text: bool = False,
    sentence: str = "",
) -> Figure:
    """Where each token `down` looks among those `across`: the heads' mean with a scale, and below it every head.

    weights [H, len(down), len(across)], each row of which sums to 1. `causal`: no row may see what comes later.
    `sentence` stands above, if given; `as_text`: text will stay text, so tokens need no font.
    """
    seen = shares.visible((len(down), len(across)), causal)
    rows, fonts_down = labels_for(down, as_text)
    columns, fonts_across = labels_for(across, as_text)
    left = 0.3 + max(map(width_of, rows)) + 0.08
    top = 0.3 + max(map(width_of, columns)) + 0.08
    wide, high = _CELL * len(across), _CELL * len(down)
    many = len(weights) if len(weights) > 1 else 0
    small = (max(_SMALL * len(across), 1.35), 0.0)
    small = (small[0], small[0] * len(down) / len(across))
    each = max(1, min(many, 4 if small[0] < 1.9 else 3, int(8.0 // (small[0] + _GAP)))) if many else 1
    width = max(left + wide + 1.5, 0.1 + each * (small[0] + _GAP), 4.6)
    lines = wrapped(sentence, width - 0.2) if sentence else []
    above = len(lines) * LINE + (0.12 if lines else 0) + 1.6 * LINE + top
    step = small[1] + 2.2 * LINE
    height = above + high + 0.15 + -(-many // each) * step
    figure = Figure(figsize=(width, height))
    paragraph(figure, lines, fonts_for([sentence]))
    y = height - above
    figure.text(0.06 / width, (y + top + 0.35 * LINE) / height, _titled(title, many, words), family=fonts_for([title]))
    axes = _axes(figure, left, y - high, wide, high)
    heat_map(axes, shade(weights.mean(0), seen), seen)
    _tokens(axes, rows, fonts_down, columns, fonts_across)
    named = fonts_for([*words.values()])
    figure.text(
        0.12 / width,
        (y - high / 2) / height,
        words["asks"],
        rotation=90,
        va="center",
        ha="center",
        color=FAINT,
        family=named,
    )
    figure.text(
        (left + wide / 2) / width, (y + top - 0.2) / height, words["asked"], ha="center", color=FAINT, family=named
    )
    _scale(figure, left + wide + 0.25, y - min(high, 1.7), min(high, 1.7), words, named)
    for head in range(many):
        row, column = divmod(head, each)
        bottom = y - high - 0.15 - (row + 1) * step
        one = _axes(figure, 0.1 + column * (small[0] + _GAP), bottom, *small)
        heat_map(one, shade(weights[head], seen), seen)
        what, share, _ = shares.habit(weights[head], seen, columns, words)
        said = shortened(f"{head + 1}: {share:.0%} {what}", small[0] + 0.8 * _GAP)
        one.set_title(said, fontsize=7.5, pad=3, family=fonts_for([said]))
    return figure


def _titled(title: str, heads: int, words: Words) -> str:
    return f"{title}, {words['mean_of_heads'].format(heads)}" if heads else title


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    whole, tall = figure.get_size_inches()
    return figure.add_axes((left / whole, bottom / tall, width / whole, height / tall))


def heat_map(axes: Axes, depths: np.ndarray, seen: np.ndarray | None = None) -> None:
    """Draw depths of colour, 0 to 1 [T, S], as cells; those that may not be seen in grey."""
    axes.imshow(depths, cmap=SHADES, vmin=0, vmax=1, aspect="auto", interpolation="none")
    if seen is not None and not seen.all():
        axes.imshow(~seen, cmap=_HIDDEN, vmin=0, vmax=1, aspect="auto", interpolation="none")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(True)


def _tokens(axes: Axes, down: Sequence[str], fonts_down, across: Sequence[str], fonts_across) -> None:
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(down)), down, family=fonts_down)
    axes.set_xticks(range(len(across)), across, family=fonts_across, rotation=90)
    axes.tick_params(length=0, pad=3)


def _scale(figure: Figure, left: float, bottom: float, height: float, words: Words, fonts: list[str] | None) -> None:
    """The colour bar: what an even share looks like, and its multiples."""
    axes = _axes(figure, left, bottom, 0.13, height)
    axes.imshow(np.linspace(1, 0, 64)[:, None], cmap=SHADES, vmin=0, vmax=1, aspect="auto", extent=(0, 1, 0, 1))
    axes.yaxis.tick_right()
    marks = (0, 1, 2, 4, _FULL)
    texts = ["0", words["even"], "2 ×", "4 ×", f"≥ {_FULL} ×"]
    axes.set_yticks([np.log2(1 + one) / np.log2(1 + _FULL) for one in marks], texts, family=fonts)
    axes.set_xticks([])
    axes.tick_params(length=2, pad=2)
    axes.set_title(words["scale"], fontsize=7.5, family=fonts, color=FAINT)


@styled
def one_word(
    weights: np.ndarray,
    tokens: Sequence[str],
    at: Sequence[int],
    *,
    title: str,
    causal: bool = False,
    words: Words = WORDS["en"],
    as_text: bool = False,
    sentence: str = "",
) -> Figure:
    """What one word looks at: a line to every token, the share of each, and the heads beside it.

    weights [H, S] of the word to each token, `at` the places of its own tokens. The rest as in `attention_maps`.
    """
    heads, count = weights.shape
    seen = np.arange(count) <= max(at) if causal else np.ones(count, bool)
    labels, fonts = labels_for(tokens, as_text)
    longest = max(*map(width_of, labels), 0.85 * width_of(words["asks"]))
    row, box = 0.21, 0.19
    many = heads if heads > 1 else 0
    reach = 1.5 + 2 * longest + 0.7  # the words on both sides, the lines between them, the shares
    width = max(reach + box * (many + 1) + 1.6, 4.6)
    lines_of = wrapped(sentence, width - 0.2) if sentence else []
    above = len(lines_of) * LINE + (0.12 if lines_of else 0) + 3.2 * LINE
    height = above + row * count + 0.2
    figure = Figure(figsize=(width, height))
    paragraph(figure, lines_of, fonts_for([sentence]))
    figure.text(0.06 / width, (height - above + 2.1 * LINE) / height, title, family=fonts_for([title]))
    named = fonts_for([*words.values()])
    mean = weights.mean(0)
    depths = shade(np.vstack([mean, weights]), np.broadcast_to(seen, (heads + 1, count)))
    axes = _axes(figure, 0.1, 0.2, reach, row * count)
    axes.set(xlim=(0, reach), ylim=(count - 0.5, -0.5))
    axes.set_axis_off()
    ends = longest + 0.1, longest + 1.3
    for place in range(count):
        depth = float(depths[0, place])
        axes.plot([ends[0] + 0.05, ends[1] - 0.05], [float(np.mean(at)), place], color=FIRST, alpha=depth, lw=2.2)
        chosen = place in at
        colour, weight = (SECOND, "bold") if chosen else (FAINT, "normal")
        axes.text(ends[0], place, labels[place], ha="right", va="center", family=fonts, color=colour, weight=weight)
        axes.text(ends[1], place, labels[place], va="center", family=fonts, color=INK if seen[place] else FAINT)
        said = f"{mean[place]:.0%}" if seen[place] else "–"
        axes.text(reach - 0.1, place, said, ha="right", va="center", color=INK if depth > 0.5 else FAINT)
    axes.text(ends[0], -1.0, words["asks"], ha="right", color=FAINT, family=named, fontsize=7.5)
    axes.text(ends[1], -1.0, words["asked"], color=FAINT, family=named, fontsize=7.5)
    drawn = depths[1:] if not many else depths
    grid = _axes(figure, 0.1 + reach, 0.2, box * len(drawn), row * count)
    heat_map(grid, drawn.T, np.broadcast_to(seen[:, None], drawn.T.shape))
    if many:
        grid.axvline(0.5, color=INK, linewidth=0.8)
        grid.xaxis.tick_top()
        grid.set_xticks(range(heads + 1), [words["mean"], *map(str, range(1, heads + 1))], family=named, fontsize=7.5)
        grid.get_xticklabels()[0].set_rotation(90)
        grid.tick_params(length=0, pad=2)
    _scale(
        figure,
        0.1 + reach + box * len(drawn) + 0.25,
        0.2 + row * count - min(row * count, 1.7),
        min(row * count, 1.7),
        words,
        named,
    )
    return figure


@styled
def position_signals(table: np.ndarray, *, words: Words = WORDS["en"], sentence: str = "") -> Figure:
    """The sinusoids of section 3.5, [positions, dimensions]: each row is what is added to the word at that position."""
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(table, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    fonts = fonts_for([*words.values()])
    axes.set_xlabel(words["dimension"], family=fonts)
    axes.set_ylabel(words["position"], family=fonts)
    axes.set_title(words["signals_title"], family=fonts)
    if sentence:
        figure.suptitle("\n".join(wrapped(sentence, 5.8)), x=0.01, ha="left", weight="bold", fontsize=9.5, family=fonts)
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure
