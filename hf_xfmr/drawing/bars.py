"""Bars of shares that add up, each with its words: for an answer to the right, against it to the left."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from .lettering import LINE, labels_for, paragraph, width_of, wrapped
from .style import FAINT, FIRST, INK, SECOND, fonts_for, styled
from .words import WORDS, Words

_BAR, _ROOM = 0.21, 2.6  # inches: of a bar's height, and of both sides together


@styled
def signed(
    names: Sequence[str],
    shares: Sequence[float],
    *,
    words: Words = WORDS["en"],
    as_text: bool = False,
    sentence: str = "",
) -> Figure:
    """A bar for each name, from above to below. `sentence` stands above, if given; `as_text`: text will stay text, so
    that names need no font."""
    labels, fonts = labels_for(names, as_text)
    left, right = 0.25 + max(map(width_of, labels)), 0.7
    width = max(left + _ROOM + right, 4.6)
    lines = wrapped(sentence, width - 0.2) if sentence else []
    above, high = len(lines) * LINE + (0.12 if lines else 0) + 1.5 * LINE, _BAR * len(labels) + 0.1
    height = above + high + 0.2
    figure = Figure(figsize=(width, height))
    paragraph(figure, lines, fonts_for([sentence]))
    axes = figure.add_axes((left / width, 0.15 / height, (width - left - right) / width, high / height))
    rows = range(len(labels))
    axes.barh(rows, shares, height=0.7, color=[FIRST if share > 0 else SECOND for share in shares])
    axes.axvline(0, color=FAINT, linewidth=0.7)
    axes.set_yticks(rows, labels, family=fonts)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=4)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    low, top = min(0.0, *shares), max(0.0, *shares)
    axes.set_xlim(low, top if top > low else 1.0)
    for row, share in zip(rows, shares, strict=True):
        axes.annotate(
            f"{share:+.3f}", (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=INK
        )
    named = fonts_for([*words.values()])
    axes.set_title(words["why_bars"], fontsize=8, color=FAINT, family=named)
    return figure
