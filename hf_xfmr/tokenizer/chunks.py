"""Texts cut at white space into chunks whose tokens do not depend on what stands beside them: the same chunk, as a word
with its comma, comes again and again, and is split, counted and numbered once for all of a corpus.

What stands between two spaces is read alone by BERT's splitting and by `unigram`'s; GPT-2's takes the space before a
word along, so its chunks begin with their white space. What `cuts.py` says of added tokens holds here too: a text that
has one in it is tokenized whole.
"""

import json
import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

KEPT = 200_000  # chunks whose ids are remembered: some 50 MB
LONGEST = 60  # characters of a chunk that is remembered: longer ones hardly come again
TRIED = 50_000  # chunks after which it is clear whether they come again, as those of Chinese do not
ADDED = 50  # tokens beside the vocabulary that can be looked for in every text

# White space as the tokenizers library has it (Unicode's), and not as Python has it, which counts U+001C to U+001F.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_WITH_SPACE_BEFORE = re.compile(rf"[{_WHITE}]*[^{_WHITE}]+|[{_WHITE}]+")

Split = Callable[[str], list[str]]


def between_spaces(text: str) -> list[str]:
    return [chunk for chunk in text.split(" ") if chunk]


def with_space_before(text: str) -> list[str]:
    return _WITH_SPACE_BEFORE.findall(text)


def split_of(tokenizer: Any) -> Split | None:
    """How a tokenizer's texts can be cut into chunks; None for one of which that is not known."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    splits, normalizer = _state(backend.pre_tokenizer), _state(backend.normalizer)
    tokens = tokenizer.added_tokens_decoder.values()
    looked_for_in_changed = bool(normalizer) and any(token.normalized for token in tokens)
    if looked_for_in_changed or len(tokens) > ADDED or _is_random(backend.model):
        return None
    kind = splits.get("type")
    if kind == "BertPreTokenizer" and normalizer.get("type") in (None, "BertNormalizer"):
        return between_spaces
    if kind == "ByteLevel" and splits.get("use_regex") and not splits.get("add_prefix_space"):
        return with_space_before if normalizer.get("type") in (None, "Lowercase") else None
    return None


def _state(part: Any) -> dict:
    return {} if part is None else json.loads(part.__getstate__())


def _is_random(model: Any) -> bool:
    """Whether a word has other tokens each time (BPE dropout)."""
    return bool(getattr(model, "dropout", None))


class Remembered:
    """The ids of texts by those of their chunks, as far as the tokenizer's kind allows; `encode` gives the ids of texts
    that are given whole. The tokenizer must stay as it is."""

    def __init__(self, tokenizer: Any):
        self._split = split_of(tokenizer)
        added = () if self._split is None else tokenizer.added_tokens_decoder.values()
        self._added = tuple(token.content for token in added)
        self._ids: dict[str, Sequence[int]] = {}
        self._asked = self._missed = 0

    def ids_of(self, texts: list[str], encode: Callable[[list[str]], list[Sequence[int]]]) -> list[Sequence[int]]:
        """The ids of each text, those that it has as a whole."""
        if self._split is None:
            return encode(texts)
        apart = [None if any(token in text for token in self._added) else self._split(text) for text in texts]
        known = self._ids
        new = list(dict.fromkeys(one for chunks in apart if chunks for one in chunks if one not in known))
        whole = [text for text, chunks in zip(texts, apart, strict=True) if chunks is None]
        found = encode([*new, *whole]) if new or whole else []
        of_whole = iter(found[len(new) :])
        known.update(zip(new, found, strict=False))
        ids = known.__getitem__
        answers = [
            next(of_whole) if chunks is None else list(chain.from_iterable(map(ids, chunks))) for chunks in apart
        ]
        is_full = len(known) > KEPT
        for chunk in new:
            if is_full or len(chunk) > LONGEST:
                del known[chunk]
        self._judge(sum(len(chunks) for chunks in apart if chunks), len(new))
        return answers

    def _judge(self, asked: int, missed: int) -> None:
        """Give it up where most chunks are new ones."""
        self._asked, self._missed = self._asked + asked, self._missed + missed
        if self._asked >= TRIED:
            if 2 * self._missed > self._asked:
                self._split, self._ids = None, {}
            self._asked = self._missed = 0
