"""TMX, in which translation memories are exchanged: its units -> pairs of texts."""

import codecs
import html.entities
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from datasets import Dataset

from ...data.table.encoding import check_told
from ...data.table.packed import FAULTS
from ...data.table.reading import Reading
from ...data.wording import listed
from ...errors import UserError
from .languages import chosen, matching, primary

CHUNK = 1 << 20
DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.\-]+)")


class _Units:
    """What expat tells, as units: for each the texts by the code of their language."""

    def __init__(self, path: Path):
        self.path = path
        self.units: list[dict[str, str]] = []
        self.codes: Counter = Counter()
        self.source: str | None = None  # the header's
        self.tags = self.more = 0
        self.root: str | None = None
        self._unit: dict[str, str] = {}
        self._language: str | None = None
        self._text: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.casefold()
        if self.root is None:
            self.root = name
            if name != "tmx":
                raise UserError(f"{self.path}: is no translation memory, since it begins with <{name}>, not <tmx>")
        if self._text is not None:
            self.tags += 1
        elif name == "header":
            self.source = attributes.get("srclang")
        elif name == "tu":
            self._unit = {}
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang")
        elif name == "seg":
            if not self._language:
                raise UserError(f"{self.path}: unit {len(self.units) + 1:,} has a text without a language; mend it")
            self._text = []

    def end(self, name: str) -> None:
        name = name.casefold()
        if name == "seg" and self._text is not None:
            text, self._text = " ".join("".join(self._text).split("\n")).strip(), None
            if self._language in self._unit:
                self.more += 1
            else:
                self._unit[str(self._language)] = text
                self.codes[self._language] += 1
        elif name == "tuv":
            self._language = None
        elif name == "tu":
            self.units.append(self._unit)

    def text(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def skipped(self, name: str, is_parameter: bool) -> None:
        """`&nbsp;` and its like, which only a DTD that is not read would explain."""
        if not is_parameter and self._text is not None:
            if f"{name};" not in html.entities.html5:
                raise UserError(f"{self.path}: &{name}; stands for nothing that is known; write it as a character")
            self._text.append(html.entities.html5[f"{name};"])

    def declared(self, name: str, *_: Any) -> None:
        raise UserError(
            f"{self.path}: declares entities of its own (&{name};), which are not read, since few lines of them can "
            "grow without end; write them out"
        )


def read(
    path: Path, stream: IO[bytes], source: str | None, target: str | None, encoding: str | None, reading: Reading
) -> tuple[Dataset, str, str]:
    """The pairs of two languages, and which: those told, by their code or without its region, or the only two, the
    header's first. What is left out is noted in `reading`.

    Raises UserError for what is no TMX, and where the languages have to be told.
    """
    found = _parsed(path, stream, encoding)
    reading.format, reading.rows = "TMX", len(found.units)
    codes = list(found.codes)
    languages = list(dict.fromkeys(map(primary, codes)))
    names = codes if len(languages) == 1 else languages
    if found.source in codes or primary(found.source or "") in languages:
        first = matching(str(found.source), names) or matching(primary(str(found.source)), names)
        names = first + [one for one in names if one not in first]
    if not found.units:
        raise UserError(f"{path}: the translation memory has no units; nothing to read")
    for told in (source, target):  # with its region, of a language of which there may be others
        if told is not None and (exact := [code for code in codes if code.casefold() == told.casefold()]):
            names = [*dict.fromkeys([*exact, *(one for one in names if one != primary(told))])]
    source, target = chosen(str(path), names, source, target, ordered=True)
    sides: dict[str, list] = {source: [], target: []}
    lacking = 0
    for unit in found.units:
        pair = []
        for side in (source, target):
            texts = [unit[code] for code in matching(side, list(unit))]
            pair.append(texts[0] if texts else None)
            found.more += max(len(texts) - 1, 0)
        if None in pair:
            lacking += 1
            continue
        for side, text in zip((source, target), pair, strict=True):
            sides[side].append(text)
    if lacking:
        reading.note(f"{_plural(lacking, 'unit')} without {source} or {target}, no pairs, left out")
    if found.tags:
        reading.note(f"{_plural(found.tags, 'inline tag')} taken off, and what stands within kept")
    if found.more:
        reading.note(f"{_plural(found.more, 'further text')} of a language that a unit has already, left out")
    if others := [code for code in codes if not any(matching(side, [code]) for side in (source, target))]:
        reading.note(f"not read: {listed(others)}")
    if not sides[source]:
        raise UserError(f"{path}: no unit has texts of both {source} and {target}; it has {listed(codes)}")
    return Dataset.from_dict(sides), source, target


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _parsed(path: Path, stream: IO[bytes], encoding: str | None) -> _Units:
    units = _Units(path)
    parser, parts = _parser(path, stream, encoding)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = units.start, units.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = units.text, units.declared
    parser.SkippedEntityHandler = units.skipped
    try:
        for part in parts:
            parser.Parse(part, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        hint = (
            "; say another encoding by --encoding" if error.code in (4, 19) else ""
        )  # invalid token, unknown encoding
        raise UserError(f"{path}: line {error.lineno:,} is not XML ({words}); write the file again{hint}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not {error.encoding} throughout; say the right one by --encoding") from None
    except FAULTS as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); check the file") from None
    return units


def _parser(path: Path, stream: IO[bytes], encoding: str | None) -> tuple[Any, Iterator[bytes]]:
    """A parser and what to feed it: bytes as they are, or as UTF-8 where the encoding is told or expat has it not."""
    beginning = stream.read(CHUNK)
    declared = DECLARED.search(beginning[:200])
    name = encoding or (declared[1].decode() if declared else None)
    if name is None or (encoding is None and name.casefold() in ("utf-8", "utf-16", "us-ascii", "iso-8859-1")):

        def parts() -> Iterator[bytes]:
            yield beginning
            yield from iter(lambda: stream.read(CHUNK), b"")

        return expat.ParserCreate(), parts()
    decoder = codecs.getincrementaldecoder(check_told(name))()

    def decoded() -> Iterator[bytes]:
        yield decoder.decode(beginning).removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        for part in iter(lambda: stream.read(CHUNK), b""):
            yield decoder.decode(part).encode("utf-8", "surrogatepass")
        decoder.decode(b"", True)

    return expat.ParserCreate("utf-8"), decoded()
