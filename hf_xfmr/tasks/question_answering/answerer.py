"""Answer questions about contexts with a fine-tuned model, whatever computes it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from ... import engines
from ...engines.batches import by_length
from ...errors import UserError
from ...run.finite import fault
from .spans import Found, find, given
from .windows import Window, Windows

HEAD = "AutoModelForQuestionAnswering"
WINDOW = 4  # batches of questions whose windows are put in order of length at a time
OTHERS = 2  # answers beside the best that are told


class Answerer:
    """A fine-tuned question answerer and its tokenizer, from a run's folder, an exported one, a stock checkpoint or a
    Hub name. `engine` computes it; None: what the folder is for (see `engines.find`); with `bf16` PyTorch in bfloat16.

    Whether there is no answer goes by `no_answer_threshold` of its config; a checkpoint without one always answers.
    """

    def __init__(self, model: str, *, engine: str | None = None, bf16: bool = False):
        self.name = model
        self.engine = engines.rows(model, HEAD, engine, bf16=bf16)
        self.depends_on: dict = {"engine": self.engine.engine}
        self.tokenizer, config = self.engine.tokenizer, self.engine.config
        kept = config.get("text_window") or {}
        longest = min(engines.positions(config), self.tokenizer.model_max_length)
        self.text_window = {"max_length": longest, "over_long": "windows", **kept, "pair": True}
        self.longest_answer = int(kept.get("max_answer_length") or 30)
        threshold = config.get("no_answer_threshold")
        if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float)):
            raise UserError(f"{model}: no_answer_threshold in its config.json is no number: correct it, or take it out")
        self.threshold: float | None = threshold
        self.columns = ["answer", "probability", "start", "end"]
        self.columns += [] if threshold is None else ["no_answer_probability"]
        self.windows = Windows(
            self.tokenizer, max_length=self.text_window["max_length"], overlap=self.text_window.get("overlap")
        )

    def summary(self, rows: int, unsure: int) -> None:
        """Nothing: each answer says how sure it is."""

    def __call__(
        self, texts: Iterable[str], pairs: Iterable[str] | None = None, *, batch_size: int = 64
    ) -> Iterator[dict]:
        """For each question, with its context, {"answer", "probability", "start", "end", "others"}: the part of the
        context, its characters [start, end), and two answers more; None for the first, and for where it stands, if
        there is none. Of a model that knows contexts without an answer also "no_answer_probability". Probabilities are
        shares among the best 20 spans and no answer. {"error"} for what can't be read whole or is not finite. Raises
        `UserError` for questions without contexts."""
        if pairs is None:
            raise UserError(
                "the model answers questions about contexts, and was given texts alone: give --question and --context, "
                "or a --file with columns question and context (called otherwise: --text_column of the question, "
                "--text_pair_column of the context)"
            )
        return self._answers(iter(texts), iter(pairs), batch_size)

    def flat(self, answer: dict) -> dict:
        """An answer as a table has it: without the others."""
        return {name: value for name, value in answer.items() if name != "others"}

    def _answers(self, texts: Iterator[str], pairs: Iterator[str], batch_size: int) -> Iterator[dict]:
        while some := list(islice(texts, WINDOW * batch_size)):
            contexts = list(islice(pairs, len(some)))
            made = list(self.windows(some, contexts))
            held = [window for one in made if not isinstance(one, str) for window in one]
            logits = iter(self._logits(held, batch_size))
            for context, one in zip(contexts, made, strict=True):
                if isinstance(one, str):
                    yield {"error": one}
                    continue
                yield self._answer(context, one, [next(logits) for _ in one])

    def _answer(self, context: str, windows: Sequence[Window], logits: Sequence[np.ndarray]) -> dict:
        if not all(np.isfinite(one).all() for one in logits):
            return {"error": fault(self.name)}
        return self._worded(context, find(context, windows, logits, max_answer_length=self.longest_answer))

    def _worded(self, context: str, found: Found) -> dict:
        one = given(context, found, self.threshold)
        spans = [
            {"answer": context[start:end], "probability": round(share, 6), "start": start, "end": end}
            for (_, start, end), share in zip(found.spans, one.shares, strict=True)
        ]
        said = {} if one.none_probability is None else {"no_answer_probability": round(one.none_probability, 6)}
        if one.text is None:
            nothing = {"answer": None, "probability": round(one.probability, 6), "start": None, "end": None}
            return {**nothing, **said, "others": spans[:OTHERS]}
        return {**spans[0], **said, "others": spans[1 : 1 + OTHERS]}

    def _logits(self, windows: Sequence[Window], batch_size: int) -> list[np.ndarray]:
        """Of each window [T, 2], of its own tokens alone."""
        found: list[np.ndarray] = [np.empty((0, 2))] * len(windows)
        for batch in by_length([one.ids for one in windows], batch_size):
            types = [windows[place].types for place in batch] if self.windows.has_types else None
            numbers = self.engine([windows[place].ids for place in batch], types)
            for place, one in zip(batch, numbers, strict=True):
                found[place] = one[: len(windows[place].ids)]
        return found
