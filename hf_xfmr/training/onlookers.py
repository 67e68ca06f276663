"""Callbacks that watch a run from outside its recipe, as a search watches its trials: no recipe need know of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from transformers import TrainerCallback

_standing_by: ContextVar[tuple[TrainerCallback, ...]] = ContextVar("standing_by", default=())
_checked: ContextVar[bool] = ContextVar("checked", default=False)


def standing_by() -> tuple[TrainerCallback, ...]:
    """Those that a Trainer which is made now takes up."""
    return _standing_by.get()


def is_checked() -> bool:
    """Whether the data and the machine have been checked for this run by who watches it."""
    return _checked.get()


@contextmanager
def watched_by(*callbacks: TrainerCallback, checked: bool = False) -> Iterator[None]:
    """Every Trainer that is made within calls these too, after its own. `checked`: no check before its first step."""
    tokens = _standing_by.set(callbacks), _checked.set(checked)
    try:
        yield
    finally:
        _standing_by.reset(tokens[0])
        _checked.reset(tokens[1])
