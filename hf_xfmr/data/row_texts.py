"""How rows of a table become texts, and what is said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .messages import as_text


@dataclass
class TextOf:
    """How the text of a row is made of its `columns`; rows that lack one of several are counted in `lacking`."""

    columns: list[str]
    make: Callable[[Mapping[str, Any]], str | None] | None = None  # None: the column's value
    said: str | None = None
    lacking: int = 0
    lacks: str = "a character"  # what a row has not that gives no text

    def begin(self) -> None:
        """Rows come from the first on."""
        self.lacking = 0

    def __call__(self, row: Mapping[str, Any]) -> str | None:
        if self.make is None:
            return as_text(row.get(self.columns[0]))
        return self.make(row)

    def lines(self) -> list[str]:
        """What the report says of the texts read so far."""
        if self.lacking and self.said:
            rows = "1 row lacks" if self.lacking == 1 else f"{self.lacking:,} rows lack"
            return [f"{self.said}; {rows} one of them, left out there"]
        return [self.said] if self.said else []
