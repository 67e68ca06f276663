"""How the fields of a table stand apart: found from its first lines, or asked about."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import UserError
from . import heading, quotes
from .reading import DELIMITERS
from .settings import TableSettings

CANDIDATES = ",;\t|"
FLAGS = {"\t": "'\\t'"}  # how a delimiter is written after --delimiter in a message
SAMPLE = 1 << 18  # bytes of the beginning that are looked at
ROWS = 400
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True)
class Dialect:
    """`quotechar` None: nothing is quoted, a quotation mark is a character. `delimiter` None: there is one column."""

    delimiter: str | None
    quotechar: str | None = '"'
    skips_space: bool = False  # a space after each delimiter is none of the field's

    def reader(self, lines, *, strict: bool = True) -> Iterator[list[str]]:
        """csv's reader of lines; its `line_num` counts them."""
        return csv.reader(
            lines,
            delimiter=self.delimiter or "\x1f",
            quotechar=self.quotechar,
            quoting=csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE,
            skipinitialspace=self.skips_space,
            strict=strict,
        )


def told(settings: TableSettings) -> tuple[str | None, str | None]:
    """The delimiter and quotechar the user gave, as characters ("" for quotechar: none). Raises UserError if either is
    no single character."""
    names = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
    delimiter = settings.delimiter if settings.delimiter is None else names.get(settings.delimiter, settings.delimiter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"' or not delimiter.isascii()):
        raise UserError(
            f"--delimiter is {settings.delimiter!r}; it is one character, as ',' or ';' or '|', or '\\t' for a tab"
        )
    quote = settings.quotechar
    if quote and (len(quote) != 1 or quote in "\r\n" or not quote.isascii() or quote == delimiter):
        raise UserError(f"--quotechar is {quote!r}; it is one character beside the delimiter, or '' where none quotes")
    return delimiter, quote


def complete_lines(text: str, *, whole: bool) -> list[str]:
    """The lines of a beginning with their ends; the last is left out if it may go on."""
    lines = _LINE.findall(text)
    return lines if whole or len(lines) < 2 else lines[:-1]


def parsed(lines: list[str], dialect: Dialect, *, strict: bool = False) -> list[list[str]]:
    """The rows of the first lines, blank ones left out; what goes wrong at their end is left out too."""
    rows: list[list[str]] = []
    try:
        for row in dialect.reader(iter(lines), strict=strict):
            if row and not (len(row) == 1 and not row[0].strip()):
                rows.append(row)
            if len(rows) == ROWS:
                break
    except csv.Error:
        pass
    return rows


def find(path: Path, lines: list[str], settings: TableSettings, usual: str | None, *, only_even=False) -> Dialect:
    """The dialect of a table's first lines. `usual` is the delimiter its name promises; `only_even`: without even rows
    it is no table, and has no delimiter. Raises UserError, which asks
    for --delimiter, where two give tables of even rows."""
    delimiter, quote = told(settings)
    quoting = _quotes(lines) if quote is None else (quote or None)
    if delimiter is None:
        delimiter = _delimiter(path, lines, quoting, usual, only_even)
    found = Dialect(delimiter, quoting)
    if delimiter is not None and delimiter != " ":
        rows = parsed(lines, found)
        later = [field for row in rows for field in row[1:]]
        if later and all(field.startswith(" ") for field in later):
            found = replace(found, skips_space=True)
    return found


def _quotes(lines: list[str]) -> str:
    """The double quote, unless single ones stand where a quote of a table stands, and only there."""
    if any('"' in line for line in lines[:ROWS]):
        return '"'
    head = lines[:ROWS]
    if not any("'" in line for line in head):
        return '"'
    for delimiter in CANDIDATES:
        rows = parsed(head, Dialect(delimiter, "'"))
        widths = {len(row) for row in rows}
        count = quotes.plain("".join(head).encode(), delimiter, "'")
        if len(widths) == 1 and max(widths) > 1 and count is not None and count >= 2 * len(rows):
            return "'"
    return '"'


def _delimiter(path: Path, lines: list[str], quotechar: str | None, usual: str | None, only_even: bool) -> str | None:
    shapes = {one: _shape(parsed(lines, Dialect(one, quotechar))) for one in CANDIDATES}
    even = [one for one in CANDIDATES if shapes[one].even]
    if any(shapes[one].first == 0 for one in even):  # a title above the header is the less likely reading
        even = [one for one in even if shapes[one].first == 0]
    elif even and heading.is_known(lines[0]):
        return None
    if len(even) == 1:
        return even[0]
    if usual == "\t" and usual in even:
        return usual
    if len(even) > 1:
        quoted = [one for one in even if shapes[one].quoted]
        if len(quoted) == 1:
            return quoted[0]
        flags = " or ".join(f"--delimiter {FLAGS.get(one, repr(one))}" for one in even)
        raise UserError(
            f"{path}: its fields could stand apart by {' or by '.join(DELIMITERS[one] for one in even)}; say which "
            f"with {flags}"
        )
    if only_even:
        return None
    if usual is not None and usual in lines[0] and shapes[usual].mostly:
        return usual
    mostly = sorted((one for one in CANDIDATES if shapes[one].mostly), key=lambda one: -shapes[one].share)
    if mostly:
        return mostly[0]
    if usual is not None and usual in lines[0]:
        return usual
    return _of_clevercsv(lines)


@dataclass(frozen=True)
class _Shape:
    width: int  # of most rows
    share: float  # of rows that have it
    even: bool  # all but a few at the beginning
    quoted: bool  # fields hold other delimiters, which quotes kept within them
    first: int  # rows before the first of that width

    @property
    def mostly(self) -> bool:
        return self.width > 1 and self.share > 0.5


def _shape(rows: list[list[str]]) -> _Shape:
    if not rows:
        return _Shape(0, 0, False, False, 0)
    widths = [len(row) for row in rows]
    (width, count) = Counter(widths).most_common(1)[0]
    # Lines of a title or of comments may stand before the header, which is as wide as the rows (or one narrower).
    first = next((place for place, one in enumerate(widths) if one == width), 0)
    before_is_short = all(one == 1 or row[0].startswith("#") for one, row in zip(widths[:first], rows, strict=False))
    rest = [one for one, row in zip(widths[first:], rows[first:], strict=True) if not row[0].startswith("#")]
    even = width > 1 and before_is_short and first <= 5 and set(rest) <= {width} and len(rest) > min(first, 2)
    if not even and width > 2 and widths[0] == width - 1 and set(widths[1:]) == {width}:
        even = True
    quoted = any('"' in field and field.count('"') % 2 == 1 for row in rows for field in row)
    return _Shape(width, count / len(rows), even, even and not quoted and _holds_delimiters(rows), first)


def _holds_delimiters(rows: list[list[str]]) -> bool:
    """Whether a field holds a comma or its like, which only quotes of this very dialect would have kept within."""
    return any(one in field for row in rows for field in row for one in ",;|\t")


def _of_clevercsv(lines: list[str]) -> str | None:
    """What clevercsv makes of uneven rows, if the first line has that delimiter too; else one column."""
    from clevercsv.detect import Detector  # loads regex and chardet

    sample = "".join(lines[:ROWS])
    try:
        found = Detector().detect(sample, delimiters=list(CANDIDATES))
    except Exception:  # of a table it can't make out, it raises what its regular expressions raise
        found = None
    delimiter = found.delimiter if found else None
    return delimiter if delimiter and delimiter in CANDIDATES and delimiter in lines[0] else None
