"""The end of a run of folds: labels that look wrong, texts that have two, and ambiguous rows, as a page and as a CSV to
correct; and the command that trains again on what was corrected."""

import csv
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....plain import harmless
from ....report import page
from ....report.language import say as words
from ....report.language import speaking
from ....run.recipes import pasted
from ....writing import whole
from .. import predictions
from ..calibration import scale
from ..fixed_labels import COLUMN, NOTHING
from ..predictions import Predictions
from . import near, noise

CSV, PAGE = "wrong-labels.csv", "wrong-labels.html"
SHOWN = 50  # rows of a kind on the page
WHOLE = 20  # labels, of which the CSV has every probability
WEAK = {
    "useless": "These models have learned nothing yet, so that their list is chance: train longer before you read it.",
    "worse": "These models are worse than a simple one, so that much of their list is chance.",
}
WRONG, TWINS, AMBIGUOUS = "likely wrong", "another label for nearly the same text", "ambiguous"


@dataclass
class Findings:
    """Places of rows by kind, the worst first; `whys` of each of them; `suggested` is another label of the row, as it
    would be written, or "". `twins` are groups of nearly the same text."""

    rows: Predictions
    shares: np.ndarray | None
    wrong: list[int]
    twins: list[list[int]]
    ambiguous: list[int]
    quality: np.ndarray
    suggested: dict[int, str]
    whys: dict[int, list[str]] = field(default_factory=dict)


def find(rows: Predictions, temperature: float | None) -> Findings:
    """What is odd about the labels of these out-of-fold predictions, with their temperature."""
    problem, shares = rows.problem, rows.probabilities
    if shares is not None and temperature:
        shares = scale(shares, temperature, several=problem.several)
    found = noise.find(problem, rows.gold, rows.predicted, shares)
    texts = rows.texts if rows.pairs is None else [f"{a}\n{b}" for a, b in zip(rows.texts, rows.pairs, strict=True)]
    twins = [places for places in near.groups(texts) if _differ(rows, places)]
    wrong, ambiguous = found.wrong.tolist(), found.ambiguous.tolist()
    listed = Findings(rows, shares, wrong, twins, ambiguous, found.quality, {})
    named = ((WRONG, wrong), (TWINS, [place for group in twins for place in group]), (AMBIGUOUS, ambiguous))
    for why, places in named:
        for place in places:
            listed.whys.setdefault(place, []).append(why)
            listed.suggested[place] = _suggested(listed, place)
    return listed


def _differ(rows: Predictions, places: Sequence[int]) -> bool:
    gold = [rows.gold[place] for place in places]
    if not rows.problem.has_names:
        return bool(np.ptp(gold) > np.std(rows.gold))
    return any(not np.array_equal(one, gold[0]) for one in gold)


def _suggested(found: Findings, place: int) -> str:
    """Another label, as `fixed_label` has it."""
    problem, shares = found.rows.problem, found.shares
    if shares is None:
        return f"{found.rows.predicted[place]:.3g}"
    if problem.several:
        names = [name for name, share in zip(problem.label_names, shares[place], strict=True) if share >= 0.5]
        written = "|".join(names) or NOTHING
    else:
        written = problem.label_names[int(shares[place].argmax())]
    return "" if written == _written(found, place) else written


def _written(found: Findings, place: int) -> str:
    problem, gold = found.rows.problem, found.rows.gold[place]
    if not problem.has_names:
        return f"{float(gold):.6g}"
    if problem.several:
        return "|".join(np.array(problem.label_names, dtype=object)[gold]) or NOTHING
    return problem.label_names[int(gold)]


def write(folder: Path, record: dict[str, Any], language: str | None = None) -> list[str]:
    """Write wrong-labels.csv and wrong-labels.html of the last run of folds, whose run.json is `record`, into its
    folder; returns the lines to be said. A CSV that is there already is left, for it may have been filled in. The page
    is in `language`, en or zh (None: as the run said)."""
    rows = predictions.read(
        folder / "predictions-validation.csv",
        problem_type=record["problem_type"],
        labels=record.get("label_names"),
    )
    calibration = record.get("calibration") or {}
    found = find(rows, calibration["temperature"] if calibration.get("kept") else None)
    kept = (folder / CSV).exists()
    if not kept:
        with whole(folder / CSV) as aside, aside.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(_table(found))
    command, level = _again(folder, record), (record.get("verdict") or {}).get("level", "")
    with speaking(language or (record.get("arguments") or {}).get("language") or "en"):
        text = _page(folder, found, level, command)
    with whole(folder / PAGE) as aside:
        aside.write_text(text, encoding="utf-8")
    with speaking("en"):
        said = _sentence(found, level)
    return [
        f"labels: {said}",
        f"page:   {folder / PAGE}",
        f"to correct: fill in {COLUMN} in {folder / CSV}{' (left as it was)' if kept else ''}, then",
        f"  {command}",
    ]


