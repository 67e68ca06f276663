"""The HTML page of a run report: what is shown, and how numbers are written. __init__.py has the figures."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from ..drawing.style import tick_names
from . import data_plots, plots
from .names import COUNTS, metric_name

_TEMPLATE = Path(__file__).with_name("template.html")


def render(folder: Path, run: dict, figures: dict, pictures: dict[str, Figure], **words: Any) -> str:
    """The page as HTML; everything from `run`, `figures` and `words` is escaped. `pictures` are a task's own, attention
    pictures are read from `folder`."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": _figure, "name": metric_name, "duration": _duration, "value": _value}
    attention = {
        path.stem.removeprefix("attention-"): base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.glob("attention-*.svg"))
    }
    confusion: dict[str, Any] = figures.get("confusion") or {}
    metric_names = dict.fromkeys(
        k for values in figures["metrics"].values() for k, v in values.items() if _is_score(k, v)
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        run=run,
        f=figures,
        facts=_facts(figures),
        tiles=_tiles(figures),
        metric_names=list(metric_names),
        plots={name: plots.as_svg(figure) for name, figure in (_pictures(run) | pictures).items()},
        attention=attention,
        numbered=bool(confusion) and (len(confusion["labels"]) > 40 or tick_names(confusion["labels"]) is None),
        confusion_summary=_summary(confusion) if confusion else "",
        **words,
    )


def _facts(figures: dict) -> list[str]:
    """What the line below the title says."""
    facts = [figures["recipe"]]
    if "rows" in figures:
        facts.append(f"{figures['rows']:,} {figures['split']} rows")
    if figures["seconds"]:
        facts.append(f"trained in {_duration(figures['seconds'])}")
    if figures["tokens_per_second"]:
        facts.append(f"{figures['tokens_per_second']:,.0f} tokens a second")
    return [fact for fact in facts if fact]


def _summary(confusion: dict) -> str:
    """The matrix in words: its largest confusions."""
    if "pairs" in confusion:
        parts = [f"{one['gold']} taken for {one['predicted']} {one['rows']:,} times" for one in confusion["pairs"][:5]]
        return f"{confusion['right']:,} of {confusion['rows']:,} rows right; " + (", ".join(parts) or "no confusion")
    counts, labels = confusion["counts"], confusion["labels"]
    wrong = np.where(np.eye(len(labels), dtype=bool), 0, counts)
    largest = [np.unravel_index(i, wrong.shape) for i in np.argsort(-wrong, axis=None, kind="stable")[:5]]
    parts = [f"{labels[i]} taken for {labels[j]} {wrong[i, j]:,} times" for i, j in largest if wrong[i, j]]
    return f"{np.trace(counts):,} of {counts.sum():,} rows right; " + (", ".join(parts) or "no confusion")


def _pictures(run: dict) -> dict[str, Figure]:
    history: list[dict] = run.get("log_history") or []
    pictures: dict[str, Figure] = {}
    if any(plots.series(history, key) for key in ("loss", "eval_loss")):
        pictures["learning"] = plots.learning_curves(history)
        if len(plots.series(history, "tokens_per_second")) + len(plots.scores(history)):
            pictures["progress"] = plots.progress_curves(history)
    checks = run.get("checks") or {}
    if checks.get("lengths"):
        pictures["lengths"] = data_plots.lengths(checks["lengths"], checks["length_limit"])
    if checks.get("balance"):
        pictures["balance"] = data_plots.label_balance(checks["balance"])
    if checks.get("coverage"):
        pictures["coverage"] = data_plots.vocabulary_coverage(checks["coverage"])
    if run.get("loss_by_position"):
        pictures["positions"] = plots.loss_by_position(run["loss_by_position"])
    return pictures


def _tiles(figures: dict) -> list[dict[str, Any]]:
    """The figures at the top: name, value, interval, and the baseline's value of the same name."""
    baseline = ((figures["baseline"] or {}).get("test") or {}) if figures.get("split", "test") == "test" else {}
    if "headline" in figures:
        given = figures["headline"]
    else:
        shown = figures["metrics"].get("test") or figures["metrics"].get("validation") or {}
        scores = [name for name in shown if _is_score(name, shown[name]) and name not in COUNTS]
        names = sorted(scores, key=lambda name: name == "loss")
        given = {name: {"value": shown[name]} for name in names}
    return [{"name": name, "baseline": baseline.get(name), **estimate} for name, estimate in list(given.items())[:4]]


def _is_score(name: str, value) -> bool:
    timing = ("_runtime", "_per_second", "runtime", "epoch")
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not name.endswith(timing)


def _figure(value: Any) -> str:
    """A number for reading: three decimals below 10, four digits above; a dash if there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _value(value) -> str:
    """A setting as text: JSON, but a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
