"""A text as it is written: words, each as soon as no further token can change it."""

from collections.abc import Callable
from typing import Any

from ...plain import harmless

_WIDE = ((0x2E80, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))  # words of one character each


class Streamed:
    """Gives `say` a text in pieces, that of the `begun` ids first, unless what follows is to be said `alone`; nothing
    in them is obeyed by a terminal."""

    def __init__(self, tokenizer: Any, begun: list[int], say: Callable[[str], object], *, alone: bool = False):
        self.tokenizer, self.say, self.ids, self.said = tokenizer, say, [] if alone else list(begun), 0
        self._tell(whole=True)

    def __call__(self, token: int) -> None:
        """One id more."""
        self.ids.append(token)
        self._tell(whole=False)

    def end(self) -> None:
        """What was held back."""
        self._tell(whole=True)

    def _tell(self, whole: bool) -> None:
        (text,) = self.tokenizer.batch_decode([self.ids], skip_special_tokens=True)
        new = text[self.said :]
        ends = whole or new.endswith("\n") or (new and _is_wide(new[-1]))
        sure = len(new) if ends else new.rfind(" ") + 1  # a word may go on, and a character be of several tokens
        if sure:
            self.say(harmless(new[:sure]))
            self.said += sure


def _is_wide(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _WIDE)
