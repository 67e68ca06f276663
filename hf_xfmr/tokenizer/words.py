"""Texts read once, checked, and their words counted in bounded memory."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from tokenizers import Tokenizer, models, trainers

from ..errors import UserError
from ..progress import progress

logger = logging.getLogger(__name__)

WORDS_KEPT = 500_000  # different words to learn from: 1.5 GB of memory to merge the bytes of as many Chinese ones
PART = 5_000_000  # characters counted before rare words are dropped


def read(texts: Iterable[str], length: int | None) -> Iterator[str]:
    """The texts, each checked, under a progress bar; an error after the last if none held a character."""
    if isinstance(texts, str):
        raise UserError("the corpus is one string: give a list or another iterable of strings")
    empty = True
    for index, text in enumerate(progress(texts, what="read", total=length, unit="text")):
        if not isinstance(text, str):
            raise UserError(f"text {index} of the corpus is of type {type(text).__name__}: give strings only")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"text {index} of the corpus has half a surrogate pair at character {error.start}: mend or remove it"
            ) from None
        empty = empty and not text.strip()
        yield text
    if empty:
        raise UserError("the corpus holds no text: give at least one that is not empty")


def count_words(tokenizer: Tokenizer, texts: Iterator[str]) -> Counter[str]:
    """How often each word of the normalised, split texts occurs, in alphabetical order; the library counts.

    Its trainers number and sum in the order of a hash table with a random seed. Counting first, and sorting, makes the
    result the same every time. Counting by parts bounds the memory, where a run of Chinese is a word hardly seen twice.
    Only the `WORDS_KEPT` most frequent words are returned; a warning says what is left out.
    """
    tokenizer.model = models.WordLevel()
    counts: Counter[str] = Counter()
    total = 0
    for first in texts:
        trainer = trainers.WordLevelTrainer(vocab_size=0, show_progress=False)
        tokenizer.train_from_iterator(chain([first], _part(texts)), trainer)
        part = Counter(json.loads(trainer.__getstate__())["WordLevelTrainer"]["words"])
        total += part.total()
        counts += part
        if len(counts) > 2 * WORDS_KEPT:
            counts = _most_frequent(counts)
    counts = _most_frequent(counts)
    if left_out := total - counts.total():
        logger.warning(
            "too many different words: learning from the %s most frequent, which leaves out %.1f %% of all words",
            f"{len(counts):,}",
            100 * left_out / total,
        )
    return Counter(dict(sorted(counts.items())))


def _part(texts: Iterator[str]) -> Iterator[str]:
    """The next texts, up to `PART` characters."""
    characters = 0
    for text in texts:
        yield text
        characters += len(text)
        if characters >= PART:
            return


def _most_frequent(counts: Counter[str]) -> Counter[str]:
    """The `WORDS_KEPT` most frequent words, of equals the first in the alphabet."""
    if len(counts) <= WORDS_KEPT:
        return counts
    return Counter(dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORDS_KEPT]))
