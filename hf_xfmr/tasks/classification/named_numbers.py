"""Names of numbered labels from a column beside them: `label` 0, 1, 2 and `label_text` negative, neutral, positive."""

from collections.abc import Sequence

from datasets import ClassLabel, Dataset, DatasetDict, Value

from ...data.wording import listed

ENDINGS = ("_text", "_name", "_names", "_str", "_string", "_label", "_desc", "_description", "名", "名称", "文本")
NAMES = ("label_text", "label_name", "intent_name", "class_name", "category_name", "intent", "标签名", "标签名称")


def find(rows: Dataset, label: str) -> str | None:
    """The column of texts that is called as the names of the column `label` are; None: there is none."""
    for name in rows.column_names:
        feature = rows.features[name]
        if not isinstance(feature, Value) or feature.dtype not in ("string", "large_string") or name == label:
            continue
        key, base = name.casefold(), label.casefold()
        if key in NAMES or any(key == base + ending or key == base.rstrip("s") + ending for ending in ENDINGS):
            return name
    return None


def name(splits: DatasetDict, label: str, names: str, notes: list[str]) -> DatasetDict:
    """The splits with `label` as a ClassLabel of these names, in the order of the numbers, if each number has one name
    in all splits, and each name one number; `notes` says what was done, or why not."""
    pairs: set[tuple[int, str]] = set()
    for rows in splits.values():
        if {label, names} <= set(rows.column_names):
            both = zip(rows[label][:], rows[names][:], strict=True)
            pairs |= {(number, text) for number, text in both if number is not None and text}
    by_number = dict(sorted(pairs))
    if len(by_number) < len(pairs) or len(set(by_number.values())) < len(pairs):
        notes.append(f'labels: column "{names}" is not used for names: {_why(pairs, label, names)}')
        return splits
    order: Sequence[int] = list(by_number)
    feature = ClassLabel(names=list(by_number.values()))
    place = {number: row for row, number in enumerate(order)}
    named = {}
    for split, rows in splits.items():
        if label not in rows.column_names:
            named[split] = rows
            continue
        values = rows[label][:]
        if any(value is not None and value not in place for value in values):  # a number that never has a name
            lacks = sorted({value for value in values if value is not None and value not in place})
            notes.append(f'labels: column "{names}" is not used for names: {listed(map(str, lacks))} has none')
            return splits
        column = [None if value is None else place[value] for value in values]
        at = rows.column_names.index(label)
        changed = rows.remove_columns(label).add_column(label, column, feature=feature)
        named[split] = changed.select_columns([*rows.column_names[:at], label, *rows.column_names[at + 1 :]])
    notes.append(
        f'labels: their names are those of column "{names}": '
        + listed(f"{number} {text}" for number, text in by_number.items())
    )
    return DatasetDict(named)


def _why(pairs: set[tuple[int, str]], label: str, names: str) -> str:
    seen: dict[int, str] = {}
    numbers: dict[str, int] = {}
    for number, text in sorted(pairs):
        if number in seen:
            return f'the number {number} of column "{label}" has two names, {listed([seen[number], text])}'
        if text in numbers:
            return f'{listed([text])} is the name of two numbers of column "{label}", {numbers[text]} and {number}'
        seen[number], numbers[text] = text, number
    return "no row has both"
