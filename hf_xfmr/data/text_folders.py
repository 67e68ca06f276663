"""Text files -> documents: a file alone, or all of a folder, each in its own encoding, counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import UserError
from . import text_files
from .table import kinds
from .table.encoding import check_told, encoding_of, name_of
from .table.packed import bare, contents
from .table.reading import Reading
from .texts import Documents, DocumentSettings
from .wording import listed

SUFFIXES = (".txt", ".text")


def is_text(path: Path) -> bool:
    """Whether the name is one of a plain text, however packed."""
    return bare(path).suffix.lower() in SUFFIXES


def found_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The text files of a folder and of those in it, in the order of their paths, and its other files; what is hidden
    (by its name, or in `__MACOSX`) is among the others."""
    files = sorted(one for one in folder.rglob("*") if not one.is_dir())  # a dangling link is said, as it is read
    texts = [one for one in files if is_text(one) and not _is_hidden(one.relative_to(folder))]
    return texts, sorted(set(files).difference(texts))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def one_file(path: Path, settings: DocumentSettings, readings: list[Reading]) -> Documents:
    """The documents of one file, as `lines` and `separator` say; without them the file is one."""
    check(settings)
    read = Reading(str(path), "text")
    readings.append(read)

    def texts() -> Iterator[str]:
        read.notes.clear()
        if not settings.lines and settings.separator is None:
            text = text_files.whole(path, settings, read)
            if not text.strip(text_files.BLANK):
                raise UserError(f"{path}: the file is empty; it should hold rows")
            read.note(text_files.as_one(text))
            yield text
            return
        read.note("each line is a document" if settings.lines else f"documents stand between {_between(settings)}")
        yield from _parts(path, settings, read)

    if settings.streaming:  # what is said of it before it is read
        with text_files.text_of(path, settings, read):
            read.note("each line is a document" if settings.lines else f"documents stand between {_between(settings)}")
    return Documents(texts)


def folder(path: Path, settings: DocumentSettings, readings: list[Reading]) -> Documents | None:
    """The documents of a folder's text files, each read as one alone is; None if it has no text file. How many were in
    which encoding, empty, or no texts, is said. Raises UserError for one that holds tables too.

    A file too short to tell its encoding is read in that of the others, where it fits; `--encoding` is for those that
    are not UTF-8.
    """
    files, others = found_in(path)
    if not files:
        return None
    check(settings)
    tables = [one for one in others if kinds.is_table(one) and not _is_hidden(one.relative_to(path))]
    if tables:
        named = [listed(str(one.relative_to(path)) for one in some[:3]) for some in (files, tables)]
        raise UserError(
            f"{path}: holds {len(files):,} plain texts ({named[0]}) and {len(tables):,} tables ({named[1]}), and which "
            "are meant is not known; give a folder with one kind, or the table alone"
        )
    read = Reading(str(path), f"a folder of {len(files):,} text file{'s' * (len(files) > 1)}")
    readings.append(read)
    encodings = _encodings(files, settings, read)
    if others:
        read.note(f"not read: {len(others):,} other files ({listed(str(one.relative_to(path)) for one in others[:3])})")
    if not settings.lines and settings.separator is None:
        read.note("each file is one document (--lines true: each line)")
    else:
        read.note("each line is a document" if settings.lines else f"documents stand between {_between(settings)}")

    def texts() -> Iterator[str]:
        for file in files:
            own = replace(settings, encoding=encodings[file])
            if not settings.lines and settings.separator is None:
                yield text_files.whole(file, own)
            else:
                yield from _parts(file, own, None, may_be_empty=True)

    return Documents(texts)


def check(settings: DocumentSettings) -> None:
    """Raises UserError for flags that contradict one another, and for those of tables."""
    if settings.lines and settings.separator is not None:
        raise UserError("lines and separator exclude one another: leave one of them out")
    for name in ("text_column", "join_columns", "text_template"):
        if getattr(settings, name) is not None:
            raise UserError(f"{name} is for tables, and a plain text has no columns: leave it out")


def _between(settings: DocumentSettings) -> str:
    return f'lines "{settings.separator}"' if (settings.separator or "").strip() else "blank lines"


def _parts(
    path: Path, settings: DocumentSettings, read: Reading | None, *, may_be_empty: bool = False
) -> Iterator[str]:
    found = text_files.lines(path, settings, read, may_be_empty=may_be_empty)
    if settings.lines:
        yield from found
    else:
        yield from text_files.between(path, str(settings.separator).strip(), found)


def _encodings(files: Sequence[Path], settings: DocumentSettings, read: Reading) -> dict[Path, str]:
    """Each file's encoding, as --encoding takes it. Raises UserError for one that is not sure and fits none of the
    others'."""
    told = None if settings.encoding is None else check_told(settings.encoding)
    sure: dict[Path, str] = {}
    unsure: dict[Path, UserError] = {}
    empty = 0
    for file in files:
        data = contents(file)[0]
        empty += not data[:].strip(b"\xef\xbb\xbf \t\r\n")
        try:
            sure[file] = encoding_of(file, data, None)[0]
            if told is not None and sure[file] not in ("utf-8", "utf-16-le", "utf-16-be"):
                sure[file] = told
        except UserError as error:
            if told is None:
                unsure[file] = error
            else:
                sure[file] = told
    others = [one for one, _ in Counter(sure.values()).most_common() if one != "utf-8"]
    for file, question in unsure.items():
        fitting = [one for one in others if f"--encoding {name_of(one)}" in str(question)]
        if not fitting:
            raise question
        sure[file] = fitting[0]
    counts = Counter(map(name_of, sure.values()))
    read.encoding = next(iter(counts)) if len(counts) == 1 else None
    if len(counts) > 1:
        read.note(" and ".join(f"{count:,} in {name}" for name, count in counts.most_common()))
    if unsure:
        read.note(f"{len(unsure):,} too short to tell their encoding are read in that of the others")
    if told is not None and "utf-8" in sure.values() and told != "utf-8":
        read.note(f"--encoding {settings.encoding} is taken for those that are not UTF-8")
    if empty:
        read.note(f"{empty:,} {'is' if empty == 1 else 'are'} empty")
    return sure
