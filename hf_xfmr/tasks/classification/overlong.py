"""Texts -> token ids a BERT-like model reads, and what happens to a text that is longer than it can read.

`room` is what a row has left for text: `max_length` less the special tokens ([CLS] A [SEP], [CLS] A [SEP] B [SEP]).

| `over_long` | what is kept of a text longer than its room                                                         |
|-------------|-----------------------------------------------------------------------------------------------------|
| `head`      | its beginning                                                                                       |
| `tail`      | its end                                                                                             |
| `head+tail` | a quarter of the room from its beginning, the rest from its end: 128 + 382 of 510 tokens for BERT,  |
|             | as in section 5.3.1 of Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?"            |
| `windows`   | all of it: the row becomes several windows of full length, whose logits the model averages          |
| `error`     | nothing: UserError                                                                                  |

A pair shares its room "longest first", as in Hugging Face: tokens are taken from the longer of the two until both fit.
Windows of a pair slide over the longer text, and the shorter stands whole in each (cut to half of the room where it is
longer than that).
"""

import sys
from collections.abc import Sequence
from typing import Any

from ...errors import UserError
from ...tokenizer import long_texts
from ...tokenizer.chunks import Remembered
from ...tokenizer.frame import frame_of

KEPT = 1_000  # tokens of a text whose types are kept
STRATEGIES = ("head", "tail", "head+tail", "windows", "error")


