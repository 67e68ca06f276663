"""What a run's report says of its predictions."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ...errors import UserError
from ...report import Evaluation, plots
from . import coverage, deciding, evaluation, predictions
from .calibration import BINS


def evaluate(folder: Path, run: dict[str, Any]) -> Evaluation | None:
    """The figures and pictures of a run folder's test predictions, or, without test, of validation; None without any.

    `run` is its run.json, from which `problem_type`, `label_names` and `calibration` are read. With both splits the
    temperature is the one fitted on validation. Raises `UserError` for a file that can't be read.
    """
    test, validation = (_read(folder / f"predictions-{split}.csv", run) for split in ("test", "validation"))
    if test is not None and validation is not None and test.labels != validation.labels:
        raise UserError(
            f"{folder}: the columns p_<label> of predictions-test.csv and predictions-validation.csv differ"
        )
    # Without test rows the validation rows are what is shown; nothing can then be fitted on others.
    rows, fitted_on = (test, validation) if test is not None else (validation, None)
    if rows is None:
        return None
    split, problem = "validation" if test is None else "test", rows.problem
    judged = rows.only_answered()
    figures: dict[str, Any] = {"split": split, "rows": len(judged), "headline": evaluation.headline(judged)}
    figures["slices"] = evaluation.slices(judged)
    pictures: dict[str, Figure] = {}
    if problem.has_names:
        found = evaluation.calibrate(rows, fitted_on, told=run.get("calibration"))
        figures["temperature"] = found["temperature"] if found and found["kept"] else None
        figures["per_label"] = evaluation.per_label(judged)
        if left_out := problem.left_out(judged.gold, judged.predicted):
            figures["labels_left_out"] = left_out
        figures["calibration"] = found
        figures["thresholds"] = evaluation.thresholds(rows, fitted_on, figures["temperature"])
        figures |= _decided(rows, run, figures["temperature"])
        if found and len(found["before"]["bins"].confidence) > 1:  # of one point nobody learns anything
            before, after = found["before"], found["after"]
            pictures["reliability"] = plots.reliability(before["bins"], after["bins"] if after else None)
    else:
        pictures["scatter"] = plots.scatter(rows.gold, rows.predicted)
        pictures["residuals"] = plots.residuals(rows.gold, rows.predicted)
    confused = problem.confused(judged.gold, judged.predicted)
    if confused is not None:
        figures["confusion"] = confused
        if len(confused["labels"]) <= plots.LEGIBLE:
            others = "of" in confused
            pictures["confusion"] = plots.confusion_matrix(confused["counts"], confused["labels"], others=others)
    right = problem.right(judged.gold, judged.predicted)
    figures["wrong_rows"] = None if right is None else int(len(judged) - right.sum())
    found_words = run.get("decided_words") or {}
    decided = found_words.get("rows", {}) if found_words.get("split") == split else {}
    figures["worst"] = [{**row, "decided": decided.get(str(row["id"]))} for row in evaluation.worst(judged)]
    words = {
        "several": problem.several,
        "fitted": fitted_on is not None,
        "slice_figure": problem.slice_figure,
        "bins": BINS,
        "decided_fact": deciding.fact(run["decision"]) if run.get("decision") else None,
    }
    return Evaluation(figures, pictures, words)


def _decided(rows: predictions.Predictions, run: dict[str, Any], temperature: float | None) -> dict[str, Any]:
    """What answers are decided by, with what that gives of each label; and what is left if it may say unsure."""
    record = run.get("decision")
    decision = deciding.of_record(record, rows.problem)
    found = coverage.counts(rows, temperature, decision)
    by_label = evaluation.decided_labels(rows, record["by_label"]) if record else []
    told = {**record, "by_label": by_label, "answered": len(rows.only_answered())} if record else None
    return {"decision": told, "coverage": found, "coverage_shown": coverage.lines(found) if found else []}


def _read(path: Path, run: dict[str, Any]) -> predictions.Predictions | None:
    if not path.exists():
        return None
    return predictions.read(path, problem_type=run.get("problem_type"), labels=run.get("label_names"))
