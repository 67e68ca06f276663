"""How the next token of one text is drawn, in whatever company it is written; imports nothing heavy."""

import random


class Drawing:
    """`temperature` 0: always the likeliest; else from those tokens that `top_k` (0: all) and `top_p` leave. The same
    `seed` draws the same, however many other texts are drawn beside it."""

    def __init__(self, temperature: float, top_k: int, top_p: float, seed: str | None = None):
        self.temperature = temperature
        self.options = (temperature, top_k, top_p)
        self._numbers = random.Random(seed)

    def next(self) -> float:
        """A number in [0, 1), by which a token is chosen."""
        return self._numbers.random()
