"""One continuation of a prompt: what was asked, the text as its tokens come, and what is answered of it."""

from collections.abc import Collection
from typing import Any, NamedTuple

from ..errors import UserError
from .job import Entry
from .pieces import Pieces


class Sampling(NamedTuple):
    """How a prompt is continued. None for `seed`: another text each time. `alone` tells requests with a seed apart, for
    an engine that draws for a whole batch at once."""

    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    stops: tuple[str, ...] = ()
    seed: int | None = None
    alone: int | None = None


class Prompt(NamedTuple):
    text: str
    asked: Sampling


class Continued(NamedTuple):
    text: str
    finish_reason: str  # stop: a stop, or the text's end; length: as many tokens as were asked for
    tokens: int
    read: int  # tokens of the prompt


class Written:
    """The continuation of an entry's prompt, whose tokens are `ids`; it ends with one of the tokens `ends`."""

    def __init__(self, entry: Entry, ids: list[int], tokenizer: Any, ends: Collection[int]):
        self.entry, self.ids, self.ends = entry, ids, ends
        self.asked: Sampling = entry.given.asked
        self.pieces = Pieces(tokenizer, ids, self.asked.stops)
        self.has_ended = False

    def take(self, token: int) -> bool:
        """One token more, of which the client hears what can be said. Whether it is the last."""
        if token in self.ends:
            self.has_ended = True
            return True
        if piece := self.pieces.add(token):
            self.entry.say(piece)
        return self.pieces.stopped or self.entry.is_over or self.pieces.count == self.asked.max_tokens

    def answer(self) -> Continued:
        """After the last token; what was held back of the text is said."""
        if rest := self.pieces.end():
            self.entry.say(rest)
        reason = "stop" if self.pieces.stopped or self.has_ended else "length"
        return Continued(self.pieces.text, reason, self.pieces.count + self.has_ended, len(self.ids))


def check_room(ids: list[int], asked: Sampling, positions: int) -> None:
    """Raises `UserError` for a prompt and its continuation that are longer than the model's `positions`."""
    if len(ids) + asked.max_tokens > positions:
        raise UserError(
            f"the prompt's {len(ids):,} tokens and max_tokens {asked.max_tokens:,} are more than the {positions:,} "
            "positions of the model: shorten the prompt or lower max_tokens"
        )
