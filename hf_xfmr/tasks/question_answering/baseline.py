"""What a reader of contexts has to beat: the sentence that has most of its words in common with the question."""

import re
from collections.abc import Sequence

from ...data.word_lists import CHINESE

NAME = "the sentence of the context with most words of the question"
BASELINES = ("sentence", "none")
_SENTENCE = re.compile(r"[^.!?。！？；\n]+[.!?。！？；\n]*")
_WORD = re.compile(r"\w+")


def predict(questions: Sequence[str], contexts: Sequence[str]) -> list[str]:
    """A sentence for each question: that of the context with most distinct words of the question (of Chinese:
    characters); of equals the shortest, then the first."""
    return [_best(question, context) for question, context in zip(questions, contexts, strict=True)]


def _best(question: str, context: str) -> str:
    asked = _words(question)
    sentences = [one.group().strip() for one in _SENTENCE.finditer(context)]
    sentences = [one for one in sentences if one] or [context.strip()]
    return max(sentences, key=lambda one: (len(asked & _words(one)), -len(one)))


def _words(text: str) -> set[str]:
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        found |= {*word} if any(ord(one) in CHINESE for one in word) else {word}
    return found
