"""Texts with spans -> sentences with tagged words: the words of the text as it stands, cut where a span has an edge."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence

from ...data.wording import at, short
from ...errors import UserError
from . import span_ends, span_layouts, tag_names
from .schemes import Entity, write_tags
from .sentence import Sentence
from .span_layouts import Layout, Marked, find, marked
from .words import edges

Place = tuple[int, int, str]  # characters [start, end), and the type


def read(
    splits: dict[str, list[dict]],
    *,
    text: str | None = None,
    spans: str | None = None,
    told: span_ends.Told | None = None,
    names: str | None = None,
) -> tuple[dict[str, list[Sentence]], list[str]]:
    """The sentences of each split, tagged in BIO, and lines for the report: how they were read, and what was left out.

    Raises UserError naming rows, and for what only the user can say.
    """
    layout = find(splits["train"], text, spans)
    found: dict[str, list[Marked]] = {}
    counted: dict[str, Counter[str]] = {}
    unmarked: list[str] = []
    for split, given in splits.items():
        counted[split] = Counter()
        if split != "train" and not any(span_layouts.is_marked(row, layout) for row in given):
            unmarked.append(f"spans of {split}: none of its {len(given):,} rows has any, so the split is not used")
            continue
        found[split] = marked(given, split, layout, counted[split])
        if not found[split]:
            raise UserError(f"no row of {split} has a text with its spans: {_said(counted[split]) or 'it is empty'}")
    counting = span_ends.find(found, layout, told or span_ends.Told())
    lines = [f'spans: {layout.name} ("{short(layout.spans)}" of "{short(layout.text)}"), {counting.how.words}: ']
    kinds, said_of_types = tag_names.of_types(
        {span.type for rows in found.values() for one in rows for span in one.spans} - {""}, names
    )
    for rows in found.values():
        for one in rows:
            one.spans = [span._replace(type=kinds.get(span.type, span.type)) for span in one.spans]
    lines[0] += counting.why + _unused(splits["train"], layout)
    lines += said_of_types + unmarked
    sentences = {}
    for split, rows in found.items():
        overlaps: list[tuple[int, str]] = []
        counts = counted[split]
        sentences[split] = [_sentence(one, split, counting, counts, overlaps) for one in rows]
        if said := _said(counts):
            lines.append(f"spans of {split}: {said}")
        if overlaps:
            places = at(split, dict.fromkeys(row for row, _ in overlaps))
            lines.append(
                f"spans of {split}: {len(overlaps):,} overlap a longer one (or an equal one before) and are left out: "
                f"{places}, the first {overlaps[0][1]}"
            )
    return sentences, lines


def _said(counts: Counter) -> str:
    return "; ".join(f"{number:,} {what}" for what, number in counts.items() if number)


def _unused(rows: Iterable[dict], layout: Layout) -> str:
    used = {layout.text, layout.spans, *span_layouts.IDS}
    return others_said([name for name in dict.fromkeys(name for row in rows for name in row) if name not in used])


def others_said(names: Sequence[str]) -> str:
    """What is said of columns that are not read."""
    more = f" and {len(names) - 8:,} more" if len(names) > 8 else ""
    return f"; other columns: {', '.join(short(name) for name in names[:8])}{more}" if names else ""


def _sentence(
    one: Marked, split: str, counting: span_ends.Counting, counts: Counter, overlaps: list[tuple[int, str]]
) -> Sentence:
    places = _places(one, split, counting, counts)
    kept = _apart(places, one, overlaps)
    cuts = {edge for start, end, _ in kept for edge in (start, end)}
    words = edges(one.text)
    inside = cuts - {edge for word in words for edge in word}
    if inside:
        counts["words are cut at the edge of a span in them"] += len(
            {word for edge in inside for word in words if word[0] < edge < word[1]}
        )
        words = edges(one.text, cuts)
    first = {start: number for number, (start, _) in enumerate(words)}
    last = {end: number + 1 for number, (_, end) in enumerate(words)}
    entities = [Entity(kind, first[start], last[end]) for start, end, kind in kept]
    return Sentence(
        words=[one.text[start:end] for start, end in words],
        tags=list(write_tags(entities, len(words))),
        id=one.id,
        row=one.row,
        text=one.text,
        starts=[start for start, _ in words],
    )


def _places(one: Marked, split: str, counting: span_ends.Counting, counts: Counter) -> list[Place]:
    """The spans as characters of the text, each once and without white space at its edges."""
    found: dict[Place, None] = {}
    for span in one.spans:
        if not span.type:
            counts["spans without a label are left out"] += 1
            continue
        place = span_ends.place_of(one.text, span, counting.how)
        if place is None:
            raise UserError(
                f"{at(split, [one.row])}: the span from {span.start} to {span.end} ({short(span.type)}, "
                f"{counting.how.words}) is not within the text of {len(one.text):,} characters; correct it"
            )
        start, end = place
        inner = one.text[start:end]
        start, end = end - len(inner.lstrip()), start + len(inner.rstrip())
        if start >= end:
            counts["spans are empty or white space and are left out"] += 1
            continue
        counts["spans are trimmed of white space"] += (start, end) != place
        counts["spans stand twice and are used once"] += (start, end, span.type) in found
        found[start, end, span.type] = None
    return list(found)


def _apart(places: Sequence[Place], one: Marked, overlaps: list[tuple[int, str]]) -> list[Place]:
    """Spans that do not overlap: of those that do the longest, then the one that stands first."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda one: (one[0] - one[1], one[0])):
        after = bisect(kept, place)
        near = kept[max(after - 1, 0) : after + 1]  # what is kept stands apart: no other can be reached
        if hit := next((other for other in near if place[0] < other[1] and other[0] < place[1]), None):
            overlaps.append((one.row, f"{_named(one.text, place)} over {_named(one.text, hit)}"))
        else:
            kept.insert(after, place)
    return kept


def _named(text: str, place: Place) -> str:
    return f'"{short(text[place[0] : place[1]], 30)}" {short(place[2], 20)}'
