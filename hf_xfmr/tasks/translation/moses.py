"""Parallel texts, a file for each language as corpus.en and corpus.fr: two named, a prefix, a folder, or an archive."""

import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from datasets import Dataset

from ...data import text_files
from ...data.files import read_text
from ...data.sources import ALIASES, local_path
from ...data.table import kinds
from ...data.table.encoding import as_utf8
from ...data.table.packed import FAULTS, bare
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...data.wording import listed
from ...errors import UserError
from . import languages

SPLITS = ("train", "validation", "test")
NOT_TEXTS = ("xml", "ids", "md", "pdf", "html", "py", "sh", "log", "tmx", "zip")  # what stands beside texts, too


@dataclass(frozen=True)
class Side:
    """One side of parallel texts."""

    label: str
    text: Callable[[TableSettings | None, Reading], str]


Group = dict[str, Side]  # by language


def found(name: str, source: str | None, target: str | None) -> dict[str, tuple[str, str, Side, Side]]:
    """By split, source and target language and their texts; empty if the name is of something else. Raises UserError,
    which asks, where several pairs of texts or languages could be meant."""
    if name.count(",") == 1 and not os.path.lexists(name):
        return {"train": _named(name, source, target)}
    if not name:
        return {}
    path = local_path(name)
    try:
        if os.path.isdir(path):
            files = {one.name: _of_file(one) for one in sorted(path.iterdir()) if _may_be_side(one)}
            return _resolved(name, _groups(files), source, target, sep="/")
        if os.path.isfile(path):
            if zipfile.is_zipfile(path) and path.suffix.lower() == ".zip":
                return _resolved(name, _groups(_of_archive(path)), source, target, sep=": ")
            _refuse_one_side(path)
            return {}
        if not os.path.isdir(path.parent):
            return {}
        beside = (one for one in sorted(path.parent.iterdir()) if one.name.startswith(f"{path.name}."))
        groups = _groups({one.name: _of_file(one) for one in beside if _may_be_side(one)})
    except OSError as error:
        raise UserError(f"{name}: can't be read ({error.strerror}); check the path and its permissions") from None
    if path.name in groups:
        groups = {path.name: groups[path.name]}
    return _resolved(name, groups, source, target, sep=None)


def zipped(one: Side, other: Side, names: tuple[str, str], table: TableSettings | None, readings: list) -> Dataset:
    """The lines of two texts side by side. Raises UserError if they are not as many."""
    columns = {}
    for name, side in zip(names, (one, other), strict=True):
        reading = Reading(side.label, "text")
        text = side.text(table, reading)
        columns[name] = text_files.split(text)
        reading.rows = len(columns[name])
        readings.append(reading)
    a, b = (len(columns[name]) for name in names)
    if a != b:
        raise UserError(
            f"{one.label} has {a:,} lines but {other.label} has {b:,}: line by line they must be translations of one "
            "another"
        )
    return Dataset.from_dict(columns)


def _named(name: str, source: str | None, target: str | None) -> tuple[str, str, Side, Side]:
    one, other = (local_path(part.strip()) for part in name.split(","))
    if kinds.is_table(one) or kinds.is_table(other):
        raise UserError(f"{name}: SOURCE,TARGET are two files of plain text, one sentence a line; give one table alone")
    (a, b) = (_stem_and_language(path.name)[1] for path in (one, other))
    if not a or not b or a == b:
        a, b = "source", "target"
    return source or a, target or b, _of_file(one), _of_file(other)


def _of_file(path: Path) -> Side:
    def text(table: TableSettings | None, reading: Reading) -> str:
        try:
            return read_text(path, table, reading)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None

    return Side(str(path), text)


def _of_archive(path: Path) -> dict[str, Side]:
    """The members of a zip archive, as OPUS packs its corpora, by their names."""
    with zipfile.ZipFile(path) as archive:
        members = [one.filename for one in archive.infolist() if not one.is_dir()]

    def side(member: str) -> Side:
        def text(table: TableSettings | None, reading: Reading) -> str:
            try:
                with zipfile.ZipFile(path) as archive:
                    data = archive.read(member)
            except FAULTS as error:
                raise UserError(f"{path}: {member} cannot be unpacked ({error}); download it again") from None
            text, reading.encoding = as_utf8(path / member, data, table.encoding if table else None)
            reading.compression = "zip"
            return str(text, "utf-8")

        return Side(str(path / member), text)

    named = {PurePosixPath(member).name: member for member in members if not member.startswith("__MACOSX/")}
    return {name: side(member) for name, member in named.items() if not name.startswith(".")}


