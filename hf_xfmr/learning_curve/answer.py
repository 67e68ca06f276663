"""A curve from its first look at the data to its page."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..report.language import check as check_language
from ..report.names import is_lower
from ..run import beginnings
from ..run.console import say, this_program
from ..run.seeds import is_done, note_settings, same_settings
from ..search import given, trials
from ..writing import folder as make
from ..writing import place, whole
from . import asked, fit, page, runs, said

RECIPE = "classify_bert"
LOOK, SETTINGS = "look.json", "settings.json"
NOT_TOLD = (
    "seeds",
    "folds",
    "max_train_rows",
    "max_train_rows_seed",
    "rows_per_label",
    "seed",
    "check_only",
    "push_to_hub",
)


def curve(
    config: str,
    words: Sequence[str] = (),
    *,
    sizes: Sequence[int] = (),
    repeats: int = 3,
    least_steps: int = 100,
    output_dir: str | Path | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """Train a classification on growing parts of its rows, and say what more of them would bring. See the command for
    what each word means.

    Returns the record of the page: `figure`, `sizes`, `runs` (a dict for each), `gain` (of as many rows again: `more`,
    `value`, `low`, `high`; None for fewer than four sizes), `ahead` (the same for other numbers of rows), `tried`, and
    `sentence`. A curve that was stopped goes on: runs that are done are kept. Raises `UserError` for what is wrong, in
    the configuration too, and `KeyboardInterrupt` where it is stopped.
    """
    asked.check(sizes=sizes, repeats=repeats, least_steps=least_steps)
    check_language(language)
    script, named, settings = given.found(config)
    if script.stem != RECIPE:
        raise UserError(f"{config} trains {script.stem}, and a curve is of a classification: hf_xfmr curve classify …")
    flags = given.of_flags(words, of="curve")
    settings |= flags
    if left := next((one for one in NOT_TOLD if settings.get(one) is not None), None):
        raise UserError(
            f"{left} is given, but a curve chooses it itself: leave it out; --sizes and --repeats say which"
        )
    stem = Path(named[0]).stem if named else beginnings.stem(str(settings.get("dataset") or config))
    folder = place(output_dir or settings.pop("output_dir", None) or f"runs/curve-{stem}", "--output_dir")
    told = [*named, *trials.in_words({name: value for name, value in flags.items() if name != "output_dir"})]
    facts = _looked(folder, script, told, {**settings, "--least_steps": least_steps})
    chosen = runs.sizes(sizes, facts["rows"])
    figure = facts["judged_by"]
    if figure == "loss":
        raise UserError("a curve needs a figure of the answers: leave metric_for_best_model: loss out")
    parts = [(rows, seed) for rows in chosen for seed in range(1, repeats + 1)]
    shown = ", ".join(f"{one:,}" for one in chosen)
    say(f"curve: {len(parts)} runs, of {shown} rows, {repeats} seeds each; in {folder}")
    found: list[dict[str, Any]] = []
    for number, (rows, seed) in enumerate(parts, 1):
        before = is_done(folder / runs.name(rows, seed))
        try:
            runs.run(script, told, folder, rows, seed, runs.length(rows, facts, least_steps))
        except trials.Stopped:
            raise KeyboardInterrupt from None
        one = runs.figures(folder, rows, seed, figure)
        found.append(one)
        done = " (done before)" if before else ""
        say(f"run {number} of {len(parts)}: {rows:,} rows, seed {seed}: {figure} {one['value']:.3f}{done}")
    record, law = _record(found, chosen, repeats, figure, folder)
    command = [*this_program(), "train", "classify", *(["--config"] if named else []), *told]
    record |= {"title": stem, "command": shlex.join([*command, f"--output_dir={folder / 'all'}"])}
    record["sentence"] = said.sentence(record)
    path = page.write(folder, record, law, language)
    say(*said.lines(record), f"page: {path}, picture: {folder / page.PICTURE}", "to go on, train on all rows:")
    say(f"  {record['command']}")
    return record


def _looked(folder: Path, script: Path, told: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of the configuration's own run, as they were when the curve began."""
    plain = json.loads(json.dumps(settings, default=str))
    same_settings(folder / SETTINGS, plain, "runs")
    path = folder / LOOK
    if not path.exists():
        say("curve: looking at the data and at the first step")
        make(folder, kind="the output folder", instead="give another --output_dir")
        facts = trials.look(script, list(told), folder)
        with whole(path) as aside:
            aside.write_text(json.dumps(facts, default=str), encoding="utf-8")
        note_settings(folder / SETTINGS, plain)
    return json.loads(path.read_text(encoding="utf-8"))


def _record(
    found: list[dict[str, Any]], sizes: Sequence[int], repeats: int, figure: str, folder: Path
) -> tuple[dict[str, Any], fit.Law | None]:
    lower = is_lower(figure)

    def errors(some: Sequence[Mapping[str, Any]]) -> list[float]:
        return [one["value"] if lower else 1 - one["value"] for one in some]

    law = fit.law([one["rows"] for one in found], errors(found))
    most = max(sizes)
    scale = max(abs(one["value"]) for one in found) if lower else 1.0
    ahead = []
    for more in (_rounded(most / 4), _rounded(most / 2), _rounded(most)) if law else ():
        value, low, high = law.gain(most, more)  # type: ignore[union-attr]
        ahead.append({"more": more, "value": value, "low": low, "high": high, "scale": scale})
    smaller = [one for one in found if one["rows"] < most]
    before, tried = fit.law([one["rows"] for one in smaller], errors(smaller)), None
    if before is not None:
        low, high = (float(one[0]) for one in before.band([most]))
        here = errors([one for one in found if one["rows"] == most])
        ends = [float(before.error(most)), low, high, sum(here) / len(here)]
        of, low, high, was = ends if lower else [1 - one for one in (ends[0], ends[2], ends[1], ends[3])]
        tried = {"rows": most, "told": of, "low": low, "high": high, "was": was}
    record = {
        "figure": figure,
        "lower": lower,
        "sizes": list(sizes),
        "seeds": repeats,
        "split": found[0]["split"],
        "held_out": _held_out(folder / runs.name(found[0]["rows"], found[0]["seed"]), found[0]["split"]),
        "runs": found,
        "law": None if law is None else dict(zip("abc", law.numbers.tolist(), strict=True)) | {"unit": law.unit},
        "gain": ahead[-1] if ahead else None,
        "ahead": ahead,
        "tried": tried,
    }
    return record, law


def _held_out(run: Path, split: str) -> int:
    record = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return int(record.get("rows") or 0)


def _rounded(rows: float) -> int:
    """To two digits, as one would say it."""
    digits = max(0, len(str(int(rows))) - 2)
    return max(1, int(round(rows, -digits)))
