"""A classifier that teaches another: any of stock's or ours, what it says of texts, kept on disk by their content."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ...data.wording import listed
from ...errors import UserError
from ...progress import progress
from ...run.teaching import Answers, naming_teacher
from .classifier import Classifier
from .problem import Problem

CHUNK = 1024  # rows of an entry on disk: what a killed run loses at most

SAYS = {
    "single_label_classification": "one label a row",
    "multi_label_classification": "any number of labels a row",
    "regression": "a rating of each row",
}


class Teacher:
    """A trained classifier by a folder's or a Hub name, asked for its logits."""

    def __init__(self, name: str):
        self.name = name
        with naming_teacher():
            self.classifier = Classifier(name, engine="torch", temperature=1.0)
        self.model: Any = self.classifier.engine.model  # type: ignore[attr-defined]
        self.answers = Answers(name, self.model)

    @property
    def kind(self) -> str:
        """Of which kind of problem it is: as its config says, or, where that is silent, as stock's classes take it."""
        told = self.classifier.engine.config.get("problem_type")
        return told or ("regression" if len(self.classifier.names) == 1 else "single_label_classification")

    def check(self, problem: Problem) -> None:
        """Raises `UserError` unless it answers as the data are labelled: by as many labels a row, and these, or by a
        rating."""
        if self.kind != problem.problem_type:
            raise UserError(
                f"teacher: {self.name} answers with {SAYS[self.kind]}, and the data have "
                f"{SAYS[problem.problem_type]}: give a teacher that answers so, or, if the labels can be read as the "
                f"teacher's, --problem_type {self.kind}"
            )
        if not problem.has_names and len(self.classifier.names) != 1:
            raise UserError(
                f"teacher: {self.name} answers with {len(self.classifier.names)} numbers a row, and the data have one: "
                "give a teacher of one number"
            )
        if problem.has_names and sorted(self.classifier.names) != sorted(problem.label_names):
            raise UserError(
                f"teacher: {self.name} answers with {listed(sorted(self.classifier.names))}, and the data have "
                f"{listed(problem.label_names)}: give a teacher of these labels, or its labels in the data"
            )

    def order(self, problem: Problem) -> list[int]:
        """Where each of the data's labels stands among the teacher's."""
        if not problem.has_names:
            return [0]
        return [self.classifier.names.index(name) for name in problem.label_names]

    def logits(self, texts: Sequence[str], pairs: Sequence[str] | None, problem: Problem, *, bf16: bool) -> np.ndarray:
        """Of each text (with its pair) [N, K] float32, in the order of the data's labels: from the disk, or computed
        and kept, some rows at a time, so that a killed run has those that it had."""
        by_chunk = []
        about = {"reads": self.classifier.text_window, "bf16": bf16}
        starts = range(0, len(texts), CHUNK)
        for start in progress(starts, what="the teacher's answers", unit="chunk", leave=False):
            some = list(texts[start : start + CHUNK])
            beside = None if pairs is None else list(pairs[start : start + CHUNK])
            read, shape = {**about, "texts": some, "pairs": beside}, (len(some), len(self.classifier.names))
            compute = functools.partial(self._computed, some, beside, bf16)
            by_chunk.append(self.answers.of(read, len(some), shape, compute))
        self.model.float()
        return np.concatenate(by_chunk)[:, self.order(problem)]

    def _computed(self, texts: list[str], pairs: list[str] | None, bf16: bool) -> np.ndarray:
        encode = self.classifier.encoder(pairs is not None)
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=bf16):
            return self.classifier._logits(encode, texts, pairs, 64)
