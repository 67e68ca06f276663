"""Classify or rate texts with a fine-tuned model."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ...errors import UserError
from ...registration import longest_row
from ...run import adapted
from ...run.finite import fault
from .collate import ClassificationCollator
from .kinds import kind_of, of_labels
from .many_labels import ManyLabels
from .overlong import Encoder

WINDOW = 16  # batches that are put in order of length at a time


class Classifier:
    """A fine-tuned sequence classifier and its tokenizer, from one folder or Hub name.

    Logits are divided by `temperature`; None: by the one the run kept, if it did (`calibration_temperature` in the
    config). With more than 100 labels an answer has the probabilities of the ten likeliest, unless
    `all_probabilities`. Raises `UserError` for a temperature that is not above 0.
    """

    def __init__(self, model: str, *, temperature: float | None = None, all_probabilities: bool = False):
        self.name = model
        self.tokenizer = adapted.from_pretrained(AutoTokenizer, model)
        self.model = adapted.to_use(AutoModelForSequenceClassification, model)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        config = self.model.config
        names = [config.id2label[i] for i in range(config.num_labels)]
        kind = kind_of(config.problem_type)
        self.problem = kind(names) if all_probabilities else of_labels(kind, names)
        self.text_window = getattr(config, "text_window", None) or {
            "max_length": min(longest_row(config), self.tokenizer.model_max_length)
        }
        kept = getattr(config, "calibration_temperature", None) or 1.0
        self.temperature = float(kept if temperature is None else temperature)
        if not 0 < self.temperature < float("inf"):
            raise UserError(
                f"temperature is {temperature}; it must be above 0 (1: probabilities as the model gives them)"
            )
        if not self.problem.has_names:
            self.temperature = 1.0

    @property
    def columns(self) -> list[str]:
        """The names under which `flat` gives an answer."""
        return self.problem.columns

    @property
    def depends_on(self) -> dict:
        """What its answers depend on beside the model."""
        return {"temperature": self.temperature} | ({"columns": "top"} if isinstance(self.problem, ManyLabels) else {})

    def flat(self, answer: dict) -> dict:
        """An answer as a table has it: a column `p_<label>` for each label, of many labels `top1` and so on."""
        if isinstance(self.problem, ManyLabels):
            return self.problem.flat(answer)
        shares = {f"p_{name}": share for name, share in answer.get("probabilities", {}).items()}
        return {name: value for name, value in answer.items() if name != "probabilities"} | shares

    def __call__(
        self, texts: Iterable[str], pairs: Iterable[str] | None = None, *, batch_size: int = 64
    ) -> Iterator[dict]:
        """For each text (with its pair) {"label", "probability", "probabilities"} ("other_labels": how many more labels
        there are than probabilities); without "probability" where several
        labels may hold, and {"value"} alone for regression. In the order of the texts, of which WINDOW batches are read
        at a time; {"error"} for a text whose logits are not finite. Raises `UserError` for pairs where the model reads
        single texts, and the reverse."""
        reads_pairs = self.text_window.get("pair")
        if reads_pairs is not None and reads_pairs != (pairs is not None):
            wanted, given = ("pairs of texts", "single texts") if reads_pairs else ("single texts", "pairs of texts")
            raise UserError(f"the model reads {wanted}, and was given {given}")
        encode = Encoder(self.tokenizer, **{**self.text_window, "pair": pairs is not None})
        texts, others = iter(texts), None if pairs is None else iter(pairs)
        while some := list(islice(texts, WINDOW * batch_size)):
            beside = None if others is None else list(islice(others, len(some)))
            logits = self._logits(encode, some, beside, batch_size)
            with np.errstate(over="ignore"):
                finite: np.ndarray = np.isfinite(logits / self.temperature).all(axis=-1)  # type: ignore[assignment]
            logits[~finite] = 0.0
            answers = self.problem.answers(logits, self.temperature)
            yield from (one if fine else {"error": fault(self.name)} for one, fine in zip(answers, finite, strict=True))

    @torch.inference_mode()
    def _logits(self, encode: Encoder, texts: list[str], pairs: list[str] | None, batch_size: int) -> np.ndarray:
        """[N, C] float32 in the order of the texts, computed in batches of like lengths, the longest first."""
        columns, collate = encode(texts, pairs), ClassificationCollator(self.tokenizer)
        order = sorted(range(len(texts)), key=lambda row: -columns["kept"][row])
        logits = np.empty((len(texts), self.model.config.num_labels), np.float32)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            inputs = collate([{name: columns[name][row] for name in encode.columns} for row in batch])
            inputs = {name: tensor.to(self.model.device) for name, tensor in inputs.items()}
            logits[batch] = self.model(**inputs).logits.float().cpu().numpy()
        return logits
