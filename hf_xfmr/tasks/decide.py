"""A finished run's answers decided otherwise, without training again: its thresholds, figures, report and card."""

from pathlib import Path
from typing import Any

from ..data.regular import read_json
from ..errors import UserError
from ..training import lock
from .rewrite import rewrite, telling_of_damage
from .task import all_tasks


def decide(
    folder: str | Path,
    *,
    best_f1: bool = False,
    target_precision: float | None = None,
    target_recall: float | None = None,
    costs: str | Path | None = None,
    likeliest: bool = False,
    decision_labels: str | None = None,
) -> list[str]:
    """Fit the decision of a run on the predictions of validation that it left, and put it into effect: in its config,
    its predictions files, its figures, report and card. Returns what is to be said.

    One of `best_f1`, `target_precision`, `target_recall`, `costs` (a file) and `likeliest` (as trained) is given;
    `decision_labels` are the labels that get a threshold, as "spam,fraud". Raises `UserError` for a folder without a
    finished run, or one in use; of another task; and for what can't be had.
    """
    folder = Path(folder)
    wish: dict[str, Any] = {
        **{"best_f1": best_f1, "target_precision": target_precision, "target_recall": target_recall, "costs": costs},
        **{"likeliest": likeliest, "decision_labels": decision_labels},
    }
    if not (folder / "run.json").exists():
        raise UserError(f"{folder} holds no run.json: give the output folder of a recipe that has finished")
    record = read_json(folder / "run.json", "record of a run")
    task = next((one for one in all_tasks() if one.recipe == record.get("recipe")), None)
    if task is None:
        raise UserError(f"{folder / 'run.json'} is of no recipe whose answers are decided: give a classification's run")
    was_locked = (folder / lock.NAME).exists()
    is_new = lock.acquire(folder)
    try:
        with telling_of_damage(folder):
            said = task.decide(folder, record, wish)
        return [*said, *(f"written: {path}" for path in rewrite(folder))]
    except UserError:
        if is_new and not was_locked:  # nothing is left of what was refused
            (folder / lock.NAME).unlink(missing_ok=True)
        raise
    finally:
        if is_new:
            lock.release(folder)
