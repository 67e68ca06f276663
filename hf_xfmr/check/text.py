"""Findings about texts alone: damaged ones, and the same text in several rows or splits."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from statistics import median

from ..data.part import Part
from ..splits import plain
from .findings import SHOWN, Finding, counted, ids

# UTF-8 read as if it were Windows-1252: two to four bytes of one character, shown as that many characters.
_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MISREAD = re.compile(rf"[Â-ô][\x80-\xbf{_CP1252}]{{1,3}}")
_BYTES = {chr(n): n for n in range(256)} | {c: c.encode("cp1252")[0] for c in _CP1252}
_LOST = re.compile("�|锟斤拷|烫烫烫")
_TAGS = "a|b|br|blockquote|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|script|span|strong|style|table|td|tr|u|ul"
_HTML = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|nbsp|apos|#\d+|#x[0-9a-f]+);", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_LETTER = re.compile(r"\w")


def is_mojibake(text: str) -> bool:
    """Whether a text was decoded wrongly: it has replacement characters, or pieces that read as UTF-8 bytes."""
    if _LOST.search(text):
        return True
    for piece in _MISREAD.findall(text):
        try:
            bytes(_BYTES[c] for c in piece).decode()
            return True
        except UnicodeDecodeError:
            continue
    return False


def _is_wordless(text: str) -> bool:
    return not _LETTER.search(text)


DAMAGES: dict[str, tuple[Callable[[str], object], str, str]] = {
    "empty": (lambda text: not text.strip(), "no text", "fill them in or remove them"),
    "mojibake": (
        is_mojibake,
        "wrongly decoded characters (as Ã© for é, or �)",
        "write the file anew, in UTF-8, from its source",
    ),
    "control-characters": (_CONTROL.search, "control characters", "remove these characters"),
    "html": (_HTML.search, "HTML tags or entities", "take the text out of its markup (html.unescape, a parser)"),
    "wordless": (
        lambda text: text.strip() and _is_wordless(text),
        "neither letter nor digit",
        "remove them, unless such texts are meant",
    ),
}


def damaged(part: Part) -> Iterator[Finding]:
    """Rows without text or words, with control characters, markup or characters decoded wrongly, one finding a kind."""
    for column, texts in part.texts.items():
        for name, (is_wrong, what, advice) in DAMAGES.items():
            rows = [place for place, text in enumerate(texts) if is_wrong(text)]
            if rows:
                yield _about(part, name, rows, column, f"{counted(len(rows), part.split)} {what}", advice)


def very_long(part: Part) -> Iterator[Finding]:
    """Rows with more than 5,000 characters and 50 times the median, which are often two rows or a file run together."""
    for column, texts in part.texts.items():
        lengths = list(map(len, texts))
        usual = median(lengths) if lengths else 0
        rows = [row for row, length in enumerate(lengths) if length > max(5_000, 50 * usual)]
        if rows:
            longest = f"up to {max(lengths):,} characters where the median is {usual:,.0f}"
            message = f"{counted(len(rows), part.split)} {longest}"
            yield _about(part, "very-long", rows, column, message, "see whether rows ran together (a lost quote)")


def _about(part: Part, name: str, rows: list[int], column: str, message: str, advice: str) -> Finding:
    found = [part.ids[row] for row in rows]
    return Finding(
        level="warning",
        name=name,
        message=f'{message} in column "{part.named(column)}" ({ids(found)})',
        advice=advice,
        split=part.split,
        column=part.named(column),
        rows=tuple(found[:SHOWN]),
    )


def _keys(part: Part) -> list[tuple[str, ...]]:
    return list(zip(*(map(plain, column) for column in part.texts.values()), strict=True))


def repeated(part: Part) -> Iterator[Finding]:
    """Rows whose texts stood before in the split (up to case, width and white space), and those of them whose label
    differs."""
    where: dict[tuple, list[int]] = defaultdict(list)
    for row, key in enumerate(_keys(part)):
        where[key].append(row)
    groups = [rows for rows in where.values() if len(rows) > 1]
    if not groups:
        return
    again = [part.ids[row] for rows in groups for row in rows[1:]]
    twins = ", ".join(f"{part.ids[rows[1]]} as {part.ids[rows[0]]}" for rows in groups[:3])
    yield Finding(
        level="warning",
        name="duplicates",
        message=f"{len(again):,} of {len(part):,} {part.split} rows repeat the text of another ({twins}"
        f"{', …' if len(again) > 3 else ''})",
        advice="keep one of each, unless their number is meant",
        split=part.split,
        rows=tuple(again[:SHOWN]),
    )
    if part.labels is None:
        return
    labels = part.labels
    unlike = [rows for rows in groups if any(labels[row] != labels[rows[0]] for row in rows)]
    if unlike:
        rows = list(chain.from_iterable(unlike))
        first = unlike[0]
        other = next(row for row in first if labels[row] != labels[first[0]])
        yield Finding(
            level="warning",
            name="conflicting-labels",
            message=f"{len(rows):,} {part.split} rows have {len(unlike):,} equal texts with different labels in column "
            f'"{part.named("label")}" (id {part.ids[first[0]]} is {_shown(labels[first[0]])}, id {part.ids[other]} is '
            f"{_shown(labels[other])})",
            advice="decide for one label, or remove them",
            split=part.split,
            column=part.named("label"),
            rows=tuple(part.ids[row] for row in rows[:SHOWN]),
        )


def _shown(label) -> str:
    if isinstance(label, float):  # a rating, in float32
        return f"{label:.4g}"
    return " and ".join(label) or "none" if isinstance(label, list) else label


def shared(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Rows of validation or test whose texts are in train too, and of test in validation."""
    keys = {split: _keys(part) for split, part in parts.items()}
    for split, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if split in keys and other in keys:
            known = dict(zip(reversed(keys[other]), reversed(parts[other].ids), strict=True))
            rows = [row for row, key in enumerate(keys[split]) if key in known]
            if rows:
                found = [parts[split].ids[row] for row in rows]
                yield Finding(
                    level="warning",
                    name="shared-rows",
                    message=f"{len(rows):,} of {len(keys[split]):,} {split} rows are in {other} too "
                    f"({ids(found)}; id {found[0]} is id {known[keys[split][rows[0]]]} there)",
                    advice=f"remove them from {other}: figures of {split} are too good",
                    split=split,
                    rows=tuple(found[:SHOWN]),
                )
