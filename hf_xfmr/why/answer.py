"""A classifier's answer, and the share of each word in it."""

import shlex
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..plain import some
from ..run.said import nearest
from ..tasks.classification import left_out
from ..tasks.classification.classifier import Classifier
from ..tasks.classification.words import Row, Span, spans_of
from ..tasks.task import task_of

CLASSIFIER = "classification"  # the name of the task
METHODS = ("gradients", "left_out")


@dataclass(frozen=True)
class Why:
    """`shares` of the `words` in the probability of `label` (None: in a rating): above 0 for it, below 0 against it.

    `all` is that figure for the row, `none` for one without words, `error` how far the shares' sum is from the
    difference. `answer` is as `predict` gives it.
    """

    model: str
    method: str
    row: Row
    answer: dict[str, Any]
    label: str | None
    words: list[Span]
    shares: list[float]
    all: float
    none: float
    steps: int | None = None

    @property
    def error(self) -> float:
        return sum(self.shares) - (self.all - self.none)

    def text(self, word: Span) -> str:
        """The characters of a word."""
        return (self.row[word.of] or "")[word.start : word.end]

    def record(self) -> dict[str, Any]:
        """All of it, for a JSON file."""
        words = [
            {"text": self.text(word), **word._asdict(), "share": round(share, 6)}
            for word, share in zip(self.words, self.shares, strict=True)
        ]
        return {
            "model": self.model,
            "text": self.row.text,
            **({} if self.row.pair is None else {"text_pair": self.row.pair}),
            "answer": self.answer,
            "explained": "value" if self.label is None else self.label,
            "method": self.method,
            **({} if self.steps is None else {"steps": self.steps}),
            "figure": round(self.all, 6),
            "figure_without_words": round(self.none, 6),
            "completeness_error": round(self.error, 6),
            "words": words,
        }


def explained(
    model: str | Classifier,
    text: str,
    pair: str | None = None,
    *,
    label: str | None = None,
    method: str | None = None,
    engine: str | None = None,
) -> Why:
    """Why the model in a folder or on the Hub, or one that is `loaded`, answers a text, or a pair, as it does; `label`
    another answer than its own to ask about. `method` None: gradients where PyTorch computes, else leaving out.

    Raises `UserError` for a text without words, an unknown label or method, numbers that are not finite, and what the
    model can't read.
    """
    if method not in (None, *METHODS):
        raise UserError(f'method is "{method}"; it can be {" or ".join(METHODS)}')
    row = Row(text, pair)
    spans = spans_of(row)
    if not spans:
        raise UserError(f"{text[:40]!r} has no words to explain: give a text with some")
    classifier = model if isinstance(model, Classifier) else loaded(model, engine)
    (answer,) = classifier([text], None if pair is None else [pair])
    if "error" in answer:
        raise UserError(answer["error"])
    asked = _asked(classifier, answer, label)
    if (method or ("gradients" if classifier.engine.engine.startswith("torch") else "left_out")) == "left_out":
        found = left_out.shares(classifier, row, spans, asked)
        how = {"all": found["all"], "none": found["none"]}
        return Why(classifier.name, "left_out", row, answer, asked, spans, found["shares"], **how)
    from ..tasks.classification import gradients

    by_token = gradients.attribution(classifier, row, asked)
    words, shares = gradients.by_word(by_token, spans, row)
    how = {"all": by_token.all, "none": by_token.none}
    return Why(classifier.name, "gradients", row, answer, asked, words, shares, **how, steps=by_token.steps)


def loaded(model: str, engine: str | None) -> Classifier:
    """A classifier to be explained. Raises `UserError` for a model of another task, with what to do."""
    task = task_of(model, "predict", engine)
    if task.name != CLASSIFIER:
        name = shlex.quote(model)
        raise UserError(
            f"{model} is a model of {task.name}, and why explains classifiers alone: hf_xfmr predict {name} TEXT gives "
            f"its answers with their probabilities, hf_xfmr attention {name} TEXT shows where it looks"
        )
    return Classifier(model, engine=engine, all_probabilities=True)


def _asked(classifier: Classifier, answer: dict[str, Any], label: str | None) -> str | None:
    if label is None:
        return left_out.likeliest(answer)
    if "value" in answer:
        raise UserError(f"{classifier.name} gives ratings, not labels: leave --label out")
    if label not in classifier.names:
        raise UserError(
            f'"{label}" is no label of {classifier.name}'
            f"{nearest(label, classifier.names, listed=f'it has {some(classifier.names)}')}"
        )
    return label
