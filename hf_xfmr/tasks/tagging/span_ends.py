"""How spans count: in characters, UTF-16 units or bytes, and whether the character at the end is part of them.

Where the file says what text a span is, all such texts decide. Else the ends of words do; else what is known of the
program that writes such files; else the user is asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ...data.wording import at, short
from ...errors import UserError
from .span_items import Span
from .span_layouts import Layout, Marked
from .words import is_alone

UNITS = ("characters", "utf16", "bytes")
ENDS = ("exclusive", "inclusive")
SURE = 0.9  # of the ends that tell


@dataclass
class Counting:
    """`unit` of the places, whether the `end` is exclusive or inclusive, and `why`, for the report."""

    unit: str
    end: str
    why: str


def find(splits: dict[str, list[Marked]], layout: Layout, end: str | None, unit: str | None) -> Counting:
    """How the spans of all splits count. Raises UserError naming the row of a span that is another text than the file
    says, and, where nothing tells, one that asks for --span_end."""
    for name, told, known in (("span_end", end, ENDS), ("span_unit", unit, UNITS)):
        if told is not None and told not in known:
            raise UserError(f'{name} is "{told}"; it is {" or ".join(known)}')
    with_text = [(split, one, span) for split, one, span in _all(splits) if (span.text or "").strip()]
    if any(span.exact for _, _, span in with_text):
        return _by_texts([given for given in with_text if given[2].exact], end, unit)
    if with_text and (found := _all_match(with_text, end, unit)):
        return found
    unit = unit or "characters"
    if end is not None:
        return Counting(unit, end, "as --span_end says")
    return _by_words(splits, layout, unit)


def _all(splits: dict[str, list[Marked]]) -> Iterator[tuple[str, Marked, Span]]:
    return ((split, one, span) for split, rows in splits.items() for one in rows for span in one.spans)


def _readings(end: str | None, unit: str | None) -> Iterable[tuple[str, str]]:
    return product(UNITS if unit is None else (unit,), ENDS if end is None else (end,))


def _matches(one: Marked, span: Span, unit: str, end: str) -> bool:
    place = place_of(one.text, span, unit, end)
    return place is not None and _plain(one.text[slice(*place)]) == _plain(span.text or "")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _all_match(given: Sequence[tuple[str, Marked, Span]], end: str | None, unit: str | None) -> Counting | None:
    for how, ends in _readings(end, unit):
        if all(_matches(one, span, how, ends) for _, one, span in given):
            return Counting(how, ends, f"as the texts of {len(given):,} spans say")
    return None


def _by_texts(given: Sequence[tuple[str, Marked, Span]], end: str | None, unit: str | None) -> Counting:
    if found := _all_match(given, end, unit):
        return found
    counts = {how: sum(_matches(one, span, *how) for _, one, span in given) for how in _readings(end, unit)}
    how, ends = max(counts, key=lambda one: counts[one])
    split, one, span = next(one for one in given if not _matches(one[1], one[2], how, ends))
    place = place_of(one.text, span, how, ends)
    there = "beyond the text" if place is None else f'"{short(one.text[slice(*place)])}" in the text'
    others = next(
        (
            f" (it is what stands there in {other}, ends {also})"
            for other, also in _readings(None, None)
            if _matches(one, span, other, also)
        ),
        "",
    )
    raise UserError(
        f'{at(split, [one.row])}: the span from {span.start} to {span.end} is {there} (ends {ends}), but "'
        f'{short(span.text)}" by the file{others}; correct its places or its text'
    )


def _by_words(splits: dict[str, list[Marked]], layout: Layout, unit: str) -> Counting:
    """Where words end, an end tells; an inclusive one is before the end of the text."""
    exclusive = inclusive = 0
    for _, one, span in _all(splits):
        place = place_of(one.text, span, unit, "exclusive")
        if place is None:
            continue
        end = place[1]
        exclusive += end == len(one.text) or (span.start < span.end and _ends_word(one.text, end))
        inclusive += end < len(one.text) and (span.start == span.end or _ends_word(one.text, end + 1))
    total = exclusive + inclusive
    if total and exclusive >= SURE * total:
        return Counting(unit, "exclusive", f"{exclusive:,} of {total:,} spans that tell end so at a word's end")
    if total and inclusive >= SURE * total and not layout.exclusive:
        return Counting(
            unit,
            "inclusive",
            f"{inclusive:,} of {total:,} spans that tell end so at a word's end; else --span_end exclusive",
        )
    if layout.exclusive and inclusive < SURE * max(total, 1):
        return Counting(unit, "exclusive", "as that layout's are")
    split, one, span = next(_all(splits))
    texts = [short(one.text[span.start : span.end + more]) for more in (0, 1)]
    raise UserError(
        "nothing tells whether the end of a span is the character after it or its last: say --span_end exclusive if "
        f'{at(split, [one.row])} has the {short(span.type)} "{texts[0]}", --span_end inclusive if it is "{texts[1]}"'
    )


def _ends_word(text: str, end: int) -> bool:
    """Whether a word of several letters ends before this character, and none goes on."""
    if not 0 < end <= len(text) or not text[end - 1].isalnum() or is_alone(text[end - 1]):
        return False
    return end == len(text) or not text[end].isalnum()


def place_of(text: str, span: Span, unit: str, end: str) -> tuple[int, int] | None:
    """The characters [start, end) of a span; None where they are not in the text, or not whole."""
    start, stop = span.start, span.end + (end == "inclusive")
    if unit != "characters" and not text.isascii():
        start, stop = (_character(text, place, unit) for place in (start, stop))
    return (start, stop) if 0 <= start <= stop <= len(text) else None


def _character(text: str, place: int, unit: str) -> int:
    """The number of the character that begins at a unit; -1 where none does."""
    code, width = ("utf-16-le", 2) if unit == "utf16" else ("utf-8", 1)
    data = text.encode(code, "surrogatepass")
    if not 0 <= place * width <= len(data):
        return -1
    try:
        return len(data[: place * width].decode(code))
    except UnicodeDecodeError:
        return -1
