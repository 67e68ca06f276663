"""Training with very many labels: what an evaluation keeps of its outputs, and a temperature fitted on some of them."""

from typing import Any

import numpy as np
from datasets import Dataset

from ...training import XfmrTrainer
from . import calibration
from .most_likely import CALIBRATED, ids_of, of_logits
from .problem import Problem


class ManyLabelsTrainer(XfmrTrainer):
    """A trainer whose predictions are the fields of `Outputs`, and whose multi-label labels are ids [N, m].

    With `whole` set both are as the model gives and reads them.
    """

    whole = False

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        loss, logits, labels = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        if self.whole or logits is None or labels is None:
            return loss, logits, labels
        several = labels.ndim == 2
        return loss, of_logits(logits, several, labels), ids_of(labels > 0) if several else labels


def fit_temperature(trainer: ManyLabelsTrainer, rows: Dataset, problem: Problem) -> dict[str, Any]:
    """`calibration.fitted` on rows from all over, as many as there is room for the logits of, and how many: `rows`."""
    count = max(1, min(len(rows), CALIBRATED // len(problem.label_names)))
    some = rows.select([place * len(rows) // count for place in range(count)])
    figures, trainer.compute_metrics, trainer.whole = trainer.compute_metrics, None, True
    try:
        outcome = trainer.predict(some, metric_key_prefix="fit")
    finally:
        trainer.compute_metrics, trainer.whole = figures, False
    probabilities = problem.probabilities(np.asarray(outcome.predictions, float))
    return calibration.fitted(probabilities, np.asarray(outcome.label_ids)) | {"rows": count}
