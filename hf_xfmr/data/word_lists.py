"""A column of lists of words -> the texts that the words make, one after another as their language writes them."""

from collections.abc import Sequence

from datasets import Dataset, DatasetDict, LargeList, List, Value

from .names import TEXTS
from .wording import short

NAMES = (*TEXTS, "tokens", "words", "token", "word", "词", "分词")
CHINESE = range(0x3400, 0xA000)
LOOKED_AT = 1000  # rows that tell what stands between two words


def is_mostly_chinese(text: str) -> bool:
    """Whether most letters of a text are Chinese characters."""
    return 2 * sum(ord(one) in CHINESE for one in text) > sum(one.isalpha() for one in text)


def holds_words(rows: Dataset, name: str) -> bool:
    """Whether a column holds lists of texts."""
    feature = rows.features[name]
    inner = feature.feature if isinstance(feature, List | LargeList) else None
    return isinstance(inner, Value) and inner.dtype in ("string", "large_string")


def separator(rows: Sequence[Sequence[str] | None]) -> str:
    """What stands between two words: nothing where most of them are a Chinese character or begin with one."""
    words = [word for row in rows[:LOOKED_AT] for word in row or [] if word]
    return "" if 2 * sum(ord(word[0]) in CHINESE for word in words) > len(words) else " "


def known(rows: Dataset, told: str | None) -> str | None:
    """The column of lists of words that is the text: the one told, or one known by its name where no column of texts
    is; None: there is none."""
    names = [name for name in rows.column_names if holds_words(rows, name)]
    if told is not None:
        return told if told in names else None
    texts = [name for name, feature in rows.features.items() if isinstance(feature, Value)]
    if any(name.casefold() in TEXTS and rows.features[name].dtype in ("string", "large_string") for name in texts):
        return None
    found = [name for name in names if name.casefold() in NAMES]
    return found[0] if len(found) == 1 else None


def said(column: str, between: str) -> str:
    """What a report says of texts made of words."""
    how = "a space between two" if between else "one after another"
    return f'texts: the words of column "{short(column)}", {how}'


def as_texts(splits: DatasetDict, told: Sequence[str | None], notes: list[str]) -> DatasetDict:
    """The splits with texts in place of lists of words in the columns that are `told`, the first of which is found
    where it is None; `notes` says which, and how they were joined."""
    for place, name in enumerate(told):
        column = known(splits["train"], name) if name is not None or place == 0 else None
        if column is None:
            continue
        between = separator(splits["train"][column][:LOOKED_AT])
        notes.append(said(column, between))
        splits = DatasetDict({split: _joined(rows, column, between) for split, rows in splits.items()})
    return splits


def _joined(rows: Dataset, column: str, between: str) -> Dataset:
    if column not in rows.column_names:
        return rows
    texts = [None if words is None else between.join(word or "" for word in words) for words in rows[column][:]]
    new = rows.remove_columns(column).add_column(column, texts, feature=Value("large_string"))
    return new.select_columns(rows.column_names)
