"""The trainer of a student of a classifier: of one label a row, of several, or of a rating."""

from typing import Any

import numpy as np
import torch

from ...models.losses import sequence_classification_loss
from ...training.distillation import numbers_loss, soft_labels_loss, soft_loss
from ...training.distilling import LABELLED, LOGITS, DistillTrainer
from .many_trainer import ManyLabelsTrainer

SOFTENED = {
    "single_label_classification": soft_loss,
    "multi_label_classification": soft_labels_loss,
    "regression": numbers_loss,
}


class StudentTrainer(DistillTrainer):
    """Learns what a teacher says of the kind of problem that the student's config names."""

    def softened(self, own: Any, wanted: Any) -> Any:
        return SOFTENED[self._config.problem_type](own, wanted, self.settings.temperature)

    def of_labels(self, logits: Any, labels: Any) -> Any:
        """0 for a batch none of whose rows has labels."""
        return sequence_classification_loss(logits, labels, self._config)

    @property
    def _config(self) -> Any:
        return self.accelerator.unwrap_model(self.model).config


class ManyStudentTrainer(StudentTrainer, ManyLabelsTrainer):
    """The same of very many labels, whose evaluations keep the likeliest alone."""


class StudentCollator:
    """The task's, with `teacher_logits` [B, K] float32 and `labelled` [B] bool where the rows have them."""

    def __init__(self, collate: Any):
        self.collate = collate

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        batch = self.collate(rows)
        if LOGITS in rows[0]:
            batch[LOGITS] = torch.tensor(np.array([row[LOGITS] for row in rows], np.float32))
            batch[LABELLED] = torch.tensor([row[LABELLED] for row in rows])
        return batch