def _sentence(found: Findings, level: str) -> str:
    """What was found; models that have learned nothing, by their verdict's `level`, accuse labels at random."""
    weak = words(WEAK[level]) + " " if level in WEAK else ""
    said = "{wrong} of {rows} rows look wrongly labelled, {twins} texts stand there nearly the same with different "
    said += "labels, and {ambiguous} rows are ambiguous."
    counts: dict[str, Any] = {
        "wrong": found.wrong,
        "rows": found.rows,
        "twins": found.twins,
        "ambiguous": found.ambiguous,
    }
    return weak + words(said, **{name: f"{len(one):,}" for name, one in counts.items()})


def _again(folder: Path, record: dict[str, Any]) -> str:
    """The command that trains again with the labels that were corrected."""
    typed = record.get("command")
    given = list(typed) if isinstance(typed, list) else shlex.split(str(typed or ""))
    out = f"{folder}-fixed"
    if not given or "(" in given[0]:  # a call from Python
        return f"the same call with fixed_labels={str(folder / CSV)!r}, output_dir={out!r}"
    kept, skip = [], False
    for word in given:
        if skip:
            skip = False
        elif word in ("--output_dir", "--fixed_labels"):
            skip = True
        elif not word.startswith(("--output_dir=", "--fixed_labels=")):
            kept.append(word)
    return shlex.join([*pasted(kept), "--fixed_labels", str(folder / CSV), "--output_dir", out])


def _table(found: Findings) -> list[list[Any]]:
    rows, names = found.rows, found.rows.problem.label_names
    pairs = rows.pairs is not None
    head = ["id", "text", *(["text_pair"] if pairs else []), "label", "suggested_label", COLUMN, "why", "quality"]
    shares = names if found.shares is not None and len(names) <= WHOLE else []
    table = [[*head, *(f"p_{name}" for name in shares)]]
    for place in found.whys:
        texts = [rows.texts[place], *([rows.pairs[place]] if rows.pairs is not None else [])]
        told = [_written(found, place), found.suggested[place], "", "; ".join(found.whys[place])]
        figures = [f"{found.quality[place]:.4f}"]
        if found.shares is not None and shares:
            figures += [f"{share:.4f}" for share in found.shares[place]]
        table.append([rows.ids[place], *texts, *told, *figures])
    return table


def _page(folder: Path, found: Findings, level: str, command: str) -> str:
    pairs = found.rows.pairs

    def share(place: int, written: str) -> float | None:
        names = found.rows.problem.ids
        if found.shares is None or found.rows.problem.several or written not in names:
            return None
        return float(found.shares[place][names[written]])

    def shown(place: int) -> dict[str, Any]:
        label, other = _written(found, place), found.suggested[place]
        return {
            "id": found.rows.ids[place],
            "text": harmless(found.rows.texts[place]),
            "text_pair": harmless(pairs[place]) if pairs is not None else None,
            "label": label,
            "label_probability": share(place, label),
            "suggested": other,
            "suggested_probability": share(place, other),
        }

    def part(name: str, title: str, about: str, places: Sequence[int]) -> dict[str, Any]:
        few = [shown(place) for place in places[:SHOWN]]
        return {"name": name, "title": title, "about": about, "rows": few, "more": len(places) - len(few)}

    say: Callable[..., str] = words
    parts = [
        part(
            "wrong",
            say("Likely wrong"),
            say("The worst first: the models, which had not seen the row, are surest of another label."),
            found.wrong,
        ),
        part(
            "twins",
            say("Nearly the same text, different labels"),
            say("The rows of a text stand together: at most one of their labels is right."),
            [place for group in found.twins for place in group],
        ),
        part(
            "ambiguous",
            say("Ambiguous"),
            say("Two labels are nearly as likely: the text does not say enough, or the labels overlap."),
            found.ambiguous,
        ),
    ]
    title = folder.absolute().name
    there = [one for one in parts if one["rows"]]
    return page.other("labels_page.html", title=title, sentence=_sentence(found, level), command=command, parts=there)
