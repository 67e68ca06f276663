"""The HTML page of a run report: its sections in their order, and how numbers are written. __init__.py has the figures.

The parts lie in `parts/`, a file a section, their style and script beside it: what is written is one file that needs
nothing else, reads without its script, and prints.
"""

import base64
import functools
import hashlib
import json
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from ..drawing.style import tick_names
from . import confusions, curves, data_plots, header, pasted, plots
from .language import LANGUAGES, current, say, say_html
from .marks import entities, marked
from .names import is_lower, is_score, metric_name
from .verdict import remark, spoken

_HERE = Path(__file__).parent
FIRST = 10  # errors that stand open, and are printed; the others are folded in
LEVELS = {  # of a verdict, in the words that stand beside its colour
    "better": "Better than the simple models",
    "tie": "No better and no worse than a simple model",
    "worse": "Worse than a simple model",
    "useless": "Of no use yet",
    "unsure": "Not known yet",
}


def style() -> str:
    """The style of the house's pages: as CSS."""
    return (_HERE / "page.css").read_text(encoding="utf-8")


def render(folder: Path, run: dict, figures: dict, pictures: dict[str, Figure], **words: Any) -> str:
    """The page as HTML, in the language that is spoken; everything from `run`, `figures` and `words` is escaped.
    `pictures` are a task's own, attention pictures are read from `folder`."""
    environment = _environment()
    attention = {
        path.stem.removeprefix("attention-"): base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.glob("attention-*.svg"))
    }
    confusion: dict[str, Any] = figures.get("confusion") or {}
    drawn = _svgs(_pictures(run) | pictures)
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    worst = figures.get("worst") or []
    return environment.get_template("page.html").render(
        run=run,
        f=figures,
        style=Markup(style()),
        script=Markup(script),
        # of exactly what stands between the tags, so that no other script runs
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(f'{chr(10)}{script}'.encode()).digest()).decode()}",
        html_language=LANGUAGES[current()],
        about=header.about(run, figures),
        verdict=spoken(figures["verdict"], current()) if figures.get("verdict") else None,
        levels=LEVELS,
        tiles=header.tiles(figures),
        sections=_sections(run, figures, drawn, attention),
        metric_names=list(
            dict.fromkeys(k for values in figures["metrics"].values() for k, v in values.items() if is_score(k, v))
        ),
        plots=drawn,
        too_short=_too_short(run),
        attention=attention,
        numbered="confusion" in drawn and tick_names(confusion["labels"]) is None,
        confusion_summary=confusions.summary(confusion) if confusion else "",
        confusions=confusions.largest(confusion, figures.get("per_label") or []) if confusion else [],
        first=FIRST,
        choices={key: sorted({str(row[key]) for row in worst}) for key in ("gold", "predicted")},
        **words,
    )


def other(
    template: str, *, room: Path | None = None, filters: Mapping[str, Callable[..., Any]] | None = None, **words: Any
) -> str:
    """Another page of the house as HTML, from a template in parts/, or in the folder of another `room` with `filters`
    of its own, in the language that is spoken; all is escaped but `Markup`. A template goes on from base.html."""
    environment = _environment(room)
    environment.filters |= filters or {}
    found = environment.get_template(template)
    return found.render(style=Markup(style()), html_language=LANGUAGES[current()], **words)


@functools.cache
def _environment(room: Path | None = None) -> jinja2.Environment:
    """One for a room and the process, so that no template is compiled twice."""
    loader = jinja2.FileSystemLoader([*([] if room is None else [room]), _HERE / "parts"])
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    environment.filters |= {"figure": figure, "name": metric_name, "value": _value, "is_lower": is_lower}
    environment.filters |= {"command": pasted.command, "flags": pasted.prose}
    environment.globals |= {"_": say, "_h": say_html, "marked": marked, "entities": entities}
    environment.globals["remark"] = lambda fact: remark(fact, current())
    return environment


def _sections(run: dict, figures: dict, drawn: dict, attention: dict) -> list[dict[str, str]]:
    """What the page has, in the order in which it is read: what to act on, then how good, then why. A section's name is
    its file's in parts/ and its id."""
    whether = {
        ("distilled", "Student and teacher"): run.get("distilled"),
        ("errors", "Worst errors"): figures.get("worst"),
        ("sentences", "Worst sentences"): run.get("worst_sentences"),
        ("answers", "Worst answers"): run.get("worst_answers"),
        ("translations", "Translations"): run.get("translations"),
        ("completions", "Completions"): run.get("completions"),
        ("samples", "Samples"): run.get("samples"),
        ("labels", "Labels"): figures.get("per_label"),
        ("scatter", "Gold and predicted"): "scatter" in drawn,
        ("entities", "Entities"): run.get("entity_types"),
        ("folds", "Folds"): run.get("folds"),
        ("metrics", "All metrics"): figures["metrics"],
        ("training", "Training"): run.get("log_history"),
        ("positions", "Loss by position"): "positions" in drawn,
        ("calibration", "Calibration"): "reliability" in drawn,
        ("decisions", "Decisions"): figures.get("decision") or figures.get("coverage_shown"),
        ("thresholds", "Thresholds"): figures.get("thresholds"),
        ("slices", "Slices"): figures.get("slices"),
        ("attention", "Attention"): attention,
        ("checks", "Checks"): run.get("checks"),
        ("run", "This run"): True,
    }
    return [{"name": name, "title": title} for (name, title), there in whether.items() if there]


def _svgs(pictures: dict[str, Figure]) -> dict[str, str]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's reader has the font, or else none has
        return {name: plots.as_svg(figure) for name, figure in pictures.items()}


def _pictures(run: dict) -> dict[str, Figure]:
    history: list[dict] = run.get("log_history") or []
    pictures: dict[str, Figure] = {}
    if curves.have_losses(history):
        pictures["learning"] = curves.learning_curves(history)
    if curves.have_progress(history):
        pictures["progress"] = curves.progress_curves(history)
    checks = run.get("checks") or {}
    if checks.get("lengths"):
        pictures["lengths"] = data_plots.lengths(checks["lengths"], checks["length_limit"])
    if checks.get("balance"):
        pictures["balance"] = data_plots.label_balance(checks["balance"])
    if checks.get("coverage"):
        pictures["coverage"] = data_plots.vocabulary_coverage(checks["coverage"])
    if len(run.get("loss_by_position") or []) > 1:
        pictures["positions"] = plots.loss_by_position(run["loss_by_position"])
    return pictures


def _too_short(run: dict) -> str:
    """What stands in place of the curves of a run that logged too little for them."""
    history: list[dict] = run.get("log_history") or []
    steps = max((entry.get("step", 0) for entry in history), default=0)
    losses = curves.series(history, "loss") or curves.series(history, "train_loss")
    text = say("Logged too seldom for a curve, in {steps} steps.", steps=f"{steps:,}")
    return text + (" " + say("The loss of training was {loss}.", loss=figure(losses[-1][1])) if losses else "")


def figure(value: Any) -> str:
    """A number for reading: three decimals below 10, four digits above; a dash if there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _value(value) -> str:
    """A setting as text: JSON, but a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
