"""The run report: one self-contained `report.html` and the same figures as `report.json`, from what a recipe left.

A run's folder holds `run.json` and, for classification and regression, `predictions-test.csv` and
`predictions-validation.csv` (see tasks/classification/predictions.py). `run.json` is an object with any of

    title, recipe, command                texts
    settings, arguments, environment      objects shown as tables
    data                                  list of texts
    columns                               what `text`, `text_pair` and `label` are called in the dataset
    problem_type, label_names             as in the model's config
    metrics                               {"validation": {name: number}, "test": {name: number}}
    baseline                              {"name": text, "rows": [fitted on, of so many], "test": {name: number}}
    log_history                           Trainer's
    seconds                               of training
    checks                                what the check before the first step found (hf_xfmr/check)
    verdict                               what it all means (see verdict/)
    split, rows, headline                 of which the headline figures are: {name: {"value", "low", "high"}}
    calibration                           {"temperature": number or null, "kept": bool}, fitted on validation
    decided_words                         {"split", "rows": {id: [[start, end, share]]}}: what worst errors rest on
    loss_by_position                      [number]: mean loss of the token at position 0, 1, ...
    samples                               [{"step", "prompt", "sample"}]: what a language model wrote on the way
    finished                              when, as ISO 8601
    translations                          [{"source": text, "reference": text, "translation": text}]
    entity_types                          [{"type", "entities", "found", "precision", "recall", "f1", "baseline_f1"}]
    worst_answers                         [{"id", "question", "gold": [text], "answer": text or null, "probability",
                                          "f1", "text", "missed": [{"at"}], "wrong": [the same]}]
    worst_sentences                       [{"id", "text", "missed": [{"type", "text", "at"}], "wrong": [the same]}]

and pictures `attention-*.svg` may lie beside it. What is missing is left out of the report.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import UserError
from ..writing import whole
from . import curves
from .language import check, speaking
from .page import render


@dataclass(frozen=True)
class Evaluation:
    """What a task's predictions add to a report: `figures` (in report.json too), `pictures` by the name under which the
    page shows them, and the `words` with which it speaks of both."""

    figures: dict[str, Any]
    pictures: dict[str, Figure]
    words: dict[str, Any]


def write(
    folder: str | Path,
    evaluate: Callable[[Path, dict], Evaluation | None] | None = None,
    *,
    language: str | None = None,
) -> Path:
    """Write `report.html` and `report.json` into a run's folder and return the path of the HTML.

    `evaluate`, a task's, is asked what the predictions in the folder add, given its run.json. The JSON holds every
    figure shown; `temperature` is the one fitted on the validation predictions, or null if none is kept. The page is in
    `language`, en or zh (None: as the run said), which the JSON keeps for the model card. Raises `UserError` if
    run.json is missing or a file can't be read, or for another language.
    """
    folder = Path(folder)
    run = _read_run(folder / "run.json")
    language = check(language or (run.get("arguments") or {}).get("language") or "en")
    with speaking(language):
        found = evaluate(folder, run) if evaluate is not None else None
        figures = _figures(run) | {"language": language} | (found.figures if found else {})
        page = render(folder, run, figures, found.pictures if found else {}, **(found.words if found else {}))
    text = json.dumps(plain(figures), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    for name, content in (("report.json", text), ("report.html", page)):
        with whole(folder / name) as aside:
            aside.write_text(content, encoding="utf-8")
    return folder / "report.html"


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path.parent} holds no run.json: give the output folder of a recipe that has finished"
        ) from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}): let the recipe write it again") from None
    if not isinstance(run, dict):
        raise UserError(f"{path} must hold one object: let the recipe write it again")
    return run


def _figures(run: dict) -> dict[str, Any]:
    metrics = {split: _with_perplexity(values, run) for split, values in (run.get("metrics") or {}).items() if values}
    speeds = [speed for _, speed in curves.series(run.get("log_history") or [], "tokens_per_second")]
    return {
        "title": run.get("title") or run.get("recipe") or "run",
        "recipe": run.get("recipe"),
        "problem_type": run.get("problem_type"),
        "metrics": metrics,
        "baseline": run.get("baseline"),
        "seconds": run.get("seconds"),
        "tokens_per_second": median(speeds) if speeds else None,
        "temperature": None,
        "verdict": run.get("verdict"),
        **{name: run[name] for name in ("split", "rows", "headline") if run.get(name) is not None},
    }


def _with_perplexity(metrics: dict[str, Any], run: dict) -> dict[str, Any]:
    """A language model's metrics with exp(loss), if the recipe gave none."""
    language_model = run.get("samples") or run.get("loss_by_position")
    if language_model and "loss" in metrics and "perplexity" not in metrics:
        return {"perplexity": math.exp(min(metrics["loss"], 700)), **metrics}
    return metrics


def plain(value):
    """A value as JSON has it: arrays as lists, NaN and infinity as null."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
