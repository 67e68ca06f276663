"""Files in CoNLL's layout: a word and its tag on each line, an empty line after each sentence."""

from pathlib import Path

from datasets import Dataset, Features, List, Value

from ...data.files import read_text
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...errors import UserError

SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".bmes", ".txt")
FEATURES = Features({"tokens": List(Value("string")), "tags": List(Value("string"))})


def read_conll(path: Path, table: TableSettings | None = None, readings: list[Reading] | None = None) -> Dataset:
    """The columns `tokens` and `tags`. The word is a line's first field and the tag its last; fields stand apart by
    tabs, or by spaces in a file without tabs. Lines of -DOCSTART- are left out.

    Raises UserError, naming file and line, for a line with other than as many fields as the first, and for a file
    without sentences.
    """
    reading = Reading(str(path))
    text = read_text(path, table, reading)
    separator = "\t" if "\t" in text else None
    rows: list[dict] = []
    tokens: list[str] = []
    tags: list[str] = []
    width = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if not line.strip():
            if tokens:
                rows.append({"tokens": tokens, "tags": tags})
                tokens, tags = [], []
            continue
        if line.startswith("-DOCSTART-"):
            continue
        fields = line.strip("\r\n").split(separator)
        width = width or len(fields)
        if len(fields) < 2 or len(fields) != width or not all(fields):
            expected = f"{width} fields, as the first has" if width > 1 else "two or more: a word, and last its tag"
            raise UserError(f'{path}: line {number}, "{line.strip()[:40]}", has {len(fields)} fields, not {expected}')
        tokens.append(fields[0])
        tags.append(fields[-1])
    if not rows:
        raise UserError(f"{path}: has no sentences; a line holds a word and its tag, an empty line ends a sentence")
    if readings is not None:
        reading.format, reading.rows, reading.delimiter = "CoNLL's layout", len(rows), separator or " "
        readings.append(reading)
    return Dataset.from_list(rows, features=FEATURES)
