"""A trained model's outputs for the held-out splits: calibrated, decided, measured, and written row by row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from ...training import XfmrTrainer
from . import calibration, deciding, many_trainer, predictions
from .data import ClassificationData
from .deciding import Decided
from .folds.left import OutOfFold
from .many_trainer import ManyLabelsTrainer


@dataclass
class Measured:
    """`results` of each split; the `calibration` of `calibration.fitted`, None without; what answers are `decided` by.

    `shown` is the split that is spoken of, the last, with its `logits`, encoded `labels` and the `answers` of the
    decision (None: the problem's own); None where nothing is held out. `rows` are those of each split.
    """

    results: dict[str, dict[str, float]] = field(default_factory=dict)
    calibration: dict[str, Any] | None = None
    decided: Decided = field(default_factory=Decided)
    shown: str | None = None
    logits: Any = None
    labels: Any = None
    answers: Any = None
    rows: Mapping[str, Dataset] = field(default_factory=dict)

    @property
    def temperature(self) -> float | None:
        """The one that is kept."""
        return self.calibration["temperature"] if self.calibration and self.calibration["kept"] else None


def of_splits(
    trainer: XfmrTrainer,
    settings: Any,
    corpus: ClassificationData,
    splits: Mapping[str, Dataset],
    folder: Path,
    folds: OutOfFold | None = None,
) -> Measured:
    """Predict validation and test, and write `predictions-<split>.csv` of each into the run's folder. Of the last run
    of `folds` validation is all their rows, as they were predicted."""
    problem, found = corpus.problem, Measured(rows=dict(corpus.splits))
    names = [name for name in ("validation", "test") if name in splits]
    outputs = {name: problem.outputs(trainer.predictions(splits[name])) for name in names}
    if folds is not None:
        names, outputs = ["validation", *names], {"validation": folds.outputs, **outputs}
        found.rows = {**corpus.splits, "validation": folds.rows}
    golds = {name: problem.array(found.rows[name]["labels"][:]) for name in names}
    if (len(names) == 2 or folds is not None) and problem.has_names:
        if isinstance(trainer, ManyLabelsTrainer):
            found.calibration = many_trainer.fit_temperature(trainer, splits["validation"], problem)
        else:
            shares = problem.probabilities(np.asarray(outputs["validation"], float))
            found.calibration = calibration.fitted(shares, golds["validation"])
    found.decided = deciding.at_the_end(settings, problem, outputs, golds.get("validation"), found.temperature, folder)
    for name in names:
        found.shown, found.logits, found.labels = name, outputs[name], golds[name]
        found.answers = deciding.answers(problem, found.decided.decision, found.logits, found.temperature)
        found.results[name] = problem.figures(*deciding.answered(found.logits, found.labels, found.answers))
        if trainer.is_world_process_zero():
            said = deciding.names(found.decided.decision, found.answers)
            predictions.write(folder / f"predictions-{name}.csv", found.rows[name], found.logits, problem, said)
    return found
