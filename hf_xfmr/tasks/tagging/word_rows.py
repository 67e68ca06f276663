"""Tables with a word in each row: sentences by a column of their numbers, by empty rows, or by words that end them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from datasets import Dataset

from ...data.wording import at, listed, short
from ...errors import UserError
from . import columns
from .lists import names_of, plain
from .notation import NO_ENTITY
from .sentence import Sentence

ASK = (
    "each row is a word, and nothing says where sentences end: name the column of their numbers with "
    "--sentence_column, or the words that end one with --sentence_end '. ! ?'"
)


def are(rows: Dataset, words: str, tags: str) -> bool:
    """Whether each row is a word with its tag: no cell has lists, or several words."""
    if any(rows.features[name].__class__.__name__ != "Value" for name in (words, tags) if names_of(rows, tags) is None):
        return False
    some = rows.select(range(min(len(rows), 1000)))
    filled = [(word, tag) for word, tag in zip(some[words][:], some[tags][:], strict=True) if word not in (None, "")]
    if any(isinstance(one, list | dict) for pair in filled for one in pair):
        return False
    single = sum(len(str(word).split()) < 2 and len(str(tag).split()) < 2 for word, tag in filled)
    listing = sum(_is_listing(str(word)) or _is_listing(str(tag)) for word, tag in filled)
    return bool(filled) and single >= 0.99 * len(filled) and listing == 0


def _is_listing(cell: str) -> bool:
    return len(cell) > 2 and cell[:1] + cell[-1:] in ("[]", "()")


def read(
    rows: Dataset, split: str, words: str, tags: str, sentence: str | None, ends: str | None, notes: list[str]
) -> list[Sentence]:
    """The sentences of a split. `sentence` and `ends` are what the user says of where they end.

    Raises UserError, which asks for one of the two, where nothing says it.
    """
    how = f"{split}: a word a row, "
    names = names_of(rows, tags)
    table = rows.to_dict()
    marks = [names[tag] if names and tag is not None else plain(tag) for tag in table[tags]]
    tokens = ["" if word is None else str(word) for word in table[words]]
    others = [column for name, column in table.items() if name not in (words, tags)]
    empty = [
        not token.strip() and not mark and all(column[row] in (None, "") for column in others)
        for row, (token, mark) in enumerate(zip(tokens, marks, strict=True))
    ]
    groups: Iterable[list[int]]
    column = _column(rows.column_names, table, sentence, (words, tags))
    if column is not None:
        groups, said = _by_column(rows.column_names, table, column, empty, split, notes)
    elif any(empty[1:-1]):
        groups, said = _by_empty(empty), "empty rows between sentences"
    elif ends is not None:
        groups, said = _by_ends(tokens, ends.split()), f"a sentence ends with {listed(ends.split())}"
    else:
        raise UserError(ASK + f" (the columns are {listed(rows.column_names)})")
    counts: Counter[str] = Counter()
    found = [one for group in groups if (one := _sentence(group, split, tokens, marks, counts)) is not None]
    lost = "".join(f"; {number:,} {what}" for what, number in counts.items() if number)
    notes.append(f"{how}{said}: {len(found):,} sentences of {len(tokens) - sum(empty):,} words{lost}")
    return found


def _column(names: Sequence[str], table: dict, told: str | None, used: tuple[str, str]) -> str | None:
    """The column that says which sentence a word is of."""
    if told is not None:
        if told not in names or told in used:
            raise UserError(
                f'sentence_column is "{told}", which is no other column of the table; it has {listed(names)}'
            )
        return told
    found = [name for name in columns.known_bare(names, columns.SENTENCES) if name not in used]
    if len(found) > 1:
        raise UserError(f"sentences could be numbered in {listed(found)}; say which with --sentence_column {found[0]}")
    if found:
        return found[0]
    for name in columns.known_bare(names, {"id", "index", "group", "guid"}):
        values = [value for value in table[name] if value not in (None, "")]
        if len(set(values)) < len(values) and any(one == other for one, other in pairwise(values)):
            return name
    return None


def _by_column(
    names: Sequence[str], table: dict, column: str, empty: list[bool], split: str, notes: list[str]
) -> tuple[list[list[int]], str]:
    """Rows of one number, or, where only the first row of a sentence has one, all up to the next."""
    documents = [name for name in columns.known_bare(names, columns.DOCUMENTS) if name != column]
    groups: list[list[int]] = []
    keys: list[Any] = []
    last: Any = None
    missing = 0
    for row, value in enumerate(table[column]):
        if empty[row]:
            continue
        if value in (None, ""):
            missing += 1
            if last is None:
                raise UserError(f'{at(split, [row])}: no "{column}" stands here or above, so it is of no sentence')
            groups[-1].append(row)
            continue
        key = (*(table[name][row] for name in documents), value)
        if key != last:
            groups.append([])
            keys.append(key)
            last = key
        groups[-1].append(row)
    if len(set(keys)) < len(keys):
        _check_again(keys, groups, column, split, notes)
    rows = "of the first row of each" if missing else "of each row"
    return groups, f"sentences by {listed([*documents, column])} {rows}"


def _check_again(keys: list, groups: list[list[int]], column: str, split: str, notes: list[str]) -> None:
    """Numbers that come again are those of another document if they begin anew; else rows are out of order."""
    begins = [place for place, key in enumerate(keys) if key == keys[0]]
    runs = [keys[a:b] for a, b in zip(begins, [*begins[1:], len(keys)], strict=True)]
    if len(begins) > 1 and all(_ascends(run) for run in runs):
        notes.append(f'{split}: the numbers of "{column}" begin anew {len(begins) - 1:,} times, with another sentence')
        return
    seen: dict[Any, int] = {}
    for key, group in zip(keys, groups, strict=True):
        if key in seen:
            raise UserError(
                f'{at(split, [seen[key], group[0]])}: the sentence "{short(key[-1])}" of "{column}" stands in two '
                "places; sort the rows by sentence, or number the sentences anew"
            )
        seen[key] = group[0]


def _ascends(keys: list) -> bool:
    """Whether the numbers of sentences go up, each by one."""
    numbers = [re.search(r"\d+", str(key[-1])) for key in keys]
    places = [int(one[0]) for one in numbers if one]
    return len(places) == len(keys) and all(b == a + 1 for a, b in pairwise(places))


def _by_empty(empty: list[bool]) -> list[list[int]]:
    groups: list[list[int]] = [[]]
    for row, is_empty in enumerate(empty):
        if is_empty:
            groups.append([])
        else:
            groups[-1].append(row)
    return [group for group in groups if group]


def _by_ends(tokens: list[str], ends: list[str]) -> Iterator[list[int]]:
    group: list[int] = []
    for row, token in enumerate(tokens):
        group.append(row)
        if token in ends:
            yield group
            group = []
    if group:
        yield group


def _sentence(group: list[int], split: str, tokens: list[str], marks: list, counts: Counter) -> Sentence | None:
    kept = [row for row in group if tokens[row].strip()]
    for row in set(group) - set(kept):
        if marks[row] not in NO_ENTITY:
            raise UserError(f'{at(split, [row])}: the word of the tag "{short(marks[row])}" is empty; give the word')
    counts["rows whose word is white space are left out"] += len(group) - len(kept)
    if not kept:
        return None
    return Sentence([tokens[row] for row in kept], [marks[row] for row in kept], str(kept[0]), kept[0])
