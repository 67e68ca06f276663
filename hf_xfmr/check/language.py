"""Findings about a checkpoint's language: words cut into many pieces, and a model of capital letters given none."""

import re
from collections.abc import Iterator

from .findings import Finding, per_cent
from .tokens import Encoded

VOCABULARY = 8_000  # tokens from which a vocabulary has most of its language's words, so that these can tell
WORDS = 200  # fewer of them say little
# Pieces of a word, on average: to sample:minilm, which reads English, 1.0 to 1.1 of English and 1.6 of French. One of
# many languages has more of each than one of its own, so that this is a note.
MANY, TOO_MANY = 1.6, 2.5
_WITH_SPACES = ("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Armenian", "Georgian")
_WITH_CASE = ("Latin", "Cyrillic", "Greek", "Armenian")
_SPACES = "Ġ▁"  # as vocabularies write them, the former a capital letter to Python
FEW_CAPITALS = 0.001  # of the letters; of English prose they are 2 % and more
_WORD, _SIGN = re.compile(r"\w+"), re.compile(r"[^\w\s]")


def of_words(one: Encoded) -> Iterator[Finding]:
    """Words that the vocabulary has only in pieces: a checkpoint of another language, or a subject of its own."""
    name, _ = _main(one)
    texts = one.part.texts[one.column]
    words = sum(len(_WORD.findall(text)) for text in texts)
    if len(one.tokenizer) < VOCABULARY or name not in _WITH_SPACES or words < WORDS:
        return
    pieces = (one.used.total() - sum(len(_SIGN.findall(text)) for text in texts)) / words
    if pieces >= MANY:
        yield Finding(
            level="warning" if pieces >= TOO_MANY else "note",
            name="words-in-pieces",
            message=f'a word of train column "{one.part.named(one.column)}" is {pieces:.1f} tokens on average, and '
            "about 1.1 where a checkpoint is of the text's own language",
            advice="see whether the checkpoint is of this language; one of many (XLM-RoBERTa) has more pieces of each",
            split="train",
            column=one.part.named(one.column),
        )


def letter_case(one: Encoded) -> Iterator[Finding]:
    """A vocabulary that tells capital letters, and texts that have none: somebody has lower-cased them."""
    name, letters = _main(one)
    if len(one.tokenizer) < VOCABULARY or name not in _WITH_CASE or letters < 10 * WORDS:
        return
    capitals = sum(map(str.isupper, "".join(one.part.texts[one.column])))
    with_capitals = sum(any(map(str.isupper, token.lstrip(_SPACES))) for token in one.tokenizer.get_vocab())
    tells = one.tokenizer.tokenize("The Time") != one.tokenizer.tokenize("the time")
    if capitals < FEW_CAPITALS * letters and tells and with_capitals > 0.02 * len(one.tokenizer):
        yield Finding(
            level="warning",
            name="lower-cased",
            message=f'{per_cent(capitals / letters)} of the letters in train column "{one.part.named(one.column)}" are '
            "capitals, and the checkpoint reads texts as they are written: it tells The from the",
            advice="give the texts as they were written, or take an uncased checkpoint",
            split="train",
            column=one.part.named(one.column),
        )


def _main(one: Encoded) -> tuple[str, int]:
    """The script of most letters, and how many letters of it there are."""
    found = [(name, count) for name, count in one.scripts.most_common(2) if name]
    return found[0] if found else ("", 0)
