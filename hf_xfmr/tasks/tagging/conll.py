"""Files in CoNLL's layout: a word and its tag on each line, an empty line after each sentence."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset, Features, List, Value

from ...data.files import read_text
from ...data.table.packed import bare
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...data.wording import short
from ...errors import UserError
from . import columns
from .notation import NO_ENTITY, PREFIX, SUFFIX

SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".bmes", ".conllu", ".txt")
FEATURES = Features({"tokens": List(Value("string")), "tags": List(Value("string"))})
DELIMITERS = ("\t", ",", ";", "|")
FIRST = 2000  # lines that tell the layout


class Lines:
    """The lines of a file as fields, with their numbers from 1; an empty one has none."""

    def __init__(self, text: str, delimiter: str | None):
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.lines = lines if lines[-1:] == [""] else [*lines, ""]
        filled = [line for line in lines[:FIRST] if line.strip() and not line.startswith("#")]
        self.delimiter = delimiter or ("\t" if 2 * sum("\t" in line for line in filled) > len(filled) else " ")

    def fields(self, line: str) -> list[str]:
        if self.delimiter == " ":
            return re.split(r"[ \t]+", line.strip(" \t"))
        if self.delimiter == "\t" or '"' not in line:
            return line.split(self.delimiter)
        return next(csv.reader([line], delimiter=self.delimiter))

    def __iter__(self) -> Iterator[tuple[int, str, list[str]]]:
        for number, line in enumerate(self.lines, 1):
            fields = [] if not line.strip(" \t") else self.fields(line)
            yield number, line, [] if fields and not any(fields) else fields

    def width(self) -> int:
        """The fields that most lines have, of the first."""
        counts = Counter(len(fields) for _, _, fields in self._first() if fields)
        return max(counts, key=lambda one: (counts[one], -list(counts).index(one))) if counts else 0

    def _first(self) -> Iterator[tuple[int, str, list[str]]]:
        for one in self:
            if one[0] > FIRST:
                return
            if not one[1].startswith("-DOCSTART-"):
                yield one


def begins_as_json(path: Path, table: TableSettings | None) -> bool:
    """Whether a text is JSON, by its first character."""
    first = read_text(path, table).lstrip("\ufeff \t\r\n").split("\n", 1)[0].strip()
    return (first.startswith("{") and first.endswith(("}", "{", ","))) or first in ("[", "[{")


def has_sentences(path: Path, table: TableSettings | None) -> bool:
    """Whether a table of text has a word in each line, and empty lines between sentences: a reader of tables would
    leave those out."""
    text = read_text(path, table)
    if not re.search(r"\n[ \t]*\r?\n[ \t]*[^\s]", text):
        return False
    delimiter = _delimiter(text, table)
    if delimiter is None:
        return False
    lines = Lines(text, delimiter)
    width = lines.width()
    first = next((fields for _, _, fields in lines if fields), [])
    if width < 2 or columns.known_bare(first, columns.SENTENCES):
        return False
    rows = [fields for _, line, fields in lines._first() if len(fields) == width or (fields and line[0] != "#")]
    even = [fields for fields in rows if len(fields) == width]
    single = [fields for fields in even if not any(" " in one.strip() for one in fields)]
    tags = [fields for fields in single[1:] if fields[-1] in NO_ENTITY or _is_placed(fields[-1])]
    return len(single) >= 0.95 * len(rows) and len(tags) >= 0.9 * max(len(single) - 1, 1)


def _is_placed(tag: str) -> bool:
    return bool(PREFIX.fullmatch(tag) or SUFFIX.fullmatch(tag))


def _delimiter(text: str, table: TableSettings | None) -> str | None:
    if table is not None and table.delimiter:
        return "\t" if table.delimiter in ("\\t", "tab") else table.delimiter
    first = [line for line in text.split("\n", 100)[:100] if line.strip() and not line.startswith("#")]
    found = {one: sum(one in line for line in first) for one in DELIMITERS}
    best = max(found, key=lambda one: found[one])
    return best if first and found[best] >= 0.8 * len(first) else None


def read_conll(
    path: Path,
    table: TableSettings | None = None,
    readings: list[Reading] | None = None,
    *,
    fields: tuple[str | None, str | None] = (None, None),
) -> Dataset:
    """The columns `tokens` and `tags`. The word is a line's first field (behind a number that counts words, the second)
    and the tag its last, or those of the numbers or names told in `fields`; they stand apart by tabs, or by spaces in a
    file without tabs, in a CSV by its delimiter. Lines of -DOCSTART-, comments and a line of names are left out.

    Raises UserError, naming file and line, for a line with other than as many fields as the others, and for a file
    without sentences.
    """
    reading = Reading(str(path))
    text = read_text(path, table, reading)
    plain = [line for line in text.split("\n", 100)[:100] if line.strip()]
    unspaced = not any(re.search(r"\S[ \t]+\S", line) for line in plain)
    is_csv = bare(path).suffix.lower() not in SUFFIXES or unspaced
    lines = Lines(text, _delimiter(text, table) if is_csv or (table and table.delimiter) else None)
    width, counts = lines.width(), Counter[str]()
    word, tag, skip = _places(path, lines, width, fields, reading)
    # A comment may have as many fields as other lines, but its last is no tag of theirs.
    seen = {one[tag] for _, line, one in lines if one and len(one) == width and not line.startswith("#")}
    rows: list[dict] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line, found in lines:
        if not found:
            if tokens:
                rows.append({"tokens": tokens, "tags": tags})
                tokens, tags = [], []
            continue
        if line.startswith("-DOCSTART-"):
            counts["lines of -DOCSTART- are left out"] += 1
            continue
        if number == skip:
            continue
        if line.startswith("#") and (len(found) != width or found[tag] not in seen):
            counts["comments are left out"] += 1
            continue
        if len(found) == width - 1 and line[:1] == " " == lines.delimiter:
            found = ["", *found]  # the word is a space
        if width < 2 or len(found) != width:
            expected = f"{width} fields, as the others have" if width > 1 else "two or more: a word, and last its tag"
            raise UserError(
                f'{path}: line {number}, "{short(line.strip(), 40)}", has {len(found)} fields, not {expected}'
            )
        if not found[word].strip() and found[tag] in NO_ENTITY:
            counts["words that are white space are left out"] += 1
            continue
        tokens.append(found[word])
        tags.append(found[tag])
    if not rows:
        raise UserError(f"{path}: has no sentences; a line holds a word and its tag, an empty line ends a sentence")
    if readings is not None:
        reading.format, reading.rows, reading.delimiter = "CoNLL's layout", len(rows), lines.delimiter
        for what, count in counts.items():
            reading.note(f"{count:,} {what}")
        readings.append(reading)
    return Dataset.from_list(rows, features=FEATURES)


def _places(
    path: Path, lines: Lines, width: int, told: tuple[str | None, str | None], reading: Reading
) -> tuple[int, int, int | None]:
    """The places of word and tag in a line, and the number of the line that names the fields, if there is one."""
    first = next(((number, one) for number, _, one in lines._first() if len(one) == width), (0, []))
    names = [name.lstrip("# ") for name in first[1]]
    named = bool(columns.known(names, columns.TOKENS) and columns.known(names, columns.TAGS))
    if named:
        reading.note("the first line names the fields")
        word = names.index(columns.known(names, columns.TOKENS)[0])
        tag = names.index(columns.known(names, columns.TAGS)[0])
    else:
        word, tag = int(width > 2 and _has_numbers(lines, width)), max(width - 1, 0)
        if width == 2 and _are_tags(lines, 2, 0) and not _are_tags(lines, 2, 1):
            word, tag = 1, 0
            reading.note("the tag stands before its word")
    places = []
    for option, one, usual in zip(("tokens_column", "tags_column"), told, (word, tag), strict=True):
        if one is None:
            places.append(usual)
        elif one.isdigit() and 1 <= int(one) <= width:
            places.append(int(one) - 1)
        elif named and one in names:
            places.append(names.index(one))
        else:
            raise UserError(
                f'{path}: {option} is "{one}"; in CoNLL\'s layout it is the number of a field, 1 to {width}'
            )
    word, tag = places
    if width > 2:
        also = [place + 1 for place in range(width) if place not in places and _are_tags(lines, width, place)]
        more = f" (field {', '.join(map(str, also))} has tags too: --tags_column {also[-1]})" if also else ""
        reading.note(f"of {width} fields the word is field {word + 1} and its tag field {tag + 1}{more}")
    return word, tag, first[0] if named else None


def _column(lines: Lines, width: int, place: int) -> list[str]:
    return [fields[place] if fields else "" for _, _, fields in lines._first() if len(fields) in (0, width)]


def _has_numbers(lines: Lines, width: int) -> bool:
    """Whether the first field counts the words of each sentence."""
    before, counts = 0, set()
    for one in _column(lines, width, 0):
        if one and not one.isdigit():
            return False
        if one:
            counts.add(int(one) - before if before else int(one))
        before = int(one) if one else 0
    return counts <= {0, 1}


def _are_tags(lines: Lines, width: int, place: int) -> bool:
    found = [one for one in _column(lines, width, place) if one]
    return any(map(PREFIX.fullmatch, found)) and all(one in NO_ENTITY or _is_placed(one) for one in found)
