"""Where a table's rows begin: titles, comments, the names of the columns, and lines of types or units below them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UserError
from ..columns import IDS, LABELS, TEXTS
from ..wording import listed, short

KNOWN = {*LABELS, *TEXTS, *IDS, "index", "name", "title", "summary", "date", "time", "url", "user", "author", "source"}
KNOWN |= {"target", "translation", "src", "tgt", "tokens", "token", "words", "word", "tags", "tag", "ner_tags", "split"}
KNOWN |= {"language", "lang", "message", "answer", "context", "topic", "intent", "response", "prompt", "completion"}
KNOWN |= {"texte", "etiquette", "étiquette", "texto", "etiqueta", "clase", "testo", "etichetta", "tekst", "etykieta"}
KNOWN |= {
    "текст",
    "метка",
    "テキスト",
    "ラベル",
    "본문",
    "라벨",
    "標籤",
    "類別",
    "內容",
    "評論",
    "bewertung",
    "kategorie",
}
CODES = " en fr de es zh ja ru it pt nl pl ko ar tr cs sv da fi no uk el he hi vi th id ro hu eng fra deu spa "
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)*|\.\d+)([eE][+-]?\d+)?\s*%?\s*")
NAME = re.compile(r"[^\W\d][\w.\-/: ]{0,39}")
NUMBERED = re.compile(r"([^\W\d][\w.\- ]*?)[_ .-]?\d+")
ABSENT = {"", "na", "n/a", "nan", "null", "none", "-", "?"}
ORANGE_TYPES = {"c", "d", "s", "t", "continuous", "discrete", "string", "time", "n", "numeric", "categorical", "text"}
ORANGE_FLAGS = re.compile(r"(class|c|meta|m|ignore|i|weight|w|[\w-]+=\S+)(\s+[\w-]+=\S+)*")
UNIT = re.compile(r"\(.{1,20}\)|\[.{1,20}\]|%|°\s?[CFK]?|[kmcµμn]?(g|m|s|l|L|V|A|W|Hz|Pa|J|mol|bit|B)(/\w+|[²³23])?")
UNIT_WORDS = {"h", "min", "ms", "kg/m3", "m/s", "km/h", "usd", "eur", "€", "$", "£", "¥", "years", "days", "count", "-"}
MARK = "#"


@dataclass
class Heading:
    """`names` are the cells of the header (None: there is none), `width` the fields of a row, `skipped` the records
    before the first row, `notes` what is said of them."""

    names: list[str] | None
    width: int
    skipped: int
    notes: list[str] = field(default_factory=list)


def is_known(cell: str) -> bool:
    """Whether a cell is a name that columns have."""
    return cell.strip().strip("\"'").casefold() in KNOWN


def find(path: Path, records: Sequence[list[str]], told: bool | None) -> Heading:
    """The heading of a table's first records. Raises UserError, which asks for --header, where the first row could be
    the names or not."""
    widths = [len(row) for row in records]
    width = max(set(widths), key=lambda one: (widths.count(one), -widths.index(one)))
    notes: list[str] = []
    place = 0
    while place + 1 < len(records) and (what := _above(records, place, width, told)):
        notes.append(f'{what} above the header is left out: "{short(" ".join(filter(None, records[place])), 40)}"')
        place += 1
    first = records[place]
    if told is None:
        told = _is_header(first, [row for row in records[place + 1 :] if len(row) == width])
    if told is None:
        raise UserError(
            f"{path}: the first line, {listed(first)}, could be the names of the columns or a row; say which with "
            "--header true or --header false"
        )
    if not told:
        notes.append(f"the first line is a row, so the columns are {listed(numbered(width))}")
        return Heading(None, width, place, notes)
    names = list(first)
    if names[0].startswith(MARK) and len(names) == width:
        names[0] = names[0].lstrip("# ")
    if len(names) == width - 1 and width > 2 and not any(row[-1].strip() for row in records[place + 1 :] if row):
        names = [*names, ""]
        notes.append("the rows end in a delimiter more than the header")
    elif len(names) == width - 1 and width > 2:
        names = ["", *names]
        notes.append("the header names one column less than the rows have; the first is taken for an index")
    place += 1
    place = _below(records, place, len(names), notes)
    return Heading(names, len(names), place, notes)


def numbered(width: int) -> list[str]:
    """The names of columns that have none."""
    return [f"column_{place}" for place in range(1, width + 1)]


def unique(cells: Sequence[str], notes: list[str]) -> tuple[list[str], set[str]]:
    """Names of columns, each once, and which of them the file does not give."""
    names: list[str] = []
    given = {cell.strip() for cell in cells}
    unnamed: set[str] = set()
    renamed = []
    for place, cell in enumerate(cells, 1):
        name = cell.strip()
        if not name:
            name = "index" if place == 1 and "index" not in given and len(cells) > 1 else f"column_{place}"
            unnamed.add(name)
        number = 2
        base = name
        while name in names or (name != base and name in given):
            name = f"{base}_{number}"
            number += 1
        if name != base and base not in unnamed:
            renamed.append(name)
        names.append(name)
    if renamed:
        notes.append(f"repeated names are numbered: {listed(renamed)}")
    return names, unnamed


def _above(records: Sequence[list[str]], place: int, width: int, told: bool | None) -> str | None:
    """What a record above the header is, if it is no header."""
    row, following = records[place], records[place + 1]
    filled = [cell for cell in row if cell.strip()]
    if row[0].startswith(MARK):
        if len(row) != width:
            return "a comment"
        if width > 1 and _could_be_names([row[0].lstrip("# "), *row[1:]]) and not any(map(is_known, following)):
            return None  # `#id	text`
        return "a comment" if width > 1 or row[0][1:2] in (" ", "") else None
    if width == 1 or told is False:
        return None
    if len(filled) == 1 and row[0].strip() and not is_known(row[0]):
        if len(row) == 1:
            return "a title"
        if len(row) == width and sum(bool(cell.strip()) for cell in following) > 1 and _could_be_names(following):
            return "a title"
    return None


def _below(records: Sequence[list[str]], place: int, width: int, notes: list[str]) -> int:
    """The place of the first row of data, after lines below the header that are none."""
    rest = records[place:]
    if len(rest) > 2 and _are_oranges(rest[0], rest[1], width):
        notes.append("two lines below the header (types and flags, as Orange writes them) are no rows")
        return place + 2
    while place + 1 < len(records) and records[place][0].startswith(MARK) and len(records[place]) < width:
        notes.append(f'a comment below the header is left out: "{short(records[place][0], 40)}"')
        place += 1
    rest = records[place:]
    if len(rest) > 1 and _are_units(rest[0], rest[1:], width):
        notes.append(f"a line below the header ({listed(cell for cell in rest[0] if cell.strip())}: units) is no row")
        place += 1
    return place


def _are_oranges(types: list[str], flags: list[str], width: int) -> bool:
    if not len(types) == len(flags) == width:
        return False
    kinds = [cell.strip().casefold() for cell in types]
    marks = [cell.strip().casefold() for cell in flags]
    known = [kind in ORANGE_TYPES for kind in kinds]
    # A column of classes may list them instead of a type.
    listing = [mark in ("class", "c") and len(kind.split()) > 1 for kind, mark in zip(kinds, marks, strict=True)]
    return all(a or b for a, b in zip(known, listing, strict=True)) and all(
        not mark or ORANGE_FLAGS.fullmatch(mark) for mark in marks
    )


def _are_units(row: list[str], rest: Sequence[list[str]], width: int) -> bool:
    """Units stand in columns of numbers; beside them a line of units has nothing."""
    rest = [one for one in rest if len(one) == width]
    if len(row) != width or not rest:
        return False
    units = 0
    for column, cell in enumerate(map(str.strip, row)):
        is_unit = bool(UNIT.fullmatch(cell)) or cell.casefold() in UNIT_WORDS
        if cell and not is_unit:
            return False
        if cell and cell != "-":
            values = [one[column].strip() for one in rest]
            numbers = [bool(NUMBER.fullmatch(one)) for one in values if one.casefold() not in ABSENT]
            units += bool(numbers) and all(numbers)
            if not (numbers and all(numbers)) and not cell.startswith(("(", "[")):
                return False
    return units > 0


def _is_header(first: list[str], rest: Sequence[list[str]]) -> bool | None:
    """True or False where the first row's cells say so, None where they could be names or values."""
    cells = [cell.strip() for cell in first]
    if cells and cells[0].startswith(MARK) and len(cells) > 1:
        return True
    if len(cells) > 1 and cells == list(map(str, range(len(cells)))):
        return None  # as pandas names columns that have no names
    plain = [cell.casefold() for cell in cells if cell]
    if not plain:
        return None
    known = sum(cell in KNOWN for cell in plain) + len(plain) * all(f" {cell} " in CODES for cell in plain)
    if not rest:
        return True if known or _could_be_names(cells) else None
    for_names, against = known, 0
    for column, cell in enumerate(cells[: len(rest[0])]):
        values = [row[column].strip() for row in rest if column < len(row)]
        filled = [value for value in values if value.casefold() not in ABSENT]
        numbers = bool(filled) and all(map(NUMBER.fullmatch, filled))
        if numbers and NUMBER.fullmatch(cell):
            against += 1
        elif numbers and cell and cell.casefold() not in ABSENT:
            for_names += 2
        elif not numbers and cell and len(set(filled)) <= max(2, len(filled) // 2) and cell in filled:
            against += 2
        elif _is_sentence(cell) and 2 * sum(_is_sentence(value) or " " in value for value in filled) >= len(filled):
            against += 1
        elif not cell and filled and len(cells) > 1:
            for_names += column == 0
    if len(set(plain)) < len(plain) and not known:
        against += 1
    if known >= 2 and known >= len(plain) - 1 and against <= 1:
        return True
    if for_names and not against:
        return True
    if against and not for_names:
        return False
    if for_names or against:
        return None
    return _by_form(cells, rest)


def _by_form(cells: list[str], rest: Sequence[list[str]]) -> bool | None:
    """Names are short words; if the values are not, names are what they are."""
    if not _could_be_names(cells):
        return None
    if all(NUMBERED.fullmatch(cell) or len(cell) == 1 for cell in cells if cell):
        return True
    if any("_" in cell for cell in cells) and not any("_" in cell for row in rest for cell in row):
        return True
    for column, cell in enumerate(cells):
        values = [row[column].strip() for row in rest if column < len(row) and row[column].strip()]
        others = sum(not _is_word(value) or len(value) > 40 for value in values)
        if cell and _is_word(cell) and values and others > 0.7 * len(values):
            return True
    return None


def _is_word(cell: str) -> bool:
    return bool(re.fullmatch(r"[^\W\d][\w.\-]{0,39}", cell))


def _could_be_names(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and len(set(filled)) == len(filled) and all(NAME.fullmatch(cell) for cell in filled)


def _is_sentence(cell: str) -> bool:
    """Whether a cell is a text, as no name is."""
    return len(cell) > 60 or (len(cell.split()) > 3) or cell[-1:] in tuple(".!?。！？…") or "," in cell
