"""What wrong answers cost: a small file of a user's, checked."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ...data.regular import read_small
from ...data.wording import listed
from ...errors import UserError
from .decisions import UNSURE

PARTS = ("missed", "false_alarm")  # of several labels: a label that holds and is not answered, and the reverse

Costs = dict[str, dict[str, float]]


def read(path: str | Path, labels: Sequence[str], *, several: bool) -> Costs:
    """{gold label: {answer: cost}} for every pair of labels; a right answer costs nothing unless it is told, and
    `unsure` may be an answer. Of several labels {label: {"missed": cost, "false_alarm": cost}}.

    A .csv has the gold labels in its first column and a column for each answer; a .yaml is the mapping itself. Raises
    `UserError` for a file that can't be read, labels that are not there or missing, and costs that are no numbers.
    """
    path = Path(path)
    table = _table(path)
    answers = list(PARTS) if several else [*labels, UNSURE]
    for gold, row in table.items():
        if gold not in labels:
            raise UserError(f'{path}: there is no label "{gold}"; the labels are {listed(labels)}')
        if unknown := [answer for answer in row if answer not in answers]:
            raise UserError(f'{path}: "{unknown[0]}" of "{gold}" is no answer; the answers are {listed(answers)}')
    if lacking := [label for label in labels if label not in table]:
        raise UserError(f'{path} has no costs where "{lacking[0]}" is right: add a line for each label')
    if not several and UNSURE not in labels and not any(UNSURE in row for row in table.values()):
        answers = list(labels)
    return {gold: {answer: _cost(path, gold, answer, table[gold]) for answer in answers} for gold in labels}


def _table(path: Path) -> dict[str, dict[str, Any]]:
    text = read_small(path, "file of costs")
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"{path} is not YAML ({' '.join(str(error).split())}); correct it") from None
        if not isinstance(found, dict) or not all(isinstance(row, dict) for row in found.values()):
            raise UserError(f"{path} must be {{gold label: {{answer: cost, …}}, …}}, as YAML has mappings")
        return {str(gold): {str(answer): cost for answer, cost in row.items()} for gold, row in found.items()}
    try:
        rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"{path}: the table can't be read ({error}); see to its quotes") from None
    if not rows:
        raise UserError(f"{path} is empty: give a table of costs, with the gold labels in its first column")
    head, table = rows[0][1:], {}
    for row in rows[1:]:
        if len(row) != len(head) + 1:
            raise UserError(f'{path}: the line of "{row[0]}" has {len(row)} cells where the head has {len(head) + 1}')
        if row[0] in table:
            raise UserError(f'{path} has two lines of "{row[0]}": leave one of them out')
        table[row[0]] = {name: cell for name, cell in zip(head, row[1:], strict=True) if cell.strip()}
    return table


def _cost(path: Path, gold: str, answer: str, row: dict[str, Any]) -> float:
    if answer not in row:
        if answer == gold:
            return 0.0
        raise UserError(f'{path} does not say what answering "{answer}" costs where "{gold}" is right: add it')
    try:
        value = float(row[answer])
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(row[answer], bool) or not math.isfinite(value):
        raise UserError(f'{path}: the cost of answering "{answer}" for "{gold}" is {row[answer]!r}, which is no number')
    return value
