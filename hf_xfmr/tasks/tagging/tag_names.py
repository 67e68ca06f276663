"""Names of tags that are numbers: of the dataset's own features, of a column beside them, or as the user says."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...data.wording import at, listed
from ...errors import UserError
from .sentence import Sentence

CONLL_2003 = "O,B-PER,I-PER,B-ORG,I-ORG,B-LOC,I-LOC,B-MISC,I-MISC"  # the order of its release on the Hub
ENDINGS = ("_text", "_texts", "_name", "_names", "_str", "_string", "_strings", "_label", "_labels")


def is_number(tag: Any) -> bool:
    """Whether a tag is a whole number, however it is written."""
    if isinstance(tag, str):
        return tag.strip().removeprefix("-").isdecimal()
    return (isinstance(tag, int) and not isinstance(tag, bool)) or (isinstance(tag, float) and tag.is_integer())


def column_of_names(names: Iterable[str], tags: str) -> str | None:
    """The column that is called as the names of the tags in column `tags` are: `ner_tag_names`, `tags_text`."""
    base = tags.casefold()
    wanted = {one + ending for one in (base, base.rstrip("s")) for ending in ENDINGS}
    return next((name for name in names if name.casefold() in wanted), None)


def told(given: str) -> dict[int, str]:
    """The name of each number, from `O,B-PER,…` or a file: one a line, a JSON list, or a JSON object of names and
    numbers. Raises UserError for a file that is none."""
    path = Path(given).expanduser()
    if "," in given or not path.is_file():
        return dict(enumerate(name.strip() for name in given.split(",")))
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if text.lstrip()[:1] not in ("[", "{"):
        return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    try:
        value = json.loads(text)
        if isinstance(value, list):
            return dict(enumerate(map(str, value)))
        if all(map(is_number, value)):
            return {int(number): str(name) for number, name in value.items()}
        return {int(number): str(name) for name, number in value.items()}
    except (ValueError, TypeError):
        raise UserError(f"tag_names: {given} holds no list of names, and no object of names and numbers") from None


def of_types(types: set[str], given: str | None) -> tuple[dict[str, str], list[str]]:
    """Names in place of types of spans that are numbers, and what is said of them. Raises UserError as `named`."""
    are_numbers = bool(types) and all(map(is_number, types))
    if given is None:
        said = ["types are numbers, as the file has them; --tag_names PER,LOC,… names them from 0"]
        return {}, said if are_numbers else []
    if not are_numbers:
        raise UserError(
            f"tag_names is for types that are numbers; these are texts ({listed(sorted(types))}): leave it out"
        )
    names = told(given)
    if lacks := sorted(kind for kind in types if int(kind) not in names):
        raise UserError(f"tag_names has no name of the types {listed(lacks)}; it names {_shown(names)}")
    return {kind: names[int(kind)] for kind in types}, [f"types are numbers, named by --tag_names: {_shown(names)}"]


def named(splits: dict[str, list[Sentence]], column: str, given: str | None, rows: dict[str, list]) -> list[str]:
    """Put names in place of numbers, in place, and say how. `rows` are the values of a column of names, by split.

    Raises UserError for numbers without names, with the flag that gives them, and for numbers beyond them.
    """
    tags = {tag for sentences in splits.values() for one in sentences for tag in one.tags}
    if not tags or not all(map(is_number, tags)) or tags == {"0"}:
        if given is not None:
            raise UserError(f'tag_names is for tags that are numbers; those of "{column}" are texts: leave it out')
        return []
    numbers = sorted({int(tag) for tag in tags})
    if given is not None:
        names = told(given)
        note = f"tags are numbers, named by --tag_names: {_shown(names)}"
    elif names := _of_column(splits, rows):
        note = f"tags are numbers, named by a column beside them: {_shown(names)}"
    else:
        flag = f"--tag_names {CONLL_2003}" if numbers == list(range(9)) else "--tag_names O,B-PER,I-PER,…"
        are = " if they are CoNLL-2003's as the Hub has them" if numbers == list(range(9)) else ""
        raise UserError(
            f'the tags of "{column}" are the {len(numbers)} numbers {listed(map(str, numbers))}, and nothing says '
            f"their names: give them in order, from 0, as {flag}{are}"
        )
    for split, sentences in splits.items():
        for one in sentences:
            if wrong := [tag for tag in one.tags if int(tag) not in names]:
                raise UserError(f"{at(split, [one.row])}: the tag {wrong[0]} has no name; those are {_shown(names)}")
            one.tags = [names[int(tag)] for tag in one.tags]
    return [note]


def _shown(names: dict[int, str]) -> str:
    return listed(f"{number} {name}" for number, name in sorted(names.items()))


def _of_column(splits: dict[str, list[Sentence]], rows: dict[str, list]) -> dict[int, str]:
    """The name of each number by a column that has the names of each row's tags, or the list of all of them; nothing
    if it says two names of one."""
    found: dict[int, str] = {}
    for split, sentences in splits.items():
        values = rows.get(split) or []
        if values and all(value == values[0] for value in values) and isinstance(values[0], list):
            numbers = [int(tag) for one in sentences for tag in one.tags]
            if len(values[0]) > max(numbers) and any(len(one.tags) != len(values[0]) for one in sentences):
                found |= dict(enumerate(map(str, values[0])))
                continue
        for one in sentences if values else []:
            if not _add(found, one.tags, values[one.row]):
                return {}
    return found


def _add(found: dict[int, str], tags: Sequence, names: Any) -> bool:
    if not isinstance(names, list) or len(names) != len(tags):
        return False
    return all(
        found.setdefault(int(tag), str(name)) == str(name)
        for tag, name in zip(tags, names, strict=True)
        if tag is not None
    )