def _may_be_side(path: Path) -> bool:
    return path.is_file() and not kinds.is_table(path) and not path.name.startswith(".")


def _stem_and_language(name: str) -> tuple[str, str]:
    """("corpus", "en") of corpus.en, corpus.en.gz and corpus.en.txt; ("", "en") of en.txt."""
    path = bare(Path(name))
    if path.suffix.lower() == ".txt" and languages.is_code(path.with_suffix("").name.rsplit(".", 1)[-1]):
        path = path.with_suffix("")
    if not path.suffix:
        return "", path.name if languages.is_code(path.name) else ""
    return path.stem, path.suffix[1:]


def _groups(files: Mapping[str, Side]) -> dict[str, Group]:
    """The files that have all but the language of their name in common, where there are two at least."""
    groups: dict[str, Group] = {}
    for name, side in files.items():
        stem, language = _stem_and_language(name)
        if language and language.casefold() not in NOT_TEXTS and not kinds.is_table(Path(stem)):
            groups.setdefault(stem, {})[language] = side
    several = {stem: group for stem, group in groups.items() if len(group) > 1}
    coded = {stem: {name: group[name] for name in group if languages.is_name(name)} for stem, group in several.items()}
    return {stem: coded[stem] if len(coded[stem]) > 1 else group for stem, group in several.items()}


def _resolved(
    name: str, groups: dict[str, Group], source: str | None, target: str | None, *, sep: str | None
) -> dict[str, tuple[str, str, Side, Side]]:
    splits: dict[str, list[str]] = {}
    for stem in groups:
        split = stem.split(".")[0].casefold()
        splits.setdefault(ALIASES.get(split, split), []).append(stem)
    if "train" in splits:
        chosen = {split: splits[split] for split in SPLITS if split in splits}
    else:
        stems = [stem for stem, group in groups.items() if languages.is_code(next(iter(group)))]
        if not stems:
            return {}
        chosen = {"train": stems}
    result = {}
    for split, stems in chosen.items():
        able = [
            stem
            for stem in stems
            if all(told is None or languages.matching(told, list(groups[stem])) for told in (source, target))
        ]
        if len(able) > 1:
            inside = "" if sep is None else f"{name.rstrip('/')}{sep}"
            where = str(Path(name).parent / able[0]) if sep is None else f"{inside}{able[0]}"
            how = f"give one, as --dataset {where}" if sep != ": " else "unpack it, and give one of them"
            raise UserError(f"{name} holds several pairs of texts ({listed(able)}): {how}")
        stem = able[0] if able else stems[0]
        result[split] = _sides(name, stem, groups[stem], source, target)
    return result


def _sides(name: str, stem: str, group: Group, source: str | None, target: str | None) -> tuple[str, str, Side, Side]:
    names = list(group)
    told = languages.PAIR.search(stem)
    if told and set(told.groups()) <= set(names):
        names = [*told.groups(), *(one for one in names if one not in told.groups())]
    one, other = languages.chosen(name, names, source, target, ordered=told is not None)
    return one, other, *(group[languages.matching(side, names)[0]] for side in (one, other))  # type: ignore[return-value]


def _refuse_one_side(path: Path) -> None:
    """Raises UserError for a file that is one of a pair, with the words that name both."""
    stem, language = _stem_and_language(path.name)
    if kinds.is_table(path) or not languages.is_code(language):
        return
    beside = [one for one in sorted(path.parent.iterdir()) if one != path and _may_be_side(one)]
    others = [
        one
        for one in beside
        if _stem_and_language(one.name)[0] == stem and languages.is_code(_stem_and_language(one.name)[1])
    ]
    if others and "\t" not in next(text_files.lines(path, may_be_empty=True), ""):  # a table has both sides itself
        raise UserError(
            f"{path}: is one side of parallel texts: give both, as --dataset {path},{others[0]}, the source first"
        )
