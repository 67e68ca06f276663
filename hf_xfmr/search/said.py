"""What a search says: as it goes on a trial in two lines, in the end first what it means, then its figures."""

import shlex
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..report.language import say as worded
from ..report.names import metric_name
from ..run.recipes import pasted
from . import given, refit, study
from .child import PARTS

WIDTH = 80
SHORT = {
    "learning_rate": "rate",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch",
    "tokens_per_batch": "tokens",
    "warmup_steps": "warm-up",
    "layer_decay": "layer decay",
    "max_length": "length",
}


def beginning(found: study.Study, judged_by: str, most: int, folder: Path) -> list[str]:
    states = study.states(found.trials())
    done = sum(states[one] for one in ("complete", "pruned", "fail"))
    goes_on = f"; {done} are done, and it goes on" if done else ""
    tried = ", ".join(f"{SHORT.get(name, name)} {in_words(one)}" for name, one in found.space.items())
    return [
        f"search: {most} trials by {metric_name(judged_by)} on validation, in {folder}{goes_on}",
        textwrap.fill(f"  tried: {tried}", WIDTH, subsequent_indent="  "),
    ]


def in_words(one: Mapping[str, Any]) -> str:
    """A range."""
    if one["kind"] == "choice":
        return "/".join(map(str, one["of"]))
    return f"{one['low']:.2g}-{one['high']:.2g}" if one["kind"] == "float" else f"{one['low']:.3g}-{one['high']:.3g}"


def in_short(values: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{SHORT.get(name, name)} {value:g}" for name, value in values.items()) or "the configuration's own"
    )


def ended(found: study.Study, number: int, most: int, judged_by: str) -> list[str]:
    trial, best = found.trials()[number], found.best()
    so_far = (
        f"best {best.value:.4f}, trial {best.number + 1}" if best is not None and best.value is not None else "none yet"
    )
    if trial.state == study.TrialState.PRUNED:
        parts = trial.intermediate_values
        figure = f"given up at {100 * max(parts) // PARTS} %, {parts[max(parts)]:.4f}" if parts else "given up"
    else:
        figure = f"{trial.value:.4f}"
    line = f"trial {number + 1} of {most}: {figure} ({so_far}), {trial.user_attrs.get('seconds', 0)} s"
    return [line, textwrap.fill(f"  {in_short(found.drawn(trial))}", WIDTH, subsequent_indent="  ")]


def failed(number: int, most: int, reason: str) -> str:
    return textwrap.fill(f"trial {number + 1} of {most}: failed: {reason}", WIDTH, subsequent_indent="  ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def record(
    found: study.Study, facts: Mapping[str, Any], judged_by: str, *, own: Mapping[str, Any], folder: Path, script: Path
) -> dict[str, Any]:
    """All that the page and the last lines are made of."""
    best, shown = found.best(), []
    for one in found.trials():
        parts = one.intermediate_values
        shown.append(
            {
                "number": one.number + 1,
                "state": {"FAIL": "failed"}.get(one.state.name, one.state.name.lower()),
                "value": one.value if one.state == study.TrialState.COMPLETE else None,
                "at": {100 * part // PARTS: value for part, value in parts.items()},
                "settings": found.drawn(one) or {name: own.get(name) for name in found.space},
                "own": bool(one.user_attrs.get(study.OWN)),
                "seconds": one.user_attrs.get("seconds"),
                "reason": one.user_attrs.get("reason"),
            }
        )
    assert best is not None
    return {
        "folder": str(folder),
        "figure": judged_by,
        "lower": found.lower,
        "rows": facts["rows"],
        "space": found.space,
        "own": {name: own.get(name) for name in found.space},
        "best": found.drawn(best) or {name: own.get(name) for name in found.space},
        "best_trial": best.number + 1,
        "best_is_own": bool(best.user_attrs.get(study.OWN)),
        "best_value": best.value,
        "trials": shown,
        "importance": found.importance(),
        "command": shlex.join(pasted(shlex.split(given.command(folder / "best.yaml", script)))),
        "refit": None,
    }


def gains(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the refits gained on each split (see `refit.gain`); nothing where the best settings are the own ones."""
    if not record["refit"] or record["best_is_own"]:
        return {}
    found = {split: refit.gain(record["refit"], split, record["figure"], lower=record["lower"])
             for split in ("validation", "test")}  # fmt: skip
    return {split: one for split, one in found.items() if one is not None}


def own_figure(record: Mapping[str, Any]) -> str:
    """Where no trial was better: what the own settings reach with several seeds, on the last split that they were
    measured on; in the page's language."""
    side = record["refit"]["own"]
    split = next(one for one in ("test", "validation") if record["figure"] in side["summary"].get(one, {}))
    one = side["summary"][split][record["figure"]]
    return worded(
        "Trained with {n} seeds they have {name} {value} on {split}.",
        n=len(side["seeds"]),
        name=metric_name(record["figure"]),
        value=f"{one['mean']:.4f} ± {one['sd']:.4f}",
        split=worded(split),
    )


def sentence(record: Mapping[str, Any]) -> str:
    """What the search means, first; in the page's language."""
    name, told = metric_name(record["figure"]), gains(record)
    value = f"{record['best_value']:.4f}"
    if record["best_is_own"]:
        return worded(
            "No trial beat the configuration's own settings: {name} {value} on validation.", name=name, value=value
        )
    if not told:
        own = next((one["value"] for one in record["trials"] if one["own"]), None)
        about = {"name": name, "value": value, "own": "–" if own is None else f"{own:.4f}"}
        return worded("The best trial has {name} {value} on validation, the configuration's own {own}.", **about)
    split, one = list(told.items())[-1]
    about = {"name": name, "split": worded(split)}
    about |= {side: f"{one[side]['mean']:.4f} ± {one[side]['sd']:.4f}" for side in ("best", "own")}
    if one["sure"]:
        return worded("The best settings are better: {name} {best} on {split}, your own {own}.", **about)
    if one["gain"] > 0:
        return worded(
            "The best settings may be better, but chance explains as much: {name} {best} on {split}, your own {own}.",
            **about,
        )
    return worded(
        "The best settings are no better on rows that were not searched on: {name} {best} on {split}, your own {own}.",
        **about,
    )


def ending(record: Mapping[str, Any]) -> list[str]:
    fill: Any = {"width": WIDTH, "subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
    lines = [textwrap.fill(sentence(record), **fill)]
    lines.append(textwrap.fill(f"  best: {in_short(record['best'])}", **fill))
    if record["best_is_own"] and record["refit"]:
        lines.append(f"  {own_figure(record)}")
    for split, one in gains(record).items():
        lines.append(
            f"  {split}: {one['gain']:+.4f} ± {one['error']:.4f} (standard error), best {one['best']['mean']:.4f}, "
            f"own {one['own']['mean']:.4f}"
        )
    if record["importance"]:
        shares = ", ".join(f"{SHORT.get(name, name)} {share:.0%}" for name, share in record["importance"].items())
        lines.append(textwrap.fill(f"  what mattered: {shares}", **fill))
    counted = {state: sum(one["state"] == state for one in record["trials"]) for state in ("pruned", "failed")}
    lines.append(f"  {len(record['trials'])} trials, {counted['pruned']} given up early, {counted['failed']} failed")
    lines.append(f"page:   {record['folder']}/search.html")
    lines.append(f"go on:  {record['command']}")
    return lines
