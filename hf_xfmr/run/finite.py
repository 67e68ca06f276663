"""What a model answers is made of finite numbers, or is an error that names the model and the row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import UserError


class NotFinite(Exception):
    """A model gave a number that is not finite."""


def check(model: str, row: str, *numbers: Any) -> None:
    """Raises `UserError` that names the model and the row whose numbers, arrays, are not finite."""
    if not all(bool(np.isfinite(np.asarray(one)).all()) for one in numbers):
        raise error(model, row)


def error(model: str, row: str) -> UserError:
    """What is said of a row without finite numbers."""
    return UserError(f"{row} has no answer: {fault(model)}")


def fault(model: str) -> str:
    """What is said where the row is named already."""
    return (
        f"{model} gives it numbers that are not finite, so that its weights are damaged or its sums overflow: take an "
        "earlier checkpoint, or train it again"
    )


@contextmanager
def watched(model: Any) -> Iterator[None]:
    """Raises `NotFinite` within, as soon as the model gives logits of a last token that are not finite: before they are
    sampled from, or the largest of them is looked for."""

    import torch  # heavy

    def look(module, given, output) -> None:
        logits = output.logits if hasattr(output, "logits") else output[0]
        if not bool(torch.isfinite(logits[:, -1]).all()):
            raise NotFinite

    hook = model.register_forward_hook(look)
    try:
        yield
    finally:
        hook.remove()
