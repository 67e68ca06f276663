"""A finished run's report and model card, written anew from what the run left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import report
from ..data.regular import read_json
from ..errors import UserError
from ..hub import card
from ..plain import one_line
from ..run.lora import FOLDER
from .task import all_tasks


def rewrite(folder: str | Path, *, language: str | None = None) -> list[Path]:
    """Write report.html, report.json and, where the folder holds a model or adapter/, README.md into a run's folder
    anew, in `language`, en or zh (None: as the run said). Returns what was written.

    Raises `UserError` if the folder is no finished run, a file of it can't be read, or for another language.
    """
    folder = Path(folder)
    with telling_of_damage(folder):
        return _rewritten(folder, language)


@contextmanager
def telling_of_damage(folder: Path) -> Iterator[None]:
    """Raises `UserError` for a record of a run that was changed: what it holds is no fault of ours."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{folder / 'run.json'} holds what no recipe writes ({type(error).__name__}: {one_line(error)}): take it "
            "from a copy, or let the recipe write it again"
        ) from error


def _rewritten(folder: Path, language: str | None) -> list[Path]:
    record = read_json(folder / "run.json", "record of a run") if (folder / "run.json").exists() else {}
    recipe = record.get("recipe") if isinstance(record, dict) else None
    task = next((task for task in all_tasks() if task.recipe == recipe), None)
    written = [report.write(folder, task.evaluate if task else None, language=language)]
    if task is not None:
        written += task.pages(folder, record, language)
    if (folder / "config.json").exists():
        written.append(card.write(folder))
    if (folder / FOLDER / "adapter_config.json").exists():
        written.append(card.write(folder / FOLDER))
    return written
