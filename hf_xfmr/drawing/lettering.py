"""Texts in pictures of attention: whether they can be drawn, how wide they are, where lines break.

A picture whose text stays text (SVG, HTML) has every token in it, for its reader's fonts; one of pixels numbers them
where no installed font has them. So widths are computed here, from what characters are: matplotlib would measure them
in a font that lacks them.
"""

import textwrap
import unicodedata
from collections.abc import Sequence

from matplotlib.figure import Figure

from .style import fonts_for

LINE, EM = 0.17, 0.125  # inches: of a line of text, and of its size


def labels_for(tokens: Sequence[str], as_text: bool = False) -> tuple[list[str], list[str] | None]:
    """Tokens as an axis can bear them, and the fonts to draw them in: as they are if text stays text; else numbers from
    1 if no installed font has them."""
    fonts = fonts_for(tokens)
    if as_text:
        return list(tokens), None
    return (list(tokens), fonts) if fonts else ([str(place + 1) for place in range(len(tokens))], None)


def width_of(text: str) -> float:
    """Inches a text takes, about: a Chinese character a whole em, others less."""
    return sum(1.0 if unicodedata.east_asian_width(one) in "WF" else 0.62 for one in text) * EM


def wrapped(text: str, width: float) -> list[str]:
    """The text in lines of at most so many inches, about."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text) > len(text) / 4
    return textwrap.wrap(text, max(12, int(width / EM / (1.08 if wide else 0.68)))) or [""]


def shortened(text: str, width: float) -> str:
    """The text cut to so many inches, in the small type of a head's title."""
    while len(text) > 4 and width_of(text) * 0.83 > width:
        text = text[:-2].rstrip() + "…"
    return text


def paragraph(figure: Figure, lines: Sequence[str], fonts: list[str] | None) -> None:
    """Lines at the top of a figure, in bold."""
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        y = height - 0.05 - (number + 0.85) * LINE
        figure.text(0.06 / width, y / height, line, weight="bold", fontsize=9.5, family=fonts)
