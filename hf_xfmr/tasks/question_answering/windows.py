"""A question and its context as rows of a model: [CLS] question [SEP] part of the context [SEP], as in section 4.2 of
Devlin et al. 2018. A context that is longer than a row is read in windows that overlap; a question is never cut."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...errors import UserError
from ...tokenizer import long_texts
from ...tokenizer.frame import frame_of

SHARED = 128  # tokens that windows share at most, unless told


class Window(NamedTuple):
    """A row of question `number`: its ids, and types where the tokenizer has them; the context's tokens in it stand
    from place `first` on, and are the characters [start, end) of the context."""

    number: int
    ids: list[int]
    types: list[int]
    first: int
    starts: Sequence[int]
    ends: Sequence[int]


class Windows:
    """Questions with contexts to windows. Raises `UserError` for a tokenizer that has no offsets or no [CLS], where a
    context without an answer is pointed at, and for a row or an overlap that leaves no room."""

    def __init__(self, tokenizer: Any, *, max_length: int, overlap: int | None = None):
        if not getattr(tokenizer, "is_fast", True):
            raise UserError(f"{type(tokenizer).__name__} has no offsets; save it with a tokenizer.json")
        self.tokenizer, self.max_length, self.overlap = tokenizer, max_length, overlap
        self.frame = frame_of(tokenizer, pair=True)
        self.has_types = "token_type_ids" in tokenizer.model_input_names
        if not self.frame.ids[0]:
            raise UserError(
                f"{type(tokenizer).__name__} has no token for the beginning of a text ([CLS] or <s>), which stands for "
                "a context without an answer: use an encoder's tokenizer"
            )
        if max_length < self.frame.size + 2:
            raise UserError(
                f"max_length {max_length} leaves no room for a question and a context: the special tokens take "
                f"{self.frame.size}; raise it"
            )
        if overlap is not None and overlap < 0:
            raise UserError(f"window_stride is {overlap}; it must be at least 0")

    def __call__(self, questions: Sequence[str], contexts: Sequence[str]) -> Iterator["list[Window] | str"]:
        """Of each question its windows, or in a sentence why there are none: it is too long for a row, or one of the
        two has no token."""
        asked = long_texts.ids_of(questions, self.tokenizer)
        told = long_texts.tokens_of(contexts, self.tokenizer, offsets=True)
        for number, (question, context) in enumerate(zip(asked, told, strict=True)):
            yield self._of(number, list(question), context)

    def _of(self, number: int, question: list[int], context: long_texts.Tokens) -> "list[Window] | str":
        if not question or not context.ids:
            return f"the {'context' if question else 'question'} has no token that the tokenizer knows"
        before, between, after = self.frame.ids
        room = self.max_length - self.frame.size - len(question)
        shared = min(SHARED, room // 3) if self.overlap is None else self.overlap
        if (len(question) > (self.max_length - self.frame.size) // 2 and len(context.ids) > room) or room < 1:
            return (
                f"the question has {len(question):,} tokens, more than half of a row of {self.max_length:,}: shorten "
                "it, or raise max_length as far as the model reads"
            )
        if len(context.ids) > room and shared >= room:
            return (
                f"window_stride {shared} is no less than the {room:,} tokens that a row has left for the context: "
                "lower it, or raise max_length"
            )
        head = [*before, *question, *between]
        rows = []
        for start in range(0, max(1, len(context.ids) - shared), max(room - shared, 1)):
            stop = min(start + room, len(context.ids))
            ids = [*head, *context.ids[start:stop], *after]
            types = self._types(len(question), stop - start)
            rows.append(Window(number, ids, types, len(head), context.starts[start:stop], context.ends[start:stop]))
            if stop == len(context.ids):
                break
        return rows

    def _types(self, question: int, context: int) -> list[int]:
        before, between, after = self.frame.types
        a, b = self.frame.text_types
        return [*before, *[a] * question, *between, *[b] * context, *after]


def ends_of(window: Window, start: int, end: int) -> tuple[int, int] | None:
    """The places in a window's row of the tokens that the characters [start, end) begin and end in; None where some of
    them are not in the window."""
    if not len(window.starts) or start < window.starts[0] or end > window.ends[-1]:
        return None
    first = next((place for place, stop in enumerate(window.ends) if stop > start), None)
    last = next((p for p in range(len(window.starts) - 1, -1, -1) if window.starts[p] < end), None)
    if first is None or last is None or first > last:
        return None
    return window.first + first, window.first + last
