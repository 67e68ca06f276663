"""What was understood of a file, said in one line."""

from dataclasses import dataclass, field
from pathlib import Path

from ..wording import short

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "spaces"}
NOTES = 6  # that are said of one file
LONGEST = 240  # characters of a note


@dataclass
class Reading:
    """How one file (or Python object) was read; `notes` say what a reader of its rows might not expect."""

    path: str
    format: str = ""  # CSV, JSON, JSON lines, Parquet, Arrow, Excel, SQLite, DuckDB, text, ...
    compression: str | None = None
    encoding: str | None = None  # of what is text
    delimiter: str | None = None
    quotechar: str | None = None
    header: bool | None = None  # of a table of text: whether its first line names the columns
    part: str | None = None  # the sheet, table or member of an archive that was read
    rows: int | None = None
    columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say this too, once."""
        if text not in self.notes:
            self.notes.append(text)

    def count(self, rows: int) -> None:
        """So many rows more were read."""
        self.rows = (self.rows or 0) + rows

    def line(self) -> str:
        """`read: reviews.csv as CSV, semicolons, windows-1252, 8,056 rows, 3 columns; …`, on one line."""
        delimiter = self.delimiter and DELIMITERS.get(self.delimiter, f"fields between '{short(self.delimiter)}'")
        part = short(self.part, 100) if self.part else None
        packed = self.compression and f"packed by {self.compression}"
        how = [
            self.format,
            part,
            packed,
            delimiter,
            self.encoding,
            None if self.rows is None else _count(self.rows, "row"),
        ]
        if self.columns:
            how.append(_count(len(self.columns), "column"))
        more = [f"and {len(self.notes) - NOTES:,} notes more"] if len(self.notes) > NOTES else []
        notes = [short(note, LONGEST) for note in self.notes[:NOTES]] + more
        head = f"read: {short(Path(self.path).name, 120)} as {', '.join(filter(None, how))}"
        return "; ".join([head, *notes])


class Unnamed:
    """What stands for rows without a name: `kind` is the type of the object that they came in."""

    kind: str


def called(data: object) -> str:
    """A dataset as a report names it: its name, or the kind of object that it is."""
    return data if isinstance(data, str) else f"a {data.kind if isinstance(data, Unnamed) else type(data).__name__}"


def lines(readings: list[Reading]) -> list[str]:
    """A line for each of the first files, and how many more there are."""
    more = [f"read: {len(readings) - 12:,} more files"] if len(readings) > 12 else []
    return [one.line() for one in readings[:12]] + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
