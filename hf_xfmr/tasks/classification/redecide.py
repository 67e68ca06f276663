"""Another decision for a finished run, from the predictions that it left: nothing is computed by the model."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.special import logit

from ...data.regular import read_json
from ...errors import UserError
from ...plain import some
from ...report import plain, verdict
from ...writing import whole
from . import calibration, deciding, fit_decision, predictions
from .decisions import Decision
from .predictions import Predictions

SPLITS = ("validation", "test")
CONFIGS = ("config.json", "adapter/config.json")
WISHES = ("best_f1", "target_precision", "target_recall", "costs", "decision_labels", "likeliest")


def redecide(folder: Path, run: dict[str, Any], wish: dict[str, Any]) -> list[str]:
    """See `tasks.decide.decide`: the decision that is wished for, in effect in the folder."""
    settings = SimpleNamespace(**{name: wish.get(name) for name in WISHES})
    kind = fit_decision.wish(settings)
    if bool(kind) == bool(settings.likeliest):
        raise UserError(
            "say what answers are to be decided for, one of --best_f1, --target_precision 0.9, --target_recall 0.9, "
            "--costs FILE, or --likeliest"
        )
    read = {split: _read(folder, split, run) for split in SPLITS}
    temperature = _temperature(run)
    validation = read["validation"]
    problem, shares = validation.problem, _calibrated(validation, temperature)
    if settings.likeliest:
        decision, record, said = Decision(tuple(problem.label_names), problem.several), None, []
        said = ["decision: the likeliest label" if not problem.several else "decision: each label from 0.5 on"]
    else:
        found = fit_decision.fit(settings, problem, shares, validation.gold)
        assert found is not None
        decision, record = found[0], deciding.kept(*found)
        said = deciding.lines(record)
    metrics = dict(run.get("metrics") or {})
    for split, rows in read.items():
        answers = decision(_calibrated(rows, temperature))
        _rewrite(folder / f"predictions-{split}.csv", [decision.name_of(one) for one in answers])
        before = metrics.get(split) or {}
        metrics[split] = before | _figures(rows, answers)
        said += _changes(split, before, metrics[split])
    _keep(folder / "run.json", {**run, "decision": record, "metrics": metrics} | _verdict(run, record))
    for name in CONFIGS:
        if (folder / name).is_file():
            fields = read_json(folder / name, "config")
            kept = {"decision_thresholds": decision.thresholds, "decision_costs": decision.costs}
            _keep(folder / name, {**fields, **kept})
    return [*said, "what was exported or pushed before decides as before: export or push again"]


def _read(folder: Path, split: str, run: dict[str, Any]) -> Predictions:
    path = folder / f"predictions-{split}.csv"
    if not path.exists():
        raise UserError(
            f"{folder} has no {path.name}: a decision is fitted on validation and measured on test, so train with "
            f"--{split}_fraction 0.1"
        )
    found = predictions.read(path, problem_type=run.get("problem_type"), labels=run.get("label_names"))
    if found.probabilities is None:
        raise UserError(f"{path} has no probability of each label, from which answers could be decided: leave it")
    return found


def _temperature(run: dict[str, Any]) -> float | None:
    fitted = run.get("calibration") or {}
    return fitted.get("temperature") if fitted.get("kept") else None


def _calibrated(rows: Predictions, temperature: float | None) -> np.ndarray:
    assert rows.probabilities is not None
    if temperature is None:
        return rows.probabilities
    return calibration.scale(rows.probabilities, temperature, several=rows.problem.several)


def _figures(rows: Predictions, answers: np.ndarray) -> dict[str, float]:
    assert rows.probabilities is not None
    shares = np.clip(rows.probabilities, 1e-7, 1 - 1e-7)
    logits = logit(shares) if rows.problem.several else np.log(shares)
    return rows.problem.figures(*deciding.answered(logits, rows.gold, answers))


def _rewrite(path: Path, answers: list[str]) -> None:
    """The predictions file with other answers, and all else as it was."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    place = header.index("predicted")
    predictions.write_rows(
        path, [header, *([*row[:place], one, *row[place + 1 :]] for row, one in zip(rows, answers, strict=True))]
    )


def _changes(split: str, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    names = [name for name in ("accuracy", "subset_accuracy", "f1_macro", "f1_micro") if name in now and name in before]
    shown = [f"{name} {before[name]:.4f} -> {now[name]:.4f}" for name in names]
    return [f"{split}: {some(shown)}"] if shown else []


def _verdict(run: dict[str, Any], record: dict[str, Any] | None) -> dict[str, Any]:
    """The verdict, which is of the likeliest label whatever decides, saying so."""
    told = run.get("verdict")
    if not told:
        return {}
    others = [one for one in told["warnings"] if not str(one.get("kind")).startswith("decided_")]
    now = [deciding.fact(record)] if record else []
    return {"verdict": verdict.heeding(told, [*others, *now])}


def _keep(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    with whole(path) as aside:
        aside.write_text(text, encoding="utf-8")
