"""A decision as a file: JSON; or a picture of the words' shares, in a page with the text and its words marked."""

import json
from pathlib import Path

from markupsafe import Markup, escape
from matplotlib.figure import Figure

from ..drawing import bars, files
from ..drawing.attention import Drawn
from ..drawing.style import fonts_for
from ..drawing.words import WORDS
from ..errors import UserError
from ..plain import some
from ..writing import place, whole
from . import said
from .answer import Why

MOST = 40  # words drawn, the strongest
KINDS = (".json", *files.KINDS)


def checked(out: str | Path | None) -> Path | None:
    """The file that `out` names. Raises `UserError` for one that can't be written, or of another kind."""
    if out is None:
        return None
    path = place(out, "--out")
    if path.suffix.lower() not in KINDS:
        raise UserError(f"{path}: give --out a name that ends in {some(KINDS)}")
    return path


def write(why: Why, path: Path, language: str = "en") -> list[str]:
    """Write it to a file of the kind its name ends in; returns what is to be said of that."""
    if path.suffix.lower() == ".json":
        with whole(path) as aside:
            text = json.dumps(why.record(), ensure_ascii=False, indent=2, allow_nan=False)
            aside.write_text(text + "\n", encoding="utf-8")
        return [str(path)]
    if path.suffix.lower() in files.PIXELS and fonts_for(WORDS[language].values()) is None:
        language = "en"  # boxes would say nothing
    return [*files.write(drawn(why, language), path)[1:], str(path)]


def drawn(why: Why, language: str) -> Drawn:
    """The picture: words in the text's order, bars to the right for the answer, to the left against it."""
    words = WORDS[language]
    strongest = sorted(range(len(why.words)), key=lambda at: -abs(why.shares[at]))[:MOST]
    shown = sorted(strongest)
    names = [said.short(why.text(why.words[at])) for at in shown]
    shares = [why.shares[at] for at in shown]

    def draw(as_text: bool, sentence: str) -> Figure:
        return bars.signed(names, shares, words=words, as_text=as_text, sentence=sentence)

    how = words["why_how"].format(
        all=f"{why.all:.3f}", none=f"{why.none:.3f}", sum=f"{sum(why.shares):.3f}", error=f"{abs(why.error):.4f}"
    )
    more = len(why.words) - len(shown)
    how += words["why_more"].format(more) if more else ""
    return Drawn(draw, _sentence(why, words), how, names, words, marked(why))


def _sentence(why: Why, words) -> str:
    order = sorted(zip(why.shares, why.words, strict=True), key=lambda one: -one[0])
    best = [f"“{said.short(why.text(word))}”" for share, word in order[:3] if share > said.WEAK * abs(order[0][0])]
    key = "why_says" if best else "why_says_none"
    return words[key].format(label=said.asked(why), figure=f"{why.all:.3f}", words=words["why_and"].join(best))


def marked(why: Why) -> Markup:
    """The text, and its pair, with each word on a ground as deep as its share is large."""
    strongest = max(map(abs, why.shares), default=0.0) or 1.0
    found = Markup("")
    for of, text in enumerate(why.row):
        if text is None:
            continue
        parts, at = [], 0
        for word, share in zip(why.words, why.shares, strict=True):
            if word.of != of:
                continue
            depth = round(60 * abs(share) / strongest)
            ground = f"color-mix(in srgb, var({'--for' if share > 0 else '--against'}) {depth}%, transparent)"
            mark = Markup('<mark style="background: {}" title="{}">{}</mark>')
            parts += [escape(text[at : word.start]), mark.format(ground, f"{share:+.3f}", text[word.start : word.end])]
            at = word.end
        found += Markup('<p class="text" dir="auto">{}</p>').format(Markup("").join([*parts, escape(text[at:])]))
    return found
