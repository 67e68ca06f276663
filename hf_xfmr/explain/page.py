"""The page: texts of a language, code of the package, and what came out of the passes, as one HTML file."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import torch
import transformers
import yaml
from markupsafe import Markup, escape

from .. import __version__
from ..drawing import files, style
from ..drawing.attention import Drawn
from ..drawing.words import WORDS
from ..report import page as house
from ..report import pasted
from . import code, reading, small
from .formulas import FORMULAS
from .outline import CHAPTERS, SIDE_BY_SIDE, Part
from .passes import Passes
from .pictures import PICTURES
from .tables import TABLES, Table
from .trace import shape

LANGUAGES = {"en": "en", "zh": "zh-Hans"}  # and their HTML names
_HERE = Path(__file__).parent


def texts(language: str) -> dict[str, Any]:
    """What the page says in a language: the content of its YAML file, with the pictures' words."""
    said = yaml.safe_load((_HERE / f"{language}.yaml").read_text(encoding="utf-8"))
    return said | {"words": {**WORDS[language], **said["words"]}}


def render(
    chapters: Sequence[str],
    language: str,
    *,
    command: str = "",
    bert: str | None = None,
    finder: str | None = None,
    steps: Mapping[str, int] = small.STEPS,
) -> str:
    """The page as HTML that needs nothing else. The small models it needs learn now, in about a minute for all.

    Args:
        chapters: which of `CHAPTERS`, in their order.
        language: one of `LANGUAGES`.
        command: what makes the page anew, to be shown.
        bert: the BERT whose attention is drawn; None: the small one.
        finder: another BERT, which reads English, to be asked for antecedents; None: the one that is drawn.
        steps: how long the small models learn.
    """
    said = texts(language)
    examples = said["examples"]
    if finder is not None:
        examples = examples | {"antecedents": texts("en")["examples"]["antecedents"]}
    passes = Passes(examples, bert=bert, finder=finder, steps=steps)
    values = {
        "layers": small.LAYERS,
        "dim": small.DIM,
        "heads": small.HEADS,
        "vocabulary": len(passes.tokenizer),
        "bpe_vocabulary": len(passes.bytes),
        "version": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "reader": bert or said["words"]["small_bert"],
        "finder": finder or bert or said["words"]["small_bert"],
        "fill": said["examples"]["fill"],
    }
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["command"] = pasted.command
    environment.filters["prose"] = lambda text: _prose(text, values)
    drawn = _Drawn(passes, said, values)
    shown = [
        {"name": name, **said["chapters"][name], "parts": [drawn.part(name, part) for part in CHAPTERS[name]]}
        for name in chapters
    ]
    models = [
        {"name": name, "task": said["tasks"][name], "steps": len(one.losses), "losses": (one.losses[0], one.losses[-1])}
        for name, one in ((name, vars(passes).get(name)) for name in steps)
        if one is not None  # which were made, for the chapters that are shown
    ]
    return environment.from_string((_HERE / "template.html").read_text(encoding="utf-8")).render(
        style=Markup(house.style()),
        language=LANGUAGES[language],
        said=said,
        page=said["page"],
        chapters=shown,
        side=_side_by_side() if "together" in chapters else None,
        models=models,
        reader=bert,
        command=command,
    )


def _prose(text: str, values: Mapping) -> Markup:
    """Text as HTML: `names` as code, %(values)s put in, paragraphs apart."""
    filled = re.sub(r"%\((\w+)\)s", lambda match: str(values[match[1]]), text.strip())
    paragraphs = [re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(one))) for one in filled.split("\n\n")]
    return Markup("".join(f"<p>{one}</p>" for one in paragraphs))


class _Drawn:
    """The parts of a page, with what was computed for them."""

    def __init__(self, passes: Passes, said: Mapping, values: Mapping):
        self.passes, self.said, self.values = passes, said, values

    def part(self, chapter: str, part: Part) -> dict:
        steps = self.passes.pass_of(chapter).steps if part.shapes else {}
        return {
            "name": part.name,
            **self.said["parts"][part.name],
            "formulas": FORMULAS.get(part.name, []),
            "code": [_listing(code.find(reference), whole=part.whole) for reference in part.code],
            "shapes": [
                {
                    "module": name,
                    "kind": steps[name].kind,
                    "reads": [shape(one) for one in steps[name].reads],
                    "gives": [shape(one) for one in steps[name].gives],
                    "parameters": f"{steps[name].parameters:,}",
                }
                for name in part.shapes
            ],
            "pictures": [self.picture(name) for name in part.pictures],
        }

    def picture(self, name: str) -> dict:
        caption = _prose(self.said["pictures"][name], self.values).replace("<p>", "").replace("</p>", "")
        if name in TABLES:
            table: Table = TABLES[name](self.passes, self.said["words"])
            return {"name": name, "table": table, "caption": caption}
        picture = PICTURES[name](self.passes, self.said["words"])
        if isinstance(picture, Markup):
            return {"name": name, "svg": picture, "caption": caption}
        if isinstance(picture, Drawn):
            return {"name": name, "says": picture.says, "svg": Markup(files.svg_of(picture)), "caption": caption}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's reader has the font
            return {"name": name, "svg": Markup(style.as_svg(picture)), "caption": caption}


def _listing(piece: code.Code, *, whole: bool = True) -> dict:
    """The code as lines of HTML: as on a first reading, and then in `full` all of it where that is more."""
    read = piece.text if whole else reading.first(piece.text)
    return {
        "name": piece.name,
        "file": piece.file,
        "line": piece.line,
        "lines": code.coloured(read),
        "full": code.coloured(piece.text) if read != piece.text else None,
    }


def _side_by_side() -> list[dict]:
    """The blocks of the three architectures; a line is marked if the first one has no such line."""
    first, *_ = SIDE_BY_SIDE.values()
    known = {line.strip() for reference in first for line in _body(reference).text.splitlines()}
    columns = []
    for name, references in SIDE_BY_SIDE.items():
        pieces = [_body(reference) for reference in references]
        listings = []
        for piece in pieces:
            differs = [line.strip() not in known for line in piece.text.splitlines()]
            listing = _listing(piece)
            listings.append(listing | {"lines": list(zip(listing["lines"], differs, strict=True))})
        columns.append({"name": name, "listings": listings})
    return columns


def _body(reference: str) -> code.Code:
    """A function's statements as on a first reading."""
    piece = code.find(reference)
    return code.body(replace(piece, text=reading.first(piece.text)))
