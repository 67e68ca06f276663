"""Documents -> their sentences in token ids, with the places where whole words begin."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import tee

import numpy as np

from ...data.kept_columns import Kept
from ...errors import UserError
from ...tokenizer import chinese
from ...tokenizer.chinese import cutter
from ...tokenizer.long_texts import tokens_of
from ...tokenizer.token_table import kept_numbers, kept_tokens

# A sentence ends behind its full stop (with closing quotes), or at the end of a line; a clause at a comma too.
SENTENCE = re.compile(r"[。！？!?；;…]+[”’」』\"')）]*|(?<=[^\W\d_])\.+[”’\"')]*(?=\s)|\n+")
CLAUSE = re.compile(SENTENCE.pattern + r"|[，,：:]+")
HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]+")
WORD = re.compile(r"[㐀-䶿一-鿿豈-﫿]+|[^\W_㐀-䶿一-鿿豈-﫿]+|\S")

Tokens = np.ndarray  # [2, n] int32: ids, and 1 where a word begins


def ends(text: str) -> list[int]:
    """Where the sentences of a text end; its clauses, if it is one sentence."""
    for pattern in (SENTENCE, CLAUSE):
        found = [match.end() for match in pattern.finditer(text)]
        found = [end for end in found if text[end:].strip()]
        if found:
            break
    return [*found, len(text)]


def tokenize(texts: Iterable[str], tokenizer, *, whole_words: bool, kept: Kept | None = None) -> Iterator[list[Tokens]]:
    """The sentences of each text. A text is tokenized as one, as it is for every other task, and then cut. Tokens are
    taken from `kept`, where it knows these texts, which are then read several times.

    With `whole_words` the pieces of a word belong together; words of Chinese are those of jieba. Raises UserError if
    the text is Chinese and jieba not installed, or the tokenizer has no offsets.
    """
    if not tokenizer.is_fast:
        raise UserError(f"{type(tokenizer).__name__} has no offsets; save it with a tokenizer.json")
    segment = Segmenter() if whole_words else None
    given: Iterable[str] = texts
    begins: Iterator[np.ndarray] | None = None
    encoded = None if kept is None else kept_tokens(texts, tokenizer, kept, offsets=True)
    if encoded is None:
        given, read = tee(texts)  # as many are held as are tokenized at a time
        encoded = tokens_of(read, tokenizer, offsets=True)
    elif kept is not None and segment is not None:
        begins = _kept_begins(texts, encoded, tokenizer, kept, segment)
    for text, (ids, _, stops) in zip(given, encoded, strict=True):
        last = _last_characters(stops)
        if begins is not None:
            starts = next(begins)
        else:
            starts = np.ones(len(ids), np.int32) if segment is None else _word_begins(segment(text), last)
        if not len(ids):
            continue
        tokens = np.stack([np.array(ids, np.int32), starts])
        cuts = np.searchsorted(last, ends(text)[:-1])
        yield [part for part in np.split(tokens, cuts, axis=1) if part.shape[1]]


def _last_characters(stops) -> np.ndarray:
    """Where a piece is: at its last character."""
    return np.maximum(np.array(stops, np.int64) - 1, 0)


def _word_begins(words: np.ndarray, last: np.ndarray) -> np.ndarray:
    """1 for the pieces that begin a word, [n] int32, by the word's number of each character, and where pieces are."""
    begins = np.ones(len(last), np.int32)
    begins[1:] = np.diff(words[last]) != 0
    return begins


def _kept_begins(
    texts: Iterable[str], encoded: Iterable, tokenizer, kept: Kept, segment: "Segmenter"
) -> Iterator[np.ndarray] | None:
    """`_word_begins` of each text and its tokens, found on disk or left there."""

    def make() -> Iterator[np.ndarray]:
        for text, (_, _, stops) in zip(texts, encoded, strict=True):
            yield _word_begins(segment(text), _last_characters(stops))

    settings = {"words": "whole", "jieba": chinese.version()}
    return kept_numbers(texts, tokenizer, kept, settings, make, code=(sys.modules[__name__], chinese))


class Segmenter:
    """Numbers the words of a text, character by character."""

    def __init__(self):
        self._cut: Callable | None = None

    def __call__(self, text: str) -> np.ndarray:
        """The number of the word each character is in, [n]; white space goes with the word after it."""
        begins = np.zeros(len(text), np.int32)
        behind = 0  # the run before
        for run in WORD.finditer(text):
            begins[behind] = 1
            behind = run.end()
            if HAN.match(run[0]):
                place = run.start()
                for word in list(self._chinese(run[0]))[:-1]:
                    place += len(word)
                    begins[place] = 1
        return np.cumsum(begins)

    def _chinese(self, run: str) -> Iterable[str]:
        if self._cut is None:
            self._cut = cutter()
        if self._cut is None:
            raise UserError(
                "whole_word_masking needs jieba to find the words of Chinese: pip install 'hf_xfmr[chinese]', or "
                "leave whole_word_masking out"
            )
        return self._cut(run)
