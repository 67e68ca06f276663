"""Texts read once, checked, and their words counted in bounded memory."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, models, trainers

from ..errors import UserError
from ..progress import progress
from .chunks import Split

logger = logging.getLogger(__name__)

WORDS_KEPT = 500_000  # different words to learn from: 1.5 GB of memory to merge the bytes of as many Chinese ones
PART = 5_000_000  # characters of different chunks counted before rare words are dropped


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


def count_words(tokenizer: Tokenizer, texts: Iterator[str], split: Split) -> Counter[str]:
    """How often each word of the normalised, split texts occurs, in alphabetical order; the library counts.

    Each different chunk of the texts (see `chunks.py`) is normalised and split once, however often it comes. The
    library's trainers number and sum in the order of a hash table with a random seed: counting first, and sorting,
    makes the result the same every time. Counting by parts bounds the memory, where a run of Chinese is a word hardly
    seen twice. Only the `WORDS_KEPT` most frequent words are returned; a warning says what is left out.
    """
    tokenizer.model = models.WordLevel()
    counts: Counter[str] = Counter()
    total = 0
    for chunks in _parts(texts, split):
        part = _words_of(tokenizer, chunks)
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


def _parts(texts: Iterator[str], split: Split) -> Iterator[Counter[str]]:
    """How often each chunk occurs, in parts with up to `PART` characters of different chunks, or one text's."""
    held: Counter[str] = Counter()
    room = PART
    for text in texts:
        held.update(split(text))
        room -= len(text)
        if room <= 0:
            room = PART - sum(map(len, held))
            if room <= PART // 10:
                yield held
                held, room = Counter(), PART
    yield held


def _words_of(tokenizer: Tokenizer, chunks: Counter[str]) -> Counter[str]:
    """How often each word occurs in chunks that occur so often. The trainer counts a chunk once for each time that it
    is given, so those whose number has a bit are given once for this bit, and count as much as it does."""
    found: Counter[str] = Counter()
    for bit in range(max(chunks.values(), default=0).bit_length()):
        some = (chunk for chunk, count in chunks.items() if count >> bit & 1)
        trainer = trainers.WordLevelTrainer(vocab_size=0, show_progress=False)
        tokenizer.train_from_iterator(some, trainer)
        for word, count in json.loads(trainer.__getstate__())["WordLevelTrainer"]["words"].items():
            found[word] += count << bit
    return found


def _most_frequent(counts: Counter[str]) -> Counter[str]:
    """The `WORDS_KEPT` most frequent words, of equals the first in the alphabet."""
    if len(counts) <= WORDS_KEPT:
        return counts
    return Counter(dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORDS_KEPT]))
