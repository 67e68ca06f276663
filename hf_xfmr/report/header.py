"""The head of a report: what was trained, on what, when and where; and the figures that matter most."""

from datetime import datetime
from pathlib import Path
from typing import Any

from .language import say
from .names import COUNTS, is_score

TASKS = {  # by problem type, else by recipe
    "single_label_classification": "Classification, one label a text",
    "multi_label_classification": "Classification, any number of labels a text",
    "regression": "Rating (regression)",
    "classify_bert": "Classification",
    "tag_bert": "Tagging words",
    "answer_bert": "Answering questions",
    "translate": "Translation",
    "finetune_gpt2": "Language modelling",
    "pretrain_bert": "Pre-training by masked words",
}
TILES = 4
APART = 0.005  # two figures closer than this are told once: accuracy, micro F1 and, with balanced labels, macro F1


def about(run: dict, figures: dict) -> list[tuple[str, str]]:
    """Name and value of each fact below the title; what is not known is left out."""
    settings, environment = run.get("settings") or {}, run.get("environment") or {}
    recipe = str(figures["recipe"] or "")
    task = TASKS.get(figures["problem_type"] or "") or TASKS.get(recipe) or recipe
    model = settings.get("model") or (say("from scratch") if settings else "")
    if teacher := settings.get("teacher"):
        own = settings.get("model") or settings.get("model_config")
        model = say(
            "{model}, taught by {teacher}", model=_name(model) if own else say("a student"), teacher=_name(teacher)
        )
    facts = {
        "Task": say(task),
        "Model": _name(model),
        "Data": _name(settings.get("dataset")),
        "Rows": _rows(run, figures),
        "Trained": _trained(figures),
        "Date": _date(run.get("finished")),
        "Device": " · ".join(str(environment[key]) for key in ("device", "precision") if environment.get(key)),
    }
    return [(say(name), value) for name, value in facts.items() if value]


def _name(source: Any) -> str:
    """What a model or a dataset is called, without the folders it lies in here."""
    return Path(str(source)).name if source and Path(str(source)).is_absolute() else str(source or "")


def _rows(run: dict, figures: dict) -> str:
    rows = dict((run.get("checks") or {}).get("rows") or {})
    if figures.get("rows") is not None:
        rows[figures["split"]] = figures["rows"]
    return " · ".join(f"{say(split)} {count:,}" for split, count in rows.items() if count is not None)


def _trained(figures: dict) -> str:
    parts = [duration(figures["seconds"])] if figures["seconds"] else []
    if figures["tokens_per_second"]:
        parts.append(say("{n} tokens a second", n=f"{figures['tokens_per_second']:,.0f}"))
    return " · ".join(parts)


def _date(finished: Any) -> str:
    try:
        return datetime.fromisoformat(str(finished)).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""


def tiles(figures: dict) -> list[dict[str, Any]]:
    """The figures at the top: name, value, interval, and the baseline's value of the same name; no two that are the
    same number under two names."""
    split = figures.get("split") or ("test" if figures["metrics"].get("test") else "validation")
    baseline = (figures["baseline"] or {}).get(split) or {}
    shown = figures["metrics"].get(split) or {}
    names = [name for name in shown if is_score(name, shown[name]) and name not in COUNTS]
    given = dict(figures.get("headline") or {})
    given |= {
        name: {"value": shown[name]} for name in sorted(names, key=lambda name: name == "loss") if name not in given
    }
    found: list[dict[str, Any]] = []
    for name, estimate in given.items():
        if not any(_same(estimate["value"], other["value"]) for other in found):
            found.append({"name": name, "baseline": baseline.get(name), **estimate})
    return found[:TILES]


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) < APART * max(1.0, abs(a), abs(b))


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return say("{h} h {m} min", h=hours, m=minutes)
    return say("{m} min {s} s", m=minutes, s=rest) if minutes else say("{s} s", s=rest)
