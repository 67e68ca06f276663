"""Two runs of one task, compared on the same rows."""

import os
from pathlib import Path
from typing import Any

from ..data.regular import read_json
from ..errors import UserError
from .task import all_tasks


def compare(a: str | Path, b: str | Path) -> dict[str, Any]:
    """The folders of two runs of one kind, compared on their test rows (validation, if neither has test).

    Returns `split`, `rows`, `main` (the name of the figure that decides), and under `figures` for each figure
    {"name", "a", "b", "difference" (b - a), "low", "high", "p", "test", "better" ("higher" or
    "lower")}; `p` and the interval are those of the difference. Raises `UserError` if a folder is no finished run, the
    runs are of different kinds, or their rows differ, naming the first that does.
    """
    a, b = Path(a), Path(b)
    runs = [_run(folder) for folder in (a, b)]
    for task in all_tasks():
        task.refuse_to_compare((a, b), runs)
    patterns = {task: task.answers for task in all_tasks() if task.answers is not None}
    for task, pattern in patterns.items():
        for split in ("test", "validation"):
            files = [folder / pattern.format(split=split) for folder in (a, b)]
            there = [file.exists() for file in files]
            if all(there):
                found = task.compare(files, runs)
                return {"kind": task.name, "split": split, "main": found["figures"][0]["name"], **found}
            if any(there):
                lacking = files[there.index(False)]
                raise UserError(
                    f"{lacking} is missing, so that there is nothing to compare {files[there.index(True)]} with"
                )
    raise UserError(f"{a} and {b} hold no predictions to compare: give folders of finished runs of the same recipe")


def _run(folder: Path) -> dict:
    if not os.path.lexists(folder / "run.json"):
        raise UserError(f"{folder} holds no run.json: give the output folder of a recipe that has finished")
    run = read_json(folder / "run.json", "record of a run")
    for name in ("metrics", "settings", "arguments"):
        if not isinstance(run.get(name) or {}, dict):
            raise UserError(f"{folder / 'run.json'}: {name} is no object: let the recipe write the file again")
    return run
