"""How every picture is drawn: one style, colours a page can change, fonts that have the characters; files and SVG."""

import functools
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

from ..writing import whole

# As drawn into files; a page may give each its own value by a CSS variable of that name.
COLOURS = {
    "plot-ink": "#24292f",
    "plot-faint": "#8c959f",
    "plot-first": "#2166ac",
    "plot-second": "#c8551b",
    "plot-on-first": "#fefefe",
}
INK, FAINT, FIRST, SECOND, ON_FIRST = COLOURS.values()
WIDTH = 4.4  # inches

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a label is a dollar
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "axes.unicode_minus": True,
    "svg.fonttype": "none",  # text stays text: searchable, small, in the page's own font
    "svg.hashsalt": "hf_xfmr",
}
FONT = "DejaVu Sans"  # comes with matplotlib
_CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "Noto Sans CJK JP",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)
_P = ParamSpec("_P")


def styled(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Decorator: the function draws in the style of the house, whatever the user's own settings."""

    @functools.wraps(draw)
    def inner(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return inner


def fonts_for(texts: Iterable[str]) -> list[str] | None:
    """Font families that together draw every character of `texts`, for `family=`; None if no installed font does."""
    installed = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    installed = {name: path for name, path in installed.items() if "Last Resort" not in name}  # draws boxes, for all
    lacking = {c for text in texts for c in text if not c.isspace()} - _characters(installed[FONT])
    if not lacking:
        return [FONT]
    for name in [font for font in _CJK_FONTS if font in installed] + sorted(set(installed).difference(_CJK_FONTS)):
        if lacking <= _characters(installed[name]):
            return [FONT, name]
    return None


@functools.cache
def _characters(path: str) -> set[str]:
    try:
        return {chr(code) for code in font_manager.get_font(path).get_charmap()}
    except (OSError, RuntimeError):  # a font of pictures, a broken one
        return set()


def tick_names(names: Sequence[str], *, longest: int = 24) -> list[str] | None:
    """`names` as they can stand along an axis, or None if numbers must (no font has them, or one is too long)."""
    return list(names) if max(map(len, names), default=0) <= longest and fonts_for(names) else None


def _lay_out(figure: Figure) -> None:
    """Give every part its place. `savefig` would draw all of the figure for that, and then once more."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def as_svg(figure: Figure) -> str:
    """An `<svg>` element for an HTML page: its ids are its own, its font the page's, its colours `var(--plot-...)`."""
    out = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        _lay_out(figure)
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=metadata)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, count=1, flags=re.DOTALL)  # would hold for the whole page
    prefix = f"p{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"

    def adapt(match: re.Match) -> str:  # a tag; text between tags stays as it is
        tag = match[0]
        if tag.startswith("<image"):  # two images of one content have one id, and nothing refers to it
            tag = re.sub(r' id="[^"]*"', "", tag)
        tag = re.sub(r'( id="|url\(#|href="#)', rf"\1{prefix}", tag)
        tag = re.sub(r" font-family: [^;\"]*;", "", tag)
        tag = re.sub(r'(width|height)="([\d.]+)pt"', lambda m: f'{m[1]}="{float(m[2]) * 4 / 3:.0f}"', tag)
        for name, colour in COLOURS.items():
            tag = tag.replace(f": {colour}", f": var(--{name}, {colour})")
        return tag

    return re.sub(r"\s*\n\s*", "\n", re.sub(r"<[^>]*>", adapt, svg))


def save(figure: Figure, path: str | Path) -> Path:
    """Write a picture file, of the kind its name ends in; pictures of pixels get a white ground."""
    path = Path(path)
    transparent = path.suffix in (".svg", ".pdf")
    with matplotlib.rc_context(_STYLE), whole(path) as aside:
        _lay_out(figure)
        figure.savefig(aside, dpi=200, transparent=transparent, facecolor="none" if transparent else "white")
    return path
