"""The rows by which two precisions of a model are compared: those that its run left, or those of `--file`."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import UserError
from ...report.comparison import read_lines, read_table
from ...tasks.task import Task

ROWS = 2000  # of a file the first are read: enough for half a point, and a minute's work


class Kind(NamedTuple):
    """What a task's file holds, in words, how it is read, and what each of its rows must have: a text, or of words a
    list."""

    said: str
    read: Callable[[Path], list[dict]] | None = None
    needed: tuple[str, ...] = ()
    of: type = str


KINDS = {
    "classification": Kind("a .csv with the columns text (text_pair) and gold", read_table, ("text", "gold")),
    "tagging": Kind("JSON lines with tokens and gold, words and their BIO tags", read_lines, ("tokens", "gold"), list),
    "translation": Kind("a .tsv with the columns source and reference", read_table, ("source", "reference")),
    # a language model's texts are in no file of its run
    "language model": Kind("a file of texts the model has not read, .txt or .csv"),
}


def of_run(run: Path, task: Task, file: str | Path | None) -> Path:
    """The file of rows. Raises `UserError` where there is none, or it holds something else."""
    path = None if file is None else Path(file)
    if path is None:
        assert task.answers is not None
        left = [run / task.answers.format(split=split) for split in ("validation", "test")]
        path = next((one for one in left if one.is_file()), None)
        if task.name == "language model" or path is None:
            raise UserError(f"{run} holds no validation rows to compare int8 by: give --file, {KINDS[task.name].said}")
    if not path.is_file():
        raise UserError(f"{path} is no file: give --file rows with their gold answers")
    if KINDS[task.name].read is not None:
        first_rows(task.name, path)
    return path


def first_rows(task: str, path: Path) -> list[dict[str, Any]]:
    """The first rows of a file of the task's, with an `id` each. Raises `UserError` for one that can't be read, has no
    rows, or lacks something."""
    kind = KINDS[task]
    assert kind.read is not None
    try:
        found = list(islice(kind.read(path), ROWS))
    except UserError as error:
        raise UserError(f"{error}, or give --file another, {kind.said}") from None
    if not found:
        raise UserError(f"{path} has no rows: give others with --file")
    for number, row in enumerate(found, 1):
        known = row if isinstance(row, dict) else {}
        if None in known:
            raise UserError(f"{path}, row {number}, has more cells than the header has columns")
        if lacking := [name for name in kind.needed if not isinstance(known.get(name), kind.of)]:
            raise UserError(f"{path}, row {number}, has no {lacking[0]} as it should: --file is {kind.said}")
        if kind.of is list and _are_no_tags(*(row[name] for name in kind.needed)):
            raise UserError(f"{path}, row {number}: tokens and gold are not as many words and tags")
    return [{"id": str(number), **row} for number, row in enumerate(found)]


def _are_no_tags(tokens: list, gold: list) -> bool:
    return len(tokens) != len(gold) or not all(isinstance(one, str) for one in [*tokens, *gold])
