"""A classifier that teaches another: any of stock's or ours, what it says of texts, kept on disk by their content."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import keeping
from ...data.wording import listed
from ...errors import UserError
from ...progress import progress
from .classifier import Classifier
from .problem import Problem

CHUNK = 1024  # rows of an entry on disk: what a killed run loses at most


class Teacher:
    """A trained classifier by a folder's or a Hub name, asked for its logits."""

    def __init__(self, name: str):
        self.name = name
        self.classifier = Classifier(name, engine="torch", temperature=1.0)
        self.model: Any = self.classifier.engine.model  # type: ignore[attr-defined]
        self.computed = self.found = 0
        self.not_kept: str | None = None

    def check(self, problem: Problem) -> None:
        """Raises `UserError` unless it answers with one of the data's labels."""
        if problem.problem_type != "single_label_classification":
            kind = problem.problem_type.replace("_", " ")
            raise UserError(f"distill is for one label a row, and this is {kind}: train a small model by classify")
        if sorted(self.classifier.names) != sorted(problem.label_names):
            raise UserError(
                f"teacher: {self.name} answers with {listed(sorted(self.classifier.names))}, and the data have "
                f"{listed(problem.label_names)}: give a teacher of these labels, or its labels in the data"
            )

    def order(self, problem: Problem) -> list[int]:
        """Where each of the data's labels stands among the teacher's."""
        return [self.classifier.names.index(name) for name in problem.label_names]

    def logits(self, texts: Sequence[str], pairs: Sequence[str] | None, problem: Problem, *, bf16: bool) -> np.ndarray:
        """Of each text (with its pair) [N, K] float32, in the order of the data's labels: from the disk, or computed
        and kept, some rows at a time, so that a killed run has those that it had."""
        by_chunk = []
        about = {"model": self._hash(), "reads": self.classifier.text_window, "bf16": bf16, "torch": torch.__version__}
        starts = range(0, len(texts), CHUNK)
        for start in progress(starts, what="the teacher's answers", unit="chunk", leave=False):
            some = list(texts[start : start + CHUNK])
            beside = None if pairs is None else list(pairs[start : start + CHUNK])
            name = keeping.key({"teacher": about, "texts": some, "pairs": beside}) + ".npy"
            by_chunk.append(self._chunk(name, some, beside, bf16))
        self.model.float()
        return np.concatenate(by_chunk)[:, self.order(problem)]

    def _chunk(self, name: str, texts: list[str], pairs: list[str] | None, bf16: bool) -> np.ndarray:
        if (path := keeping.find(name)) is not None:
            try:
                found = np.load(path, allow_pickle=False)
            except (OSError, ValueError):
                found = None
            if found is not None and found.shape == (len(texts), len(self.classifier.names)):
                self.found += len(texts)
                return found
            keeping.drop(name)
        encode = self.classifier.encoder(pairs is not None)
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=bf16):
            logits = self.classifier._logits(encode, texts, pairs, 64)
        self.computed += len(texts)
        if not np.isfinite(logits).all():
            raise UserError(f"teacher: {self.name} gives logits that are not finite: choose another checkpoint of it")
        if self.not_kept is None:
            self.not_kept = keeping.keep(name, lambda aside: _save(aside, logits))
        return logits

    def _hash(self) -> str:
        if not hasattr(self, "_known"):
            found = hashlib.sha256(str(type(self.model)).encode())
            for name, tensor in sorted(self.model.state_dict().items()):
                found.update(name.encode())
                found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
            self._known = found.hexdigest()
        return self._known

    def lines(self) -> list[str]:
        """What became of its answers."""
        if self.not_kept:
            return [f"teacher: {self.computed:,} answers computed, and not kept: {self.not_kept}"]
        kept = f", {self.found:,} found on disk" if self.found else ""
        return [f"teacher: {self.computed:,} answers computed{kept} (`hf_xfmr cache` shows them)"]


def _save(path: Path, logits: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, logits, allow_pickle=False)
