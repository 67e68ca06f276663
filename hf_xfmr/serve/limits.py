"""How much a server takes on: of each request, of all that wait, and for how long. Without, one client has it all."""

import math
from dataclasses import dataclass

from ..errors import UserError

HELD_BODIES = 32  # so many of the largest bodies are in memory at a time, of however many connections


@dataclass(frozen=True)
class Limits:
    """`batch_size` rows are computed together, for which the first waits `max_wait_ms` at most. `max_queue` rows wait,
    `max_texts` a request has, `max_chars` a text, `max_body` bytes a request's body. An answer takes `timeout` seconds
    at most, waiting included; what a client sends, or doesn't read, stalls `patience` seconds at most. Raises
    `UserError` for what can't be."""

    batch_size: int = 32
    max_wait_ms: float = 2.0
    max_queue: int = 1024
    max_texts: int = 64
    max_chars: int = 100_000
    max_body: int = 2_000_000
    timeout: float = 30.0
    patience: float = 10.0

    def __post_init__(self):
        for name in ("batch_size", "max_queue", "max_texts", "max_chars", "max_body"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("timeout", "patience"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name} is {getattr(self, name)}; it must be above 0, in seconds")
        if not 0 <= self.max_wait_ms <= 10_000:
            raise UserError(f"max_wait_ms is {self.max_wait_ms}; it must be at least 0 and at most 10,000")
        if self.max_texts > self.max_queue:
            raise UserError(
                f"max_texts is {self.max_texts} and max_queue {self.max_queue}: a request that large could never "
                "wait; raise --max_queue"
            )