def cut(ids: Sequence[int], room: int, strategy: str) -> list[int]:
    """At most `room` of the ids, by one of the strategies `head`, `tail` and `head+tail`."""
    if len(ids) <= room:
        return list(ids)
    head = {"head": room, "tail": 0, "head+tail": (room + 2) // 4}[strategy]
    return [*ids[:head], *ids[len(ids) - (room - head) :]]


def share(room: int, a: int, b: int) -> tuple[int, int]:
    """How many of `a` and `b` tokens are kept in a room: taken from the longer first, from the first text on a tie."""
    if a + b <= room:
        return a, b
    small = min(a, b, room // 2)
    return (small, room - small) if a <= b else (room - small, small)


def windows(length: int, room: int, overlap: int) -> list[tuple[int, int]]:
    """The (start, end) of windows over `length` tokens, each full and the last one flush with the end."""
    if length <= room:
        return [(0, length)]
    starts = [*range(0, length - room, room - overlap), length - room]
    return [(start, start + room) for start in starts]


class Encoder:
    """Texts, or pairs of texts, to lists of ids with the special tokens, none longer than `max_length`.

    `max_length` None means no limit. `overlap` is the number of tokens that neighbouring windows share (None: a quarter
    of the room); the last window may share more. Raises UserError when there is no room for text, or when the overlap
    leaves the windows no step.
    """

    def __init__(
        self,
        tokenizer,
        *,
        max_length: int | None = None,
        over_long: str = "head",
        overlap: int | None = None,
        pair: bool = False,
    ):
        if over_long not in STRATEGIES:
            raise UserError(f'over_long is "{over_long}"; it can be {", ".join(STRATEGIES)}')
        self.tokenizer, self.max_length, self.over_long, self.pair = tokenizer, max_length, over_long, pair
        names = ("windows", "windows_token_type_ids") if over_long == "windows" else ("input_ids", "token_type_ids")
        self._remembered = Remembered(tokenizer)
        self._types_of: dict[int, list[int]] = {}  # a single text's, by its tokens: the same list for many rows
        self.columns = names if "token_type_ids" in tokenizer.model_input_names else names[:1]
        self.frame, self.frame_types, self.text_types = frame = frame_of(tokenizer, pair=pair)
        self.specials = frame.size
        self.room = sys.maxsize if max_length is None else max_length - self.specials
        if self.room < 1 + pair:
            raise UserError(
                f"max_length {max_length} leaves no room for text: the special tokens take {self.specials}; raise it"
            )
        least = self.room - self.room // 2 if pair else self.room  # a pair's longer text has half of the room or more
        self.overlap = least // 4 if overlap is None else overlap
        if over_long == "windows" and not 0 <= self.overlap < least:
            raise UserError(
                f"window_stride {overlap} must be at least 0 and less than {least}, the tokens of text that "
                f"every window of max_length {max_length} has room for"
            )

    @property
    def facts(self) -> dict[str, Any]:
        """What its columns depend on beside texts and tokenizer."""
        return {"max_length": self.max_length, "over_long": self.over_long, "overlap": self.overlap, "pair": self.pair}

    def __call__(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, names: Sequence[str] | None = None
    ) -> dict[str, list]:
        """Columns of `len(texts)` rows: `input_ids` and, where the tokenizer has them, `token_type_ids`, a list of int
        each; under `windows` instead `windows` and `windows_token_type_ids`, a list of such lists each. Also `tokens`
        and `kept`: how many tokens the row has (special tokens not counted), and how many of these the model sees.

        Raises UserError under `error` for over-long rows, by their `names`.
        """
        left = self._ids(texts)
        right: list[Sequence[int]] = self._ids(pairs) if pairs is not None else [[] for _ in left]
        tokens = [len(a) + len(b) for a, b in zip(left, right, strict=True)]
        if self.over_long == "error" and (long := [row for row, count in enumerate(tokens) if count > self.room]):
            names = names or [f"text {row}" for row in range(len(tokens))]
            found = ", ".join(f"{names[row]} ({tokens[row]:,} tokens)" for row in long[:5])
            more = f" and {len(long) - 5:,} more" if len(long) > 5 else ""
            raise UserError(
                f"max_length {self.max_length} has room for {self.room:,} tokens of text, less than {found}{more}; "
                f"shorten the text, raise max_length, or set over_long to {', '.join(STRATEGIES[:-1])}"
            )
        ids: list[list] = []
        types: list[list] = []
        kept: list[int] = []
        for a, b in zip(left, right, strict=True):
            pieces, seen = self.pieces(a, b)
            ids.append([self.sequence(*piece) for piece in pieces])
            types.append([self.types(*piece) for piece in pieces])
            kept.append(seen)
        if self.over_long != "windows":
            ids, types = [row[0] for row in ids], [row[0] for row in types]
        return {**dict(zip(self.columns, (ids, types), strict=False)), "tokens": tokens, "kept": kept}

    def _ids(self, texts: Sequence[str]) -> list[Sequence[int]]:
        return long_texts.ids_of(texts, self.tokenizer, remembered=self._remembered)

    def pieces(self, a: Sequence[int], b: Sequence[int]) -> tuple[list[tuple[Sequence[int], Sequence[int]]], int]:
        """The tokens (ids, or anything else of each) of the texts in each sequence the row becomes, and how many of the
        row's tokens are in at least one."""
        if len(a) + len(b) <= self.room:
            return [(a, b)], len(a) + len(b)
        if self.over_long != "windows":
            keep_a, keep_b = share(self.room, len(a), len(b))
            return [(cut(a, keep_a, self.over_long), cut(b, keep_b, self.over_long))], self.room
        long, short = (a, b) if len(a) >= len(b) else (b, a)
        short = cut(short, self.room // 2, "head")
        spans = [long[start:stop] for start, stop in windows(len(long), self.room - len(short), self.overlap)]
        return [(span, short) if len(a) >= len(b) else (short, span) for span in spans], len(long) + len(short)

    def sequence(self, a: Sequence[int], b: Sequence[int]) -> list[int]:
        """The ids of a sequence, with the special tokens."""
        before, between, after = self.frame
        return [*before, *a, *between, *b, *after]

    def types(self, a: Sequence[int], b: Sequence[int]) -> list[int]:
        """The token types of what `sequence` makes of the same."""
        before, between, after = self.frame_types
        type_a, type_b = self.text_types
        if not self.pair and len(a) <= KEPT:
            if len(a) not in self._types_of:
                self._types_of[len(a)] = before + [type_a] * len(a) + between + after
            return self._types_of[len(a)]
        return before + [type_a] * len(a) + between + [type_b] * len(b) + after
