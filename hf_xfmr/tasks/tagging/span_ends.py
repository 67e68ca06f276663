"""How spans count: characters, UTF-16 units or bytes, from 0 or 1, and whether the last character is the end.

Where the file says what text a span is, all such texts decide. Else the ends of words do; else what is known of the
program that writes such files; else the user is asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from ...data.wording import at, short
from ...errors import UserError
from .span_items import Span
from .span_layouts import Layout, Marked
from .words import is_alone

UNITS = ("characters", "utf16", "bytes")
ENDS = ("exclusive", "inclusive")
SURE = 0.9  # of the ends that tell


class How(NamedTuple):
    """The `unit` of places, whether the `end` is exclusive or inclusive, and the number of the `first` character."""

    unit: str
    end: str
    first: int = 0

    @property
    def words(self) -> str:
        unit = "" if self.unit == "characters" else f"counted in {self.unit}, "
        return f"{unit}{f'the first is {self.first}, ' if self.first else ''}ends {self.end}"


@dataclass
class Counting:
    """How spans count, and `why`, for the report."""

    how: How
    why: str


@dataclass
class Told:
    """What the user says of it; None: found."""

    end: str | None = None
    unit: str | None = None
    first: int | None = None

    def readings(self) -> Iterable[How]:
        """Those that fit, the usual ones first."""
        units = UNITS if self.unit is None else (self.unit,)
        firsts = (0, 1) if self.first is None else (self.first,)
        return [
            How(unit, end, first)
            for first, unit, end in product(firsts, units, ENDS if self.end is None else (self.end,))
        ]


def find(splits: dict[str, list[Marked]], layout: Layout, told: Told) -> Counting:
    """How the spans of all splits count. Raises UserError naming the row of a span that is another text than the file
    says, and, where nothing tells, one that asks for --span_end."""
    for name, value, known in (("end", told.end, ENDS), ("unit", told.unit, UNITS), ("first", told.first, (0, 1))):
        if value is not None and value not in known:
            raise UserError(f'span_{name} is "{value}"; it is {" or ".join(map(str, known))}')
    with_text = [(split, one, span) for split, one, span in _all(splits) if (span.text or "").strip()]
    if any(span.exact for _, _, span in with_text):
        return _by_texts([given for given in with_text if given[2].exact], told)
    if with_text and (found := _all_match(with_text, told)):
        return found
    unit = told.unit or "characters"
    first = _first(splits, unit) if told.first is None else told.first
    if told.end is not None:
        counting = Counting(How(unit, told.end, first), "as --span_end says")
    else:
        counting = _by_words(splits, layout, unit, first)
    if first and told.first is None:
        counting.why += "; so spans begin at words, else --span_first 0"
    return counting


def _all(splits: dict[str, list[Marked]]) -> Iterator[tuple[str, Marked, Span]]:
    return ((split, one, span) for split, rows in splits.items() for one in rows for span in one.spans)


def _matches(one: Marked, span: Span, how: How) -> bool:
    place = place_of(one.text, span, how)
    return place is not None and _plain(one.text[slice(*place)]) == _plain(span.text or "")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _all_match(given: Sequence[tuple[str, Marked, Span]], told: Told) -> Counting | None:
    for how in told.readings():
        if all(_matches(one, span, how) for _, one, span in given):
            return Counting(how, f"as the texts of {len(given):,} spans say")
    return None


def _by_texts(given: Sequence[tuple[str, Marked, Span]], told: Told) -> Counting:
    if found := _all_match(given, told):
        return found
    counts = {how: sum(_matches(one, span, how) for _, one, span in given) for how in told.readings()}
    how = max(counts, key=lambda one: counts[one])
    split, one, span = next(one for one in given if not _matches(one[1], one[2], how))
    place = place_of(one.text, span, how)
    there = "beyond the text" if place is None else f'"{short(one.text[slice(*place)])}" in the text'
    also = (f" (it is what stands there {other.words})" for other in Told().readings() if _matches(one, span, other))
    others = next(also, "")
    raise UserError(
        f'{at(split, [one.row])}: the span from {span.start} to {span.end} is {there} ({how.words}), but "'
        f'{short(span.text)}" by the file{others}; correct its places or its text'
    )


def _first(splits: dict[str, list[Marked]], unit: str) -> int:
    """1 where spans begin at words if counted from there, and within words if not; else 0."""
    inside = {0: 0, 1: 0}
    total = {0: 0, 1: 0}
    for _, one, span in _all(splits):
        for first in (0, 1):
            place = place_of(one.text, span, How(unit, "exclusive", first))
            if place is None or place[0] >= len(one.text) or not _is_letter(one.text[place[0]]):
                continue
            total[first] += 1
            inside[first] += place[0] > 0 and _is_letter(one.text[place[0] - 1])
    return int(2 * inside[0] > total[0] and total[1] > 0 and inside[1] <= (1 - SURE) * total[1])


def _is_letter(character: str) -> bool:
    return character.isalnum() and not is_alone(character)


def _by_words(splits: dict[str, list[Marked]], layout: Layout, unit: str, first: int) -> Counting:
    """Where words end, an end tells; an inclusive one is before the end of the text."""
    exclusive = inclusive = 0
    for _, one, span in _all(splits):
        place = place_of(one.text, span, How(unit, "exclusive", first))
        if place is None:
            continue
        end = place[1]
        exclusive += end == len(one.text) or (span.start < span.end and _ends_word(one.text, end))
        inclusive += end < len(one.text) and (span.start == span.end or _ends_word(one.text, end + 1))
    total = exclusive + inclusive
    if total and exclusive >= SURE * total:
        return Counting(
            How(unit, "exclusive", first), f"{exclusive:,} of {total:,} spans that tell end so at a word's end"
        )
    if total and inclusive >= SURE * total and not layout.exclusive:
        return Counting(
            How(unit, "inclusive", first),
            f"{inclusive:,} of {total:,} spans that tell end so at a word's end; else --span_end exclusive",
        )
    if layout.exclusive and inclusive < SURE * max(total, 1):
        return Counting(How(unit, "exclusive", first), "as that layout's are")
    split, one, span = next(_all(splits))
    start, end = span.start - first, span.end - first
    texts = [short(one.text[start : end + more]) for more in (0, 1)]
    raise UserError(
        "nothing tells whether the end of a span is the character after it or its last: say --span_end exclusive if "
        f'{at(split, [one.row])} has the {short(span.type)} "{texts[0]}", --span_end inclusive if it is "{texts[1]}"'
    )


def _ends_word(text: str, end: int) -> bool:
    """Whether a word of several letters ends before this character, and none goes on."""
    if not 0 < end <= len(text) or not text[end - 1].isalnum() or is_alone(text[end - 1]):
        return False
    return end == len(text) or not text[end].isalnum()


def place_of(text: str, span: Span, how: How) -> tuple[int, int] | None:
    """The characters [start, end) of a span; None where they are not in the text, or not whole."""
    unit = how.unit
    start, stop = span.start - how.first, span.end - how.first + (how.end == "inclusive")
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
