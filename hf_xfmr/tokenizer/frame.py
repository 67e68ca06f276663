"""What a tokenizer puts around texts: [CLS] A [SEP], [CLS] A [SEP] B [SEP], or nothing."""

from typing import Any, NamedTuple

from ..errors import UserError


class Frame(NamedTuple):
    """Ids before, between and after the texts, the token types of these, and those of the first and the last text."""

    ids: tuple[list[int], list[int], list[int]]
    types: tuple[list[int], list[int], list[int]]
    text_types: tuple[int, int]

    @property
    def size(self) -> int:
        """Special tokens in a row."""
        return sum(map(len, self.ids))


def frame_of(tokenizer: Any, *, pair: bool = False) -> Frame:
    """Ask a tokenizer which special tokens, of which types, stand around a text, or a pair of them. Raises `UserError`
    for one that makes no token of a letter."""
    probe = ("a", "a") if pair else ("a",)
    whole = tokenizer(*probe, return_special_tokens_mask=True, return_token_type_ids=True)
    ids, types = list(whole["input_ids"]), list(whole["token_type_ids"])
    places = [place for place, special in enumerate(whole["special_tokens_mask"]) if not special]
    if not places:
        raise UserError(f'{type(tokenizer).__name__} turns the letter "a" into no token at all; use another tokenizer')
    start, stop = places[0], places[-1] + 1
    if pair:  # "a" is as many tokens on both sides
        half = len(places) // 2
        first_stop, second_start = places[half - 1] + 1, places[half]
    else:
        first_stop = second_start = stop
    return Frame(
        (ids[:start], ids[first_stop:second_start], ids[stop:]),
        (types[:start], types[first_stop:second_start], types[stop:]),
        (types[start], types[stop - 1]),
    )
