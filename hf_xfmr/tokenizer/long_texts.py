"""Texts of any length to ids in bounded memory: a tokenizer takes hundreds of bytes for each token it makes, so that
one line of 50 MB would take gigabytes. Long texts are tokenized in parts (see `cuts.py`), short ones some at a time."""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import UserError
from ..machine import free_memory
from . import unknown
from .chunks import Remembered
from .cuts import Cuts, cuts_of

PIECE = 100_000  # characters of a long text that are tokenized at a time
LONG = 2 * PIECE  # characters from which a text is long
TOGETHER = 1_000_000  # characters of short texts tokenized at a time
SENTENCE = re.compile(r"\n|[。！？]|[.!?](?=\s)")
BYTES = 300  # that a tokenizer takes at most for each character it is given


class Tokens(NamedTuple):
    """The tokens of a text, special ones left out: their ids, and if asked for the characters [start, end) of each."""

    ids: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


class TooLong(UserError):
    """A text that can neither be taken apart nor be tokenized whole in the memory there is."""

    def __init__(self, text: str, length: int, need: int, free: int):
        part = "" if length == len(text) else f", of them {length:,} that can't be taken apart"
        super().__init__(
            f'the text "{text[:30]}…" has {len(text):,} characters{part}, for which a tokenizer takes up to '
            f"{need / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free: cut it into several rows"
        )
        self.text = text


def tokens_of(
    texts: Iterable[str],
    tokenizer: Any,
    *,
    offsets: bool = False,
    side: str = "text",
    most: int = 256,
    remembered: Remembered | None = None,
) -> Iterator[Tokens]:
    """The tokens of each text, those that it has as a whole, in their order. `side` is the tokenizer's own argument
    (`text_target`: Marian's target). `remembered` is what is known of the tokenizer's chunks from other calls. Raises
    `TooLong`."""
    if remembered is None and not offsets:
        remembered = Remembered(tokenizer)
    held: list[str] = []
    characters = 0
    for text in texts:
        if held and (len(text) > LONG or len(held) == most or characters + len(text) > TOGETHER):
            yield from _short(held, tokenizer, offsets, side, remembered)
            held, characters = [], 0
        if len(text) > LONG:
            yield _of_long(text, tokenizer, offsets, side)
        else:
            held.append(text)
            characters += len(text)
    if held:
        yield from _short(held, tokenizer, offsets, side, remembered)


def _short(
    texts: list[str], tokenizer: Any, offsets: bool, side: str, remembered: Remembered | None
) -> Iterable[Tokens]:
    if offsets or remembered is None:
        return _encoded(texts, tokenizer, offsets, side)
    found = remembered.ids_of(texts, lambda some: [one.ids for one in _encoded(some, tokenizer, False, side)])
    return [Tokens(ids, (), ()) for ids in found]


def ids_of(
    texts: Iterable[str], tokenizer: Any, *, side: str = "text", remembered: Remembered | None = None
) -> list[Sequence[int]]:
    """The ids of each text, as `tokens_of`."""
    return [tokens.ids for tokens in tokens_of(texts, tokenizer, side=side, remembered=remembered)]


def check_length(text: str, tokenizer: Any, longest: int) -> None:
    """Raises `UserError` for a long text of more than `longest` tokens, of which the first parts tell, and `TooLong`
    for one of fewer that is too long to be tokenized whole."""
    if len(text) <= LONG:
        return
    count = 0
    for part in _parts_of_long(text, tokenizer, False, "text"):
        count += len(part.ids)
        if count > longest:
            raise UserError(
                f'the text "{text[:30]}…" of {len(text):,} characters has more than {longest:,} tokens, all that the '
                "model reads: shorten it, or cut it into several"
            )
    _check_room(text, len(text))


def parts(text: str, tokenizer: Any, *, sentences: bool = False) -> Iterator[tuple[int, int, str]]:
    """(start, context, part): parts of a text, one after another, whose tokens are the text's. A part begins with
    `context` characters of the one before, whose tokens don't count. They end where `sentences` do, where there is such
    an end. Raises `TooLong` for a part that is too long."""
    cuts, start, context = cuts_of(tokenizer), 0, 0
    while start < len(text):
        least = min(len(text), start + PIECE)
        end = len(text) if cuts is None else (sentences and _sentence_end(text, least, cuts)) or cuts.after(text, least)
        if end - start > LONG:
            _check_room(text, end - start)
        yield start - context, context, text[start - context : end]
        context = 0 if cuts is None else cuts.context
        start = end


def _sentence_end(text: str, least: int, cuts: Cuts) -> int | None:
    for found in SENTENCE.finditer(text, least, least + PIECE):
        if (place := cuts.after(text, found.end())) <= found.end() + 1:
            return place
    return None


def _check_room(text: str, length: int) -> None:
    if (need := BYTES * length) > (free := free_memory()) / 2:
        raise TooLong(text, length, need, free)


def _encoded(texts: list[str], tokenizer: Any, offsets: bool, side: str) -> list[Tokens]:
    with unknown.naming(texts, tokenizer):
        encoded = tokenizer(
            **{side: texts},
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,  # its warning about long texts: what becomes of those is said elsewhere
            **({"return_offsets_mapping": True} if offsets else {}),
        )
    pairs = encoded["offset_mapping"] if offsets else [()] * len(texts)
    return [
        Tokens(ids, [start for start, _ in places], [end for _, end in places])
        for ids, places in zip(encoded["input_ids"], pairs, strict=True)
    ]


def _parts_of_long(text: str, tokenizer: Any, offsets: bool, side: str) -> Iterator[Tokens]:
    """The tokens of a text, some at a time."""
    for start, context, part in parts(text, tokenizer):
        before, (ids, starts, ends) = _encoded([part[:context], part], tokenizer, offsets, side)
        first = len(before.ids)
        yield Tokens(ids[first:], [start + one for one in starts[first:]], [start + one for one in ends[first:]])


def _of_long(text: str, tokenizer: Any, offsets: bool, side: str) -> Tokens:
    """4 bytes a token, and 8 more with offsets."""
    ids, starts, ends = array("i"), array("i"), array("i")
    for part in _parts_of_long(text, tokenizer, offsets, side):
        ids.extend(part.ids)
        if offsets:
            starts.extend(part.starts)
            ends.extend(part.ends)
    return Tokens(ids, starts, ends)
