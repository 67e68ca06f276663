"""Conversations to tokens of which a part is learned, and whole ones into blocks.

A token is learned if a character of it is. So one that holds the end of a prompt and the beginning of its answer is
learned, as in TRL's SFTTrainer; how many answers begin so is said.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...data.conversations import Conversation
from ...data.wording import short
from ...errors import UserError
from ...tokenizer.long_texts import tokens_of
from .templates import Template

OVER_LONG = ("error", "leave_out", "cut_prompt")


class Example(NamedTuple):
    """A conversation's tokens [n] int32, which of them are learned [n] bool, and the conversation."""

    ids: np.ndarray
    learned: np.ndarray
    conversation: Conversation


@dataclass
class Tally:
    """What became of the conversations of a split."""

    left_out: int = 0
    cut: int = 0
    across: int = 0  # answers whose first token begins in the prompt
    longest: int = 0

    def lines(self, split: str, limit: int) -> list[str]:
        said = []
        if self.left_out:
            said.append(f"{split}: {_many(self.left_out)} of more than {limit:,} tokens left out (over_long)")
        if self.cut:
            said.append(f"{split}: the beginning of {_many(self.cut)} cut, down to {limit:,} tokens (over_long)")
        if self.across:
            said.append(
                f"{split}: {self.across:,} answers begin within a token that holds the prompt's end too; end the "
                "prompt's part of the template with a line break"
            )
        return said


def _many(count: int) -> str:
    return "1 conversation" if count == 1 else f"{count:,} conversations"


def examples(
    conversations: Iterable[Any], tokenizer: Any, template: Template, *, limit: int, over_long: str, tally: Tally
) -> Iterator[Example]:
    """The tokens of each conversation, written by the template, at most `limit`. Of a longer one is kept what
    `over_long` says: `error` nothing, `leave_out` neither it nor an error, `cut_prompt` its last `limit` tokens, if all
    that is learned is among them. Raises UserError otherwise, and for a tokenizer without offsets."""
    if not tokenizer.is_fast:
        raise UserError(f"{type(tokenizer).__name__} has no offsets; save it with a tokenizer.json")
    special = tokenizer.special_tokens_map
    waiting: deque[tuple[Conversation, list[tuple[int, int]]]] = deque()

    def texts() -> Iterator[str]:
        for one in conversations:
            text, spans = template.written(one, special)
            waiting.append((one, spans))
            yield text

    for number, tokens in enumerate(tokens_of(texts(), tokenizer, offsets=True)):
        conversation, spans = waiting.popleft()
        ids, starts, ends = (np.asarray(one, np.int32) for one in tokens)
        learned = np.zeros(len(ids), bool)
        for start, end in spans:
            inside = (ends > start) & (starts < end)
            learned |= inside
            tally.across += bool(inside.any() and starts[inside.argmax()] < start)
        tally.longest = max(tally.longest, len(ids))
        if len(ids) > limit:
            if over_long == "leave_out":
                tally.left_out += 1
                continue
            _check_long(conversation, number, len(ids), int(len(ids) - learned.argmax()), limit, over_long)
            tally.cut += 1
            ids, learned = ids[-limit:], learned[-limit:]
        yield Example(ids, learned, conversation)


def _check_long(conversation: Conversation, number: int, tokens: int, needed: int, limit: int, over_long: str) -> None:
    """Raises UserError for one that can't be cut. `needed` are the tokens from the first learned one on."""
    if over_long == "cut_prompt" and needed < limit:
        return
    begins = f'conversation {number} (counted from 0, "{short(conversation, 30)}") has {tokens:,} tokens'
    ways = "raise --block_size, if the model has the positions, or leave such ones out with --over_long leave_out"
    if over_long == "cut_prompt":
        raise UserError(
            f"{begins}, {needed:,} of them learned or behind those, and block_size is {limit:,}: no prompt would be "
            f"left; {ways}"
        )
    raise UserError(
        f"{begins}, and block_size is {limit:,}: {ways}, or cut the beginnings of prompts with --over_long cut_prompt"
    )


def pack_whole(rows: Iterable[Example], block_size: int, *, alone: bool = False, sort: bool = True) -> Iterator[dict]:
    """Blocks of at most `block_size` tokens that hold whole examples: `input_ids`, `learned` and the `lengths` of the
    examples in it, which must not see one another. The longest come first, each into the fullest block with room for
    it; without `sort` they stay in their order, and a block ends where the next does not fit. `alone`: one a block."""
    if alone or not sort:
        held: list[Example] = []
        room = block_size
        for row in rows:
            if held and (alone or len(row.ids) > room):
                yield _block(held)
                held, room = [], block_size
            held.append(row)
            room -= len(row.ids)
        if held:
            yield _block(held)
        return
    given = list(rows)
    blocks: list[list[Example]] = []
    rooms: list[tuple[int, int]] = []  # of each open block its room and number, sorted
    for row in sorted(given, key=lambda one: -len(one.ids)):  # stable: equal ones in their order
        place = bisect_left(rooms, (len(row.ids), -1))
        if place == len(rooms):
            room, number = block_size, len(blocks)
            blocks.append([])
        else:
            room, number = rooms.pop(place)
        blocks[number].append(row)
        if (left := room - len(row.ids)) > 0:
            insort(rooms, (left, number))
    yield from map(_block, blocks)


def _block(rows: Sequence[Example]) -> dict[str, np.ndarray]:
    return {
        "input_ids": np.concatenate([row.ids for row in rows]),
        "learned": np.concatenate([row.learned for row in rows]),
        "lengths": np.array([len(row.ids) for row in rows], np.int32),
    }
