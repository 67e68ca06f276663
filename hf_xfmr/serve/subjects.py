"""What a folder's model does when it is asked over HTTP: rows of a batch in, an answer or an exception for each out.

A subject is loaded and called in the model's thread alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from ..errors import UserError
from ..tasks.classification.words import Row as Text
from . import refusals
from .batcher import More
from .job import Entry

Answered = tuple[Entry, Any]  # the answer, or the exception that there is instead


class Asked(NamedTuple):
    """What beside its row an answer depends on; rows that ask the same are computed together."""

    pairs: bool = False
    raw: bool = False  # scores before softmax or sigmoid
    whole: bool = False  # refuse a text that would be cut
    top_k: int = 5  # of `fill`


class Subject:
    """A model that answers texts. `command` is the one of the command line that asks the same."""

    command: str

    def __init__(self, model: str, batch_size: int, engine: str | None = None):
        self.model, self.batch_size, self.engine = model, batch_size, engine

    def load(self) -> None:
        """Read the model. Raises `UserError` as the command does."""
        raise NotImplementedError

    def info(self) -> dict[str, Any]:
        """What /info says beside what it says of every model."""
        return {}

    def compute(self, entries: Sequence[Entry], asked: Any, more: More) -> Iterable[Answered]:
        """Each entry with its answer; `more` gives those that wait by now, at most so many."""
        return zip(entries, self._answers([entry.given for entry in entries], asked), strict=True)

    def warm_up(self) -> None:
        """Compute a row, so that the first client does not wait for what is only done once."""
        self._answers([Text("a")], Asked())

    def _answers(self, rows: Sequence[Text], asked: Asked) -> list[Any]:
        raise NotImplementedError


class Predicting(Subject):
    """Classification, ratings, entities, and answers to questions."""

    command = "predict"

    def load(self) -> None:
        from ..predict import load

        self.predictor = predictor = cast(Any, load(self.model, engine=self.engine))
        self.finds_entities = self.predictor.columns is None
        self.answers_questions = "answer" in (self.predictor.columns or ())
        self.reads_pairs = None if self.finds_entities else predictor.text_window.get("pair")

    def info(self) -> dict[str, Any]:
        if self.finds_entities:
            return {"task": "tagging"}
        window = self.predictor.text_window
        if self.answers_questions:
            gives_none = self.predictor.threshold is not None
            return {"task": "question_answering", "reads_pairs": True, "may_have_no_answer": gives_none} | {
                "max_input_length": window["max_length"]
            }
        said = {"task": "classification", "labels": self.predictor.names, "reads_pairs": self.reads_pairs}
        return said | {"max_input_length": window["max_length"], "over_long": window.get("over_long", "head")}

    def warm_up(self) -> None:
        self._answers([Text("a", "a" if self.reads_pairs else None)], Asked(pairs=bool(self.reads_pairs)))

    def _answers(self, rows: Sequence[Text], asked: Asked) -> list[Any]:
        texts, pairs = [row.text for row in rows], [row.pair or "" for row in rows] if asked.pairs else None
        refused = self._too_long(texts, pairs) if asked.whole else {}
        call = self.predictor.scores if asked.raw else self.predictor
        answers = list(call(texts, pairs, batch_size=self.batch_size))
        for place, answer in enumerate(answers):
            if "error" in answer:
                refused.setdefault(place, refusals.broken(answer["error"]))
        return [refused.get(place, answer) for place, answer in enumerate(answers)]

    def _too_long(self, texts: list[str], pairs: list[str] | None) -> dict[int, Exception]:
        """Of the texts that the model does not read whole what their clients are told."""
        found: dict[int, Exception] = {}
        for place, (tokens, room) in enumerate(self.predictor.tokens(texts, pairs)):
            if tokens > room:
                found[place] = refusals.too_much(
                    f"`inputs` has {tokens:,} tokens, and {room:,} fit; shorten it, or leave `truncate` out"
                )
        return found


class Filling(Subject):
    """Masked words."""

    command = "fill"

    def load(self) -> None:
        from ..tasks.pretraining.filler import Filler

        self.filler: Any = Filler(self.model, engine=self.engine)

    def info(self) -> dict[str, Any]:
        return {"task": "fill", "mask_token": self.filler.tokenizer.mask_token}

    def warm_up(self) -> None:
        self._answers([Text(self.filler.tokenizer.mask_token)], Asked(top_k=1))

    def _answers(self, rows: Sequence[Text], asked: Asked) -> list[Any]:
        answers: list[Any] = []
        for row in rows:
            try:
                answers.append(self.filler(row.text, top_k=asked.top_k))
            except UserError as error:
                answers.append(error)
        return answers


class Translating(Subject):
    command = "translate"

    def load(self) -> None:
        from ..tasks.translation.translator import load_translator

        self.translator: Any = load_translator(self.model, self.engine)

    def info(self) -> dict[str, Any]:
        return {"task": "translation"}

    def _answers(self, rows: Sequence[Text], asked: Asked) -> list[Any]:
        written = self.translator([row.text for row in rows], batch_size=self.batch_size)
        return [{"translation_text": text} for text in written]
