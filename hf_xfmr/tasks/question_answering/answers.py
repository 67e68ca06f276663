"""The outputs of a trained model over a split's windows -> what is answered to each of its questions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import metrics
from .data import AnsweringData
from .encode import window_of
from .spans import Found, Given, best_threshold, find, given


def found_in(outputs: Sequence[np.ndarray], corpus: AnsweringData, split: str) -> list[Found]:
    """The best spans of each question, from the starts' and ends' logits [rows, T] of its windows."""
    starts, ends = (np.asarray(one) for one in outputs[:2])
    rows, questions = corpus.splits[split], corpus.questions[split]
    places: list[list[int]] = [[] for _ in range(len(questions))]
    for place, number in enumerate(rows["question"][:]):
        places[number].append(place)
    contexts = questions["text_pair"][:]
    longest = corpus.text_window["max_answer_length"]
    held = [window_of(row) for row in rows]
    return [
        find(
            contexts[number],
            [held[place] for place in own],
            [np.stack([starts[place], ends[place]], -1) for place in own],
            max_answer_length=longest,
        )
        for number, own in enumerate(places)
    ]


def all_given(found: Sequence[Found], corpus: AnsweringData, split: str, threshold: float | None) -> list[Given]:
    """What is answered to each question of a split."""
    contexts = corpus.questions[split]["text_pair"][:]
    return [given(context, one, threshold) for context, one in zip(contexts, found, strict=True)]


def fitted_threshold(found: Sequence[Found], corpus: AnsweringData, split: str) -> float:
    """The threshold of the highest F1 over a split's questions."""
    gold = corpus.questions[split]["answers"][:]
    spans = [one.text for one in all_given(found, corpus, split, None)]
    answered = metrics.scores(corpus.metric, gold, spans)[:, 1]
    unanswered = metrics.scores(corpus.metric, gold, [None] * len(gold))[:, 1]
    return best_threshold(np.array([one.margin for one in found]), answered, unanswered)


def during_training(outputs: Any, corpus: AnsweringData) -> Mapping[str, float]:
    """The figures of validation while the model is trained, with a threshold of 0."""
    gold = corpus.questions["validation"]["answers"][:]
    found = found_in(outputs, corpus, "validation")
    answers = all_given(found, corpus, "validation", 0.0 if corpus.may_be_none else None)
    each = metrics.scores(corpus.metric, gold, [one.text for one in answers])
    return metrics.answer_metrics(gold, each)
