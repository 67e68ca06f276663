"""From what a client sent to rows in the queue, and from their answers to what it is told."""

from collections.abc import Sequence
from typing import Any

from ..errors import UserError
from ..plain import is_unicode
from . import refusals
from .batcher import Batcher
from .job import Job
from .limits import Limits
from .subjects import Asked, Text

FORMS = "a text, a pair [text, text], or a batch [[text], [text, text], …]"


def rows_of(inputs: Any, limits: Limits) -> tuple[list[Text], bool]:
    """`inputs` in the forms of text-embeddings-inference, and whether it is a batch. Raises `Refusal`."""
    if isinstance(inputs, str):
        rows, is_batch = [Text(inputs)], False
    elif not isinstance(inputs, list) or not inputs:
        raise refusals.invalid(f"`inputs` must be {FORMS}")
    elif isinstance(inputs[0], list):
        rows, is_batch = [_row(one) for one in inputs], True
    else:
        rows, is_batch = [_row(inputs)], False
    check(rows, limits)
    if len({row.pair is None for row in rows}) > 1:
        raise refusals.invalid("`inputs` holds single texts and pairs: a model reads the one or the other")
    return rows, is_batch


def texts_of(inputs: Any, limits: Limits) -> tuple[list[Text], bool]:
    """`inputs`, a text or a list of texts, and whether it is a list. Raises `Refusal`."""
    is_batch = isinstance(inputs, list)
    texts = inputs if is_batch else [inputs]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise refusals.invalid("`inputs` must be a text, or a list of texts")
    rows = [Text(text) for text in texts]
    check(rows, limits)
    return rows, is_batch


def _row(value: Any) -> Text:
    if not isinstance(value, list) or not 1 <= len(value) <= 2 or not all(isinstance(one, str) for one in value):
        raise refusals.invalid(f"`inputs` must be {FORMS}")
    return Text(*value)


def check(rows: Sequence[Text], limits: Limits) -> None:
    """Raises `Refusal` for too many texts, and one that is too long, empty or no text."""
    if len(rows) > limits.max_texts:
        raise refusals.too_much(f"`inputs` has {len(rows):,} texts, and a request at most {limits.max_texts:,}")
    for row in rows:
        for text in row:
            if text is None:
                continue
            if len(text) > limits.max_chars:
                raise refusals.too_much(
                    f"a text has {len(text):,} characters, and at most {limits.max_chars:,} are read"
                )
            if not text.strip():
                raise refusals.invalid("a text is empty")
            if not is_unicode(text):
                raise refusals.invalid("a text holds half a character (a lone surrogate)")


async def answers_to(batcher: Batcher, rows: Sequence[Text], asked: Asked) -> list[dict]:
    """The answers of rows that are asked the same. Raises `Refusal`; a row's `UserError` is its words."""
    try:
        return await batcher.answers(Job(rows, asked))
    except UserError as error:
        raise refusals.invalid(str(error)) from None
