"""Tokens to text while they come: whole characters only, and nothing behind a stop."""

from collections.abc import Sequence
from typing import Any

CONTEXT = 6  # tokens before the new ones that they are decoded with: a word's beginning, a character's first bytes
HALF = "\ufffd"  # what an unfinished character decodes to


class Pieces:
    """The text of one continuation. `prompt` are the ids before it, `stops` texts at which it ends, left out."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int], stops: Sequence[str]):
        self.tokenizer, self.stops = tokenizer, stops
        self.ids = list(prompt)[-CONTEXT:]
        self.begun, self.read = 0, len(self.ids)  # decoded from, and said up to
        self.text, self.said = "", 0
        self.count = 0
        self.stopped = False

    def add(self, token: int) -> str:
        """What can be said once this token is there; "" while a character, or what may be a stop, is unfinished."""
        self.ids.append(token)
        self.count += 1
        old, new = self._decoded(self.read), self._decoded(len(self.ids))
        if len(new) > len(old) and not new.endswith(HALF):
            self.text += new[len(old) :]
            self.begun, self.read = self.read, len(self.ids)
        return self._ready(final=False)

    def end(self) -> str:
        """What is left to say when no token follows."""
        if not self.stopped:
            self.text += self._decoded(len(self.ids))[len(self._decoded(self.read)) :]
        return self._ready(final=True)

    def _ready(self, *, final: bool) -> str:
        if not self.stopped:
            found = [place for stop in self.stops if (place := self.text.find(stop, self._from(stop))) >= 0]
            if found:
                self.text, self.stopped = self.text[: min(found)], True
        held = 0 if final or self.stopped else max((self._overlap(stop) for stop in self.stops), default=0)
        piece = self.text[self.said : len(self.text) - held]
        self.said += len(piece)
        return piece

    def _from(self, stop: str) -> int:
        return max(0, self.said - len(stop))

    def _overlap(self, stop: str) -> int:
        """How many of the last characters could be the beginning of a stop."""
        most = min(len(stop) - 1, len(self.text))
        return next((size for size in range(most, 0, -1) if self.text.endswith(stop[:size])), 0)

    def _decoded(self, end: int) -> str:
        return self.tokenizer.batch_decode([self.ids[self.begun : end]], skip_special_tokens=True)[0]
