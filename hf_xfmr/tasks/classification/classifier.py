"""Classify or rate texts with a fine-tuned model, whatever computes it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from ... import engines
from ...engines.batches import by_length
from ...errors import UserError
from ...run.finite import fault
from . import decisions, promise
from .answers import Rating, of_kind
from .overlong import Encoder

HEAD = "AutoModelForSequenceClassification"
WINDOW = 16  # batches that are put in order of length at a time


class Classifier:
    """A fine-tuned sequence classifier and its tokenizer, from a run's folder, an exported one or a Hub name.

    `engine` computes it, by its name or what is loaded; None: what the folder is for (see `engines.find`); with
    `bf16`, PyTorch in bfloat16. Logits are divided by `temperature`; None: by the one the run kept, if it did
    (`calibration_temperature` in the config). With more than 100 labels an answer has the probabilities of the ten
    likeliest, unless `all_probabilities`. Labels are decided as the config says (see decisions.py), by calibrated
    probabilities whatever the temperature; below `abstain_below` an answer is "unsure".
    Raises `UserError` for a temperature that is not above 0, and for abstaining where nothing is decided.
    """

    def __init__(
        self,
        model: str,
        *,
        engine: str | engines.Rows | None = None,
        temperature: float | None = None,
        all_probabilities: bool = False,
        abstain_below: float | None = None,
        bf16: bool = False,
    ):
        self.name = model
        self.engine: engines.Rows = (
            engines.rows(model, HEAD, engine, bf16=bf16) if engine is None or isinstance(engine, str) else engine
        )
        self.tokenizer, config = self.engine.tokenizer, self.engine.config
        self.names = engines.labels(config)
        self.answers = of_kind(
            config.get("problem_type"), self.names, model=str(model), all_probabilities=all_probabilities
        )
        self.text_window = config.get("text_window") or {
            "max_length": min(engines.positions(config), self.tokenizer.model_max_length)
        }
        self._encoders: dict[bool, Encoder] = {}
        # An export's logits are divided already, by this.
        divided = config.get("calibration_folded") or 1.0
        kept = (config.get("calibration_temperature") or 1.0) * divided
        self.temperature = float(kept if temperature is None else temperature)
        if not 0 < self.temperature < float("inf"):
            raise UserError(
                f"temperature is {temperature}; it must be above 0 (1: probabilities as the model gives them)"
            )
        has_names = not isinstance(self.answers, Rating)
        if not has_names:
            self.temperature = kept = divided = 1.0
        self.divisor, self._kept = self.temperature / divided, kept / divided
        self.abstain_below = abstain_below
        self.decision = decisions.of_config(config, self.names, several=self.answers.several, name=model)
        decisions.check_abstaining(abstain_below, self.decision, temperature, has_names=has_names)

    @property
    def columns(self) -> list[str]:
        """The names under which `flat` gives an answer."""
        return self.answers.columns

    @property
    def depends_on(self) -> dict:
        """What its answers depend on beside the model."""
        found: dict = {"temperature": self.temperature, "engine": self.engine.engine}
        if self.abstain_below is not None:
            found["abstain_below"] = self.abstain_below
        if not self.decision.is_default:
            found["decision"] = self.decision.thresholds or self.decision.costs
        return found | ({} if self.answers.whole else {"columns": "top"})

    def summary(self, rows: int, unsure: int) -> str | None:
        """What is to be said of `rows` answers of which so many are unsure; None: nothing."""
        if not rows or (self.abstain_below is None and not self.decision.may_be_unsure):
            return None
        return promise.summary(self.name, rows, unsure, self.abstain_below)

    def flat(self, answer: dict) -> dict:
        """An answer as a table has it: a column `p_<label>` for each label, of many labels `top1` and so on."""
        return self.answers.flat(answer)

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
        encode = self.encoder(pairs is not None)
        texts, others = iter(texts), None if pairs is None else iter(pairs)
        while some := list(islice(texts, WINDOW * batch_size)):
            beside = None if others is None else list(islice(others, len(some)))
            logits = self._logits(encode, some, beside, batch_size)
            with np.errstate(over="ignore"):
                finite: np.ndarray = np.isfinite(logits / self.divisor).all(axis=-1)  # type: ignore[assignment]
            logits[~finite] = 0.0
            answers = self.decision.applied(self.answers(logits, self.divisor), logits / self._kept, self.abstain_below)
            yield from (one if fine else {"error": fault(self.name)} for one, fine in zip(answers, finite, strict=True))

    def scores(self, texts: list[str], pairs: list[str] | None = None, *, batch_size: int = 64) -> Iterator[dict]:
        """For each text {"scores": of each label the logit divided by the temperature}: what softmax or sigmoid makes
        probabilities of; {"error"} where one is not finite."""
        encode = self.encoder(pairs is not None)
        for row in self._logits(encode, texts, pairs, batch_size) / self.divisor:
            fine = bool(np.isfinite(row).all())
            yield {"scores": dict(zip(self.names, row.tolist(), strict=True))} if fine else {"error": fault(self.name)}

    def tokens(self, texts: list[str], pairs: list[str] | None = None) -> list[tuple[int, int]]:
        """For each text, with its pair, how many tokens it has and how many the model reads at a time; special tokens
        count in neither."""
        encode = self.encoder(pairs is not None)
        return [(count, encode.room) for count in encode(texts, pairs)["tokens"]]

    def encoder(self, pair: bool) -> Encoder:
        """What makes rows of texts, or of pairs. Kept: to learn a tokenizer's special tokens takes as long as to read a
        short text."""
        if pair not in self._encoders:
            self._encoders[pair] = Encoder(self.tokenizer, **{**self.text_window, "pair": pair})
        return self._encoders[pair]

    def _logits(self, encode: Encoder, texts: list[str], pairs: list[str] | None, batch_size: int) -> np.ndarray:
        """[N, C] float32 in the order of the texts, computed in batches of like lengths, the longest first. Of a text
        in several windows the mean of theirs."""
        columns = encode(texts, pairs)
        found = [columns[name] for name in encode.columns]
        place: Sequence[int] = range(len(texts))
        if encode.over_long == "windows":
            place = [row for row, windows in enumerate(found[0]) for _ in windows]
            found = [[one for windows in column for one in windows] for column in found]
        ids, types = found[0], found[1] if len(found) > 1 else None
        logits = np.empty((len(ids), len(self.names)), np.float32)
        for batch in by_length(ids, batch_size):
            logits[batch] = self.engine(
                [ids[row] for row in batch], None if types is None else [types[row] for row in batch]
            )
        if len(ids) == len(texts):
            return logits
        sums = np.zeros((len(texts), logits.shape[1]), np.float32)
        np.add.at(sums, place, logits)
        return sums / np.bincount(place)[:, None].astype(np.float32)
