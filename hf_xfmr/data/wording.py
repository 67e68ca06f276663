"""Names and rows in messages."""

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """`"text", "label"`."""
    return ", ".join(f'"{name}"' for name in names)


def at(split: str, rows: Iterable[int]) -> str:
    """Rows counted from 0, as in `dataset[row]`: `train rows 3, 7, 12, 40, 41 and 9 more (counted from 0)`."""
    rows = list(rows)
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    return f"{split} row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:5]))}{more} (counted from 0)"
