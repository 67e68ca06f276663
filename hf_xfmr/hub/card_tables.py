"""The tables of a model card: results, labels, and the settings that were in effect."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..plain import markdown
from ..report.language import say
from ..report.names import is_lower, metric_name
from .card_metadata import called

_ARGUMENTS = (
    *("learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("optim", "lr_scheduler_type", "warmup_steps", "weight_decay", "label_smoothing_factor", "layer_decay", "seed"),
)
_UNTOLD: tuple = (None, False, "", [], {}, 0, -1)
_ONLY_WITH: dict[
    str, tuple[str, tuple]
] = {  # what a setting needs beside it: one that is set, or has one of the values
    **dict.fromkeys(("lora_alpha", "lora_dropout", "lora_merge"), ("lora_rank", ())),
    "window_stride": ("over_long", ("windows",)),
}
_NEUTRAL = {"gradient_accumulation_steps": 1, "layer_decay": 1.0}
_FROM_SCRATCH = ("model_config", "tokenizer", "tokenizer_kind", "vocab_size", "shared_vocabulary")


def scores(figures: Mapping) -> dict[str, dict[str, float]]:
    """What the results table shows: name to {"value"} and perhaps "low", "high"."""
    if headline := figures.get("headline"):
        return {name: score for name, score in headline.items() if finite(score.get("value"))}
    metrics = figures.get("metrics") or {}
    shown = metrics.get("test") or metrics.get("validation") or {}
    timing = ("runtime", "_per_second", "epoch")
    return {name: {"value": v} for name, v in shown.items() if finite(v) and not name.endswith(timing)}


def finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def results(scores: Mapping, baseline: Mapping, intervals: bool) -> str:
    head = [say("metric"), say("value"), *([say("95 % interval")] if intervals else [])]
    head += [say("baseline")] if baseline else []
    lines = []
    for name, score in scores.items():
        lower = f" ({say('lower is better')})" if is_lower(name) else ""
        cells = [metric_name(name) + lower, f"{score['value']:.3f}"]
        if intervals:
            has_interval = finite(score.get("low")) and finite(score.get("high"))
            cells.append(
                say("{low} to {high}", low=f"{score['low']:.3f}", high=f"{score['high']:.3f}") if has_interval else ""
            )
        if baseline:
            cells.append(f"{baseline[name]:.3f}" if finite(baseline.get(name)) else "")
        lines.append(cells)
    return _rows(head, lines)


def per_label(labels: Sequence[Mapping], left_out: Mapping | None) -> str:
    names = ["precision", "recall", "f1"]
    table = _rows(
        [say("label"), say("rows"), *(f"{metric_name(name)} ({say('95 % interval')})" for name in names)],
        [[one["label"], f"{one['rows']:,}", *(_estimate(one[name]) for name in names)] for one in labels],
    )
    if left_out:
        others, rows, f1 = f"{left_out['labels']:,}", f"{left_out['rows']:,}", f"{left_out['f1']:.3f}"
        more = say("and {n} more labels of at most {rows} rows, mean F1 {f1}.", n=others, rows=rows, f1=f1)
        table += f"\n\n{more}"
    return table


def _estimate(score: Mapping) -> str:
    if not finite(score.get("value")):
        return "–"
    ends = [score.get("low"), score.get("high")]
    return f"{score['value']:.3f}" + (
        f" ({say('{low} to {high}', low=f'{ends[0]:.3f}', high=f'{ends[1]:.3f}')})" if all(map(finite, ends)) else ""
    )


def table(values: Mapping) -> str:
    return _rows(["", ""], [[name, value] for name, value in values.items()])


def _rows(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    if not lines:
        return ""
    table = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in table)


def _cell(value: Any) -> str:
    """A value for a cell: nothing of it is a table's bar, a link, code, HTML or a mark of ours."""
    return markdown(" ".join(str(value).split()))


def plain(line: str, dataset: Any) -> str:
    return _cell(str(line).replace(str(dataset), called(dataset)) if dataset else line)


def training(run: Mapping, settings: Mapping) -> dict[str, Any]:
    """The settings that were in effect and are not what every run has; paths without the folders they lie in here."""
    arguments = run.get("arguments") or {}
    told = {name: arguments[name] for name in _ARGUMENTS if arguments.get(name) not in (*_UNTOLD, _NEUTRAL.get(name))}
    if told.get("max_steps"):
        told.pop("num_train_epochs", None)  # max_steps ends the run
    for name, value in settings.items():
        if value not in _UNTOLD and _in_effect(name, settings, run):
            path = name in ("dataset", "model") or (isinstance(value, str) and "/" in value)
            told[name] = called(value) if path else value
    if seconds := run.get("seconds"):
        told[say("training time")] = f"{seconds:,.0f} s"
    return told


def _in_effect(name: str, settings: Mapping, run: Mapping) -> bool:
    """Whether a setting did anything in this run, given the others."""
    if name in ("strict", "check_only", "sample_every", "sample_prompt", "baseline"):
        return False  # of what is printed and compared, not of the model
    if name in _ONLY_WITH:
        other, values = _ONLY_WITH[name]
        return settings.get(other) in values if values else bool(settings.get(other))
    if name == "over_long":  # of rows that were longer
        return any(re.match(r"cut of \w+: (?!0 of)", line) for line in run.get("data") or [])
    if name in _FROM_SCRATCH:
        return not settings.get("model")
    if name in ("validation_fraction", "test_fraction"):  # where the split was given, nothing was taken from train
        split = name.split("_")[0]
        return any("taken from train" in line and split in line for line in run.get("data") or [])
    return True
