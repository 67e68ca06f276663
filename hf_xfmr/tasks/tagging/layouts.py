"""Which layout a dataset's rows have, and its sentences: texts with spans, lists of words and tags, or a word a row."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datasets import ClassLabel, Dataset, List

from ...data.table.settings import TableSettings
from ...data.wording import listed, short
from ...errors import UserError
from . import columns, lists, span_ends, span_layouts, spans, tag_names, word_rows
from .loading import Rows
from .sentence import Sentence


@dataclass(kw_only=True)
class LayoutSettings(TableSettings):
    """What a user may say about what stands in the rows; None: found out."""

    tokens_column: str | None = field(
        default=None,
        metadata={"help": "column of the words (in CoNLL's layout the number of a field); none: found by name"},
    )
    tags_column: str | None = field(
        default=None, metadata={"help": "column of their tags (in CoNLL's layout a number); none: found by name"}
    )
    tag_scheme: str | None = field(
        default=None,
        metadata={"help": "how the tags are to be read: BIO, IOB1, IO, IOE, BIOES, BMES or BILOU; none: found"},
    )
    tag_names: str | None = field(
        default=None,
        metadata={"help": "names of tags that are numbers, from 0: O,B-PER,I-PER,… or a file of them; none: found"},
    )
    sentence_column: str | None = field(
        default=None,
        metadata={"help": "where rows are words: column of their sentences' numbers; none: found by name"},
    )
    sentence_end: str | None = field(
        default=None,
        metadata={"help": "where rows are words and no column numbers sentences: words that end one, as '. ! ?'"},
    )
    text_column: str | None = field(
        default=None, metadata={"help": "where rows have spans of characters: column of the text; none: found by name"}
    )
    spans_column: str | None = field(default=None, metadata={"help": "column of the spans; none: found by name"})
    span_end: str | None = field(
        default=None,
        metadata={"help": "exclusive: a span's end is the character after it; inclusive: its last; none: found"},
    )
    span_unit: str | None = field(
        default=None, metadata={"help": "what spans count: characters, utf16 or bytes; none: found by their texts"}
    )
    span_first: int | None = field(
        default=None, metadata={"help": "the number of a text's first character, 0 or 1; none: found"}
    )
    word_separator: str | None = field(
        default=None,
        metadata={
            "help": "what stands between two words in running text; none: nothing where most words are Chinese "
            "characters, else a space; of texts with spans it is what stands there"
        },
    )


def read(splits: dict[str, Rows], settings: LayoutSettings) -> tuple[dict[str, list[Sentence]], list[str], bool]:
    """The sentences of each split, lines that say how they were read, and whether their tags are BIO already.

    Raises UserError, naming rows and the flag that answers it.
    """
    objects = _objects(splits, settings)
    if objects is not None:
        of_words = ("word_separator", "tags_column", "tokens_column", "tag_scheme", "sentence_column", "sentence_end")
        _refuse(settings, of_words, "spans")
        sentences, said = spans.read(
            objects,
            text=settings.text_column,
            spans=settings.spans_column,
            told=span_ends.Told(settings.span_end, settings.span_unit, settings.span_first),
            names=settings.tag_names,
        )
        return sentences, said, True
    _refuse(settings, ("text_column", "spans_column", "span_end", "span_unit", "span_first"), "words with tags")
    tables = {split: rows for split, rows in splits.items() if isinstance(rows, Dataset)}
    words, tags = _columns(tables["train"], settings)
    for split, rows in tables.items():
        if lacks := [name for name in (words, tags) if name not in rows.column_names]:
            raise UserError(f'the {split} split has no column "{lacks[0]}", which train has')
    numbering = columns.known_bare(tables["train"].column_names, columns.SENTENCES | columns.DOCUMENTS)
    used = {words, tags, settings.sentence_column, "id", *numbering}
    others = [name for name in tables["train"].column_names if name not in used]
    lines = [f'words: those of "{short(words)}" with the tags of "{short(tags)}"{spans.others_said(others)}']
    found = {}
    if word_rows.are(tables["train"], words, tags):
        column = tag_names.column_of_names(tables["train"].column_names, tags)
        if column and all(map(tag_names.is_number, tables["train"][tags][:100])):
            lines.append(f'tags are numbers, and their names are those of "{short(column)}"')
            tags = column
        for split, rows in tables.items():
            ends = (settings.sentence_column, settings.sentence_end)
            found[split] = word_rows.read(rows, split, words, tags, *ends, lines)
        names: dict[str, list] = {}
    else:
        _refuse(settings, ("sentence_column", "sentence_end"), "a sentence a row")
        for split, rows in tables.items():
            counts: Counter[str] = Counter()
            found[split] = lists.read(rows, split, words, tags, counts)
            lines += [f"{split}: {number:,} {what}" for what, number in counts.items()]
        names = _names(tables, tags)
    lines += tag_names.named(found, tags, settings.tag_names, names)
    return found, lines, False


def has_spans(rows: Dataset, settings: LayoutSettings) -> bool:
    """Whether a column of the rows holds spans of characters."""
    told = settings.spans_column
    names = [one for one in rows.column_names if one == told or (not told and one.casefold() in span_layouts.SPANS)]
    if told is None and span_layouts.has_words(rows[0]):
        return False
    return any(span_layouts.looks_like_spans(value) for name in names for value in rows[name][:])


def _objects(splits: dict[str, Rows], settings: LayoutSettings) -> dict[str, list[dict]] | None:
    """The rows as objects, if they have spans."""
    train = splits["train"]
    if isinstance(train, Dataset) and not has_spans(train, settings):
        return None
    return {split: rows if isinstance(rows, list) else _with_names(rows) for split, rows in splits.items()}


def _with_names(rows: Dataset) -> list[dict]:
    """The rows as objects, with the names of spans' types where their feature has them."""
    objects: list[dict] = [dict(row) for row in rows.to_list()]
    for column, feature in rows.features.items():
        inner = feature.feature if isinstance(feature, List) else feature
        kinds = (
            {key: one.names for key, one in inner.items() if isinstance(one, ClassLabel)} if _is_object(inner) else {}
        )
        for key, names in kinds.items():
            for row in objects:
                for one in row[column] or []:
                    one[key] = None if one[key] is None else names[one[key]]
    return objects


