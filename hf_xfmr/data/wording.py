"""Names and rows in messages."""

from collections.abc import Iterable

from ..plain import escaped

SHOWN = 12  # names in a message; a table may have thousands of columns
LONGEST = 60  # characters of a name


def listed(names: Iterable[str]) -> str:
    """`"text", "label"`, on one line: of many names the first and how many more there are."""
    names = list(names)
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(f'"{short(name)}"' for name in names[:SHOWN]) + more


def short(text: object, longest: int = LONGEST) -> str:
    """A text as part of a line: its own lines joined, and of a long one the beginning."""
    text = " ".join(str(text)[: 4 * longest].split()) if "\n" in str(text) or "\r" in str(text) else str(text)
    text = text if len(text) <= longest else f"{text[:longest]}…"
    return "".join(one if one.isprintable() else escaped(one) for one in text)


def opening(text: str, longest: int = LONGEST) -> str:
    """The first words of a text, whole ones where it has spaces, to be read again as they stand."""
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    cut = text[:longest]
    return cut if text[longest] == " " or " " not in cut[longest // 2 :] else cut.rpartition(" ")[0]


def at(split: str, rows: Iterable[int]) -> str:
    """Rows counted from 0, as in `dataset[row]`: `train rows 3, 7, 12, 40, 41 and 9 more (counted from 0)`."""
    rows = list(rows)
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    return f"{split} row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:5]))}{more} (counted from 0)"
