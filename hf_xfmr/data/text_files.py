"""Plain text files: the whole of one, or the documents in it that its lines or separators tell apart."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ..errors import UserError
from .table import packed
from .table.encoding import as_utf8
from .table.reading import Reading
from .table.settings import TableSettings
from .table.stream import text_of
from .wording import short

MARK = re.compile(r"([-=*#_~+.·—])\1{2,}|<\|[\w/]+\|>|</?[sS]>")  # a line that may stand between two texts
BLANK = "\ufeff \t\r\n"


def whole(path: Path, table: TableSettings | None = None, reading: Reading | None = None) -> str:
    """All of a file, which may be empty, in whatever encoding and however packed; a byte order mark is dropped. Raises
    UserError for what is no file or no text, and where its encoding is not sure."""
    data, compression, _ = packed.contents(path)
    text, encoding = as_utf8(path, data, table.encoding if table else None)
    if reading is not None:
        reading.compression, reading.encoding = compression, encoding
    return str(text, "utf-8")


def lines(
    path: Path,
    table: TableSettings | None = None,
    reading: Reading | None = None,
    *,
    may_be_empty: bool = False,
) -> Iterator[str]:
    """The lines of a file, without what ends them, one at a time. Raises UserError as `text_of`, and for a file without
    text unless it may be empty."""
    empty = True
    with text_of(path, table, reading, newline="\n") as file:
        for line in _with_old_ends(file):
            empty = empty and not line.strip(BLANK)
            yield line.removesuffix("\n").removesuffix("\r")
    if empty and not may_be_empty:
        raise UserError(f"{path}: the file is empty; it should hold rows")


def _with_old_ends(file: Iterable[str]) -> Iterator[str]:
    r"""The lines; those of a file in which only `\r` ends them, too."""
    for number, line in enumerate(file):
        if not number and "\r" in line and not line.endswith("\n"):
            yield from line.split("\r")
        else:
            yield line


def split(text: str) -> list[str]:
    r"""The lines of a text, ended by `\n`, `\r\n`, or throughout by `\r`."""
    if "\n" not in text:
        return text.removesuffix("\r").split("\r")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def between(path: Path, separator: str, found: Iterable[str]) -> Iterator[str]:
    """The texts between the lines that are the separator (but for white space around it), their own lines joined by a
    newline. Raises UserError if there is no such line among those `found`."""
    text: list[str] = []
    separated = False
    for line in found:
        if line.strip() == separator:
            yield "\n".join(text)
            text, separated = [], True
        else:
            text.append(line)
    if not separated:
        raise UserError(
            f'{path}: no line is "{short(separator)}", the separator; name the one the file has, or leave it out'
        )
    yield "\n".join(text)


def as_one(text: str) -> str:
    """How a text was taken as one document, and the flags that take it otherwise, where its lines leave that open."""
    written = parts = end = 0
    after_blank = True
    marks: Counter = Counter()
    for line in re.finditer(r"[^\r\n]+", text):  # a corpus is not copied to be counted
        if not line[0].strip():
            after_blank = True
            continue
        between = text[end : line.start()]
        parts += after_blank or max(between.count("\n"), between.count("\r")) > 1
        written, end, after_blank = written + 1, line.end(), False
        if len(line[0]) < 40 and MARK.fullmatch(line[0].strip()):
            marks[line[0].strip()] += 1
    if written < 2:
        return "one document of a single line"
    said = f"one document of {written:,} lines"
    ways = [f"--separator {shlex.quote(mark)}: {count + 1:,} parts" for mark, count in marks.most_common(1)]
    if parts > 1:
        said += f" in {parts:,} parts between blank lines"
        ways.append('--separator "": each part is one')
    return f"{said} ({'; '.join([*ways, '--lines true: each line is one'])})"


def is_json_lines(path: Path) -> bool:
    """Whether a text's first lines are JSON objects, whatever the file is called. Raises UserError as `text_of`."""
    with text_of(path) as file:
        first = [line.strip(BLANK) for line in islice(file, 20) if line.strip(BLANK)]
    try:
        return bool(first) and all(isinstance(json.loads(line), dict) for line in first)
    except (ValueError, RecursionError):
        return False