def _is_object(feature: Any) -> bool:
    return isinstance(feature, dict)


def _refuse(settings: LayoutSettings, options: tuple[str, ...], what: str) -> None:
    """Raises UserError for a flag that is for another layout."""
    if given := [option for option in options if getattr(settings, option) is not None]:
        raise UserError(f"--{given[0]} says nothing of rows with {what}, which these are; leave it out")


def _columns(rows: Dataset, settings: LayoutSettings) -> tuple[str, str]:
    """The columns of words and of tags. Raises UserError where they are not known, or hold neither lists nor texts."""
    names = rows.column_names
    words = [settings.tokens_column] if settings.tokens_column else columns.known(names, columns.TOKENS)
    words = words or columns.known(names, columns.TEXTS)
    words = [name for name in words if holds_list(rows, name)] or words
    tags = [settings.tags_column] if settings.tags_column else columns.known(names, columns.TAGS)
    tags = [name for name in tags if name not in words[:1]]
    if words and holds_list(rows, words[0]):
        tags = [name for name in tags if holds_list(rows, name)] or tags
    for option, told, found, known in (
        ("tokens_column", settings.tokens_column, words, columns.TOKENS),
        ("tags_column", settings.tags_column, tags, columns.TAGS),
    ):
        if not found or found[0] not in names:
            wrong = f'is "{told}", which' if told else f"is not told, and none of {listed(known)}"
            raise UserError(
                f"{option} {wrong} is a column of the dataset; it has {listed(names)} (a text with spans of its "
                "characters: --spans_column)"
            )
    if holds_list(rows, words[0]) and not (holds_list(rows, tags[0]) or _kind(rows, tags[0]) == "string"):
        raise UserError(f'tags_column "{tags[0]}" holds {rows.features[tags[0]]}, not a list for each sentence')
    return words[0], tags[0]


def holds_list(rows: Dataset, name: str) -> bool:
    return name in rows.column_names and isinstance(rows.features[name], List)


def _kind(rows: Dataset, name: str) -> Any:
    return str(getattr(rows.features[name], "dtype", None)).removeprefix("large_")


def _names(tables: dict[str, Dataset], tags: str) -> dict[str, list]:
    """The values of the column that names the tags, if there is one."""
    column = tag_names.column_of_names(tables["train"].column_names, tags)
    if column is None:
        return {}
    found = {split: rows[column][:] for split, rows in tables.items() if column in rows.column_names}
    return {split: [lists.listed_in(value, split) for value in values] for split, values in found.items()}
