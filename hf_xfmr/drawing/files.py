"""Pictures as files: a page or an SVG whose text is text, for its reader's fonts; or pixels, or PDF."""

import re
import warnings
from pathlib import Path

from markupsafe import escape

from ..writing import whole
from .attention import Drawn
from .style import as_svg, fonts_for, save
from .words import WORDS

PIXELS = (".png", ".pdf")  # drawn with the fonts that are here
KINDS = (".html", ".svg", *PIXELS)
_FONTS = 'system-ui, "Noto Sans", "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif'
_DARK = "--plot-ink: #e6e6e6; --plot-faint: #9aa1a9; --plot-first: #7cb8e2; --plot-second: #f0a06c"
_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
body {{ font: 1rem/1.55 {fonts}; max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.25rem; max-width: 42rem; }} p {{ max-width: 42rem; opacity: .75; }} p.text {{ opacity: 1; }}
mark {{ color: inherit; border-radius: .2em; padding: .1em 0; }}
:root {{ --for: #2166ac; --against: #c8551b; }} div {{ overflow-x: auto; }}
@media screen and (max-width: 40rem) {{ div > svg {{ width: 100%; min-width: 20rem; height: auto; }} }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ background: #16181b; color: #e6e6e6; {dark}; --for: #7cb8e2; --against: #f0a06c; }}
  svg image {{ filter: brightness(1.75) saturate(.8); }}
}}
</style>
</head>
<body>
<h1>{says}</h1>
{text}<div role="img" aria-label="{says}">{svg}</div>
<p>{how}</p>
</body>
</html>
"""


def write(drawn: Drawn, path: Path) -> list[str]:
    """Write the picture, of the kind its name ends in (`KINDS`). Returns lines to be said: what one sees, and where
    a picture of pixels has numbers for tokens that no installed font has, which those are."""
    kind = path.suffix.lower()
    if kind == ".html":
        _text(path, page(drawn))
    elif kind == ".svg":
        _text(path, alone(svg_of(drawn, drawn.says)))
    else:
        return [drawn.says, *_pixels(drawn, path)]
    return [drawn.says]


def _pixels(drawn: Drawn, path: Path) -> list[str]:
    says = drawn.says
    can_say = fonts_for([says, *drawn.words.values()]) is not None
    save(drawn.draw(False, says if can_say else ""), path)
    if can_say and fonts_for(drawn.tokens):
        return []
    lines = [f"no font here has all characters of the picture; --out {path.stem}.html has them, in its reader's fonts"]
    if drawn.tokens and fonts_for(drawn.tokens) is None:
        lines.append("tokens that are numbers in the picture:")
        lines.append(" ".join(f"{place + 1} {token}" for place, token in enumerate(drawn.tokens)))
    return lines


def _text(path: Path, text: str) -> None:
    with whole(path) as aside:
        aside.write_text(text, encoding="utf-8")


def page(drawn: Drawn) -> str:
    """The picture as a page that needs nothing else: first what one sees, then the picture, then how to read it."""
    words = drawn.words
    language = "zh-Hans" if words is WORDS["zh"] else "en"
    svg = svg_of(drawn)
    says, how = escape(drawn.says), escape(drawn.how)
    return _PAGE.format(
        language=language, title=says, says=says, text=drawn.text, svg=svg, how=how, fonts=_FONTS, dark=_DARK
    )


def svg_of(drawn: Drawn, sentence: str = "") -> str:
    """The picture as an `<svg>` element of a page, its text as text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # its reader has the font
        return as_svg(drawn.draw(True, sentence))


def alone(svg: str) -> str:
    """An `<svg>` element as a file of its own, for programs that know no variables: on white, in its first colours."""
    style = f"<style>svg {{ background: #fff; }} text {{ font-family: {_FONTS}; }}</style>"
    plain = re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", svg)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(r"(<svg[^>]*>)", rf"\1\n{style}", plain, count=1) + "\n"
