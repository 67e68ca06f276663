"""A finished run's report and model card, written anew from what the run left."""

from pathlib import Path

from .. import report
from ..data.regular import read_json
from ..hub import card
from .task import all_tasks


def rewrite(folder: str | Path, *, language: str | None = None) -> list[Path]:
    """Write report.html, report.json and, where the folder holds a model, README.md into a run's folder anew, in
    `language`, en or zh (None: as the run said). Returns what was written.

    Raises `UserError` if the folder is no finished run, a file of it can't be read, or for another language.
    """
    folder = Path(folder)
    record = read_json(folder / "run.json", "record of a run") if (folder / "run.json").exists() else {}
    recipe = record.get("recipe") if isinstance(record, dict) else None
    evaluate = next((task.evaluate for task in all_tasks() if task.recipe == recipe), None)
    written = [report.write(folder, evaluate, language=language)]
    if (folder / "config.json").exists():
        written.append(card.write(folder))
    return written
