"""What the run of a fold leaves for the last one: its outputs for the rows it had not seen, and when it was best."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from datasets import Dataset

from ....errors import UserError
from ....run.folds import Part, running
from ....training import XfmrTrainer
from ....writing import whole
from ..data import ClassificationData

ARRAYS, FACTS = "fold.npz", "fold.json"


@dataclass
class OutOfFold:
    """Of all N rows, in their order: `outputs` [N, K] (logits) of the model that had not seen the row, and those of the
    baseline, if there was one, by `name`; `against` is as `fit_baseline` gives it, for the split `validation`, which
    these rows are to the last run. `rows` are the rows, dealt out to `of` folds."""

    of: int
    rows: Dataset
    outputs: np.ndarray
    against: dict[str, Any] | None


def keep(folder: Path, trainer: XfmrTrainer, corpus: ClassificationData, outputs: Any, against: dict | None) -> None:
    """Write what the run that leaves out a fold says of it; of any other run nothing."""
    part = running.get()
    if part is None or part.is_last or not trainer.is_world_process_zero():
        return
    rows = corpus.splits["test"]
    arrays: dict[str, Any] = {"outputs": np.asarray(outputs, np.float32), "ids": np.array(rows["id"][:], str)}
    arrays["labels"] = np.asarray(corpus.problem.array(rows["labels"][:]))
    if against is not None:
        arrays["baseline"] = np.asarray(against["scores"], np.float64)
    with whole(folder / ARRAYS) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **arrays)
    facts = {
        "baseline": against and {name: against[name] for name in ("name", "rows")},
        "train": len(corpus.splits["train"]),
        "test": len(rows),
        **_best(trainer),
    }
    with whole(folder / FACTS) as aside:
        aside.write_text(json.dumps(facts), encoding="utf-8")


def _best(trainer: XfmrTrainer) -> dict[str, float | None]:
    """The step and the epoch of the best checkpoint, at which the run ended; None: it ended with the last step."""
    step = trainer.state.best_global_step if trainer.args.load_best_model_at_end else None
    if not step:
        return {"step": None, "epoch": None}
    found = [entry["epoch"] for entry in trainer.state.log_history if entry.get("step") == step and "epoch" in entry]
    return {"step": step, "epoch": found[-1] if found else None}


def facts(folder: Path, of: int) -> list[dict[str, Any]]:
    """What each fold left of itself. Raises `UserError` for a file that is missing or damaged."""
    return [of_fold(folder / f"fold-{number}") for number in range(1, of + 1)]


def of_fold(folder: Path) -> dict[str, Any]:
    """The same of the fold whose run is there."""
    path = folder / FACTS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read ({error}): remove {path.parent}, and run the same again") from None


def length(left: Sequence[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """How long the last run trains, as settings: the median of the epochs (or, where `max_steps` was given, of the
    steps) at which the folds were best; {} where they ended with their last step: as long as they."""
    in_steps = (settings.get("max_steps") or -1) > 0
    best = [one["step" if in_steps else "epoch"] for one in left]
    if any(one is None for one in best):
        return {}
    return {"max_steps": round(median(best))} if in_steps else {"num_train_epochs": float(median(best))}


def of_run(folder: Path, corpus: ClassificationData) -> OutOfFold | None:
    """What the folds left, put together, for the last run in `folder`; None for any other run. Raises `UserError` where
    the rows are others than those of the folds."""
    part = running.get()
    if part is None or not part.is_last:
        return None
    assert corpus.fold_of is not None
    rows, problem = corpus.splits["train"], corpus.problem
    labels, ids = np.asarray(problem.array(rows["labels"][:])), np.array(rows["id"][:], str)
    outputs: np.ndarray | None = None
    baseline: np.ndarray | None = None
    for number in range(1, part.of + 1):
        with np.load(folder / f"fold-{number}" / ARRAYS) as arrays:
            places = np.flatnonzero(corpus.fold_of == number)
            same = len(arrays["ids"]) == len(places) and (arrays["ids"] == ids[places]).all()
            if not same or not np.array_equal(arrays["labels"], labels[places]):
                raise UserError(
                    f"the rows or labels of the dataset have changed since {folder / f'fold-{number}'} was trained: "
                    "give another --output_dir, or remove that folder"
                )
            if outputs is None:
                outputs = np.zeros((len(rows), arrays["outputs"].shape[1]))
            outputs[places] = arrays["outputs"]
            if "baseline" in arrays:
                if baseline is None:
                    baseline = np.zeros((len(rows), *arrays["baseline"].shape[1:]))
                baseline[places] = arrays["baseline"]
    assert outputs is not None
    return OutOfFold(part.of, rows, outputs, _against(folder, part, corpus, labels, baseline))


def _against(
    folder: Path, part: Part, corpus: ClassificationData, labels: np.ndarray, scores: np.ndarray | None
) -> dict[str, Any] | None:
    if scores is None:
        return None
    about = facts(folder, part.of)[0]["baseline"]
    problem = corpus.problem
    return {**about, "validation": problem.figures(scores, labels), "answers": problem.decided(problem.outputs(scores))}
