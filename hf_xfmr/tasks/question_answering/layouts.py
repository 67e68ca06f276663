"""The layouts in which people have questions: SQuAD's nested JSON, its flat form, or a table with a question a row."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from datasets import Dataset

from ...data.wording import at, listed, short
from ...errors import UserError
from .settings import AnsweringSettings

QUESTIONS = ("question", "questions", "query", "问题", "提问")
CONTEXTS = ("context", "passage", "paragraph", "document", "article", "text", "上下文", "文章", "段落", "材料", "原文")
ANSWERS = ("answers", "answer", "answer_text", "答案", "回答")
STARTS = ("answer_start", "answer_starts", "start", "答案位置")
IDS = ("id", "qid", "question_id", "qas_id", "idx")
YES_OR_NO = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
NESTED, FLAT, TABLE = "SQuAD's nested layout", "SQuAD's flat layout", "a table with a question a row"


class Item(NamedTuple):
    """A question as it came: `answers` (none: it has none) and the characters before each (None: not told). `row` is
    its number in the split, from 0; `has_none` what the data says of whether it has an answer (None: nothing)."""

    row: int
    id: str
    question: str
    context: str
    answers: list[str]
    starts: list[int | None]
    has_none: bool | None = None


def name_of(item: Item, split: str) -> str:
    """`train row 3 (counted from 0), id 56be`, as messages name a question."""
    return at(split, [item.row]) + ("" if item.id == str(item.row) else f", id {short(item.id)}")


def items(rows: Dataset, split: str, settings: AnsweringSettings) -> tuple[str, list[Item]]:
    """The layout of a split and its questions. Raises `UserError` for columns that are missing or of another kind, and
    for a row without question or context."""
    told = (settings.question_column, settings.context_column, settings.answer_column, settings.start_column)
    names = {name.casefold(): name for name in rows.column_names}
    if not any(told) and ("paragraphs" in names or "qas" in names):
        return NESTED, list(_nested(rows, split))
    found, flat = _columns(rows.column_names, told)
    return (FLAT if flat else TABLE), list(_rows(rows, split, found))


def is_known(names: Sequence[str]) -> bool:
    """Whether columns of these names are questions with contexts and answers, by their names alone."""
    known = {name.casefold() for name in names}
    if "paragraphs" in known or {"context", "qas"} <= known:
        return True
    has_answers = known & {*ANSWERS} or {name for name in known if name.startswith("answers.")}
    contexts = {*CONTEXTS} - {"text", "document", "article"}  # which stand beside questions of other tasks
    return bool(known & {*QUESTIONS} and known & contexts and has_answers)


class _Columns(NamedTuple):
    question: str
    context: str
    answer: str
    start: str | None
    id: str | None


def _columns(names: Sequence[str], told: Sequence[str | None]) -> tuple[_Columns, bool]:
    """Which column is what, and whether answers are SQuAD's objects."""
    for option, name in zip(("question_column", "context_column", "answer_column", "start_column"), told, strict=True):
        if name is not None and name not in names:
            raise UserError(f'{option} is "{name}", but the dataset has no such column; it has {listed(names)}')
    question = told[0] or _find(names, QUESTIONS, "question", "--question_column")
    context = told[1] or _find([one for one in names if one != question], CONTEXTS, "context", "--context_column")
    if told[2] is None and {"answers.text", "answers.answer_start"} <= {*names}:  # as objects of JSON lines are read
        return _Columns(question, context, "answers.text", "answers.answer_start", _first(names, IDS)), True
    rest = [one for one in names if one not in (question, context)]
    answer = told[2] or _find(rest, ANSWERS, "answer", "--answer_column")
    start = told[3] or _first([one for one in rest if one != answer], STARTS)
    return _Columns(question, context, answer, start, _first(names, IDS)), answer == "answers" and start is None


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    folded = {name.strip().casefold().replace(" ", "_"): name for name in reversed(names)}
    return next((folded[one] for one in known if one in folded), None)


def _find(names: Sequence[str], known: Sequence[str], what: str, option: str) -> str:
    if (found := _first(names, known)) is None:
        raise UserError(
            f"no column is known as the {what} by its name; say which with {option}: it has {listed(names)}"
        )
    return found


def _rows(rows: Dataset, split: str, columns: _Columns) -> Iterator[Item]:
    for number, row in enumerate(rows):
        given = row[columns.id] if columns.id else None
        name = str(number) if given is None or given == "" else str(given)
        starts = row[columns.start] if columns.start else None
        answers, places = _answers(row[columns.answer], starts, split, number, columns)
        question, context = row[columns.question], row[columns.context]
        has_none = _has_none(row.get("is_impossible"), split, number)
        yield _checked(Item(number, name, question, context, answers, places, has_none), split)


def _answers(value: Any, starts: Any, split: str, row: int, columns: _Columns) -> tuple[list[str], list[int | None]]:
    """The answers in a cell, one or a list or SQuAD's object of lists, and where they stand, if that is told."""
    if isinstance(value, dict):
        value, starts = value.get("text"), value.get("answer_start")
        if value is None and starts not in (None, [], -1):
            raise UserError(f"{at(split, [row])}: one of its answers has no text; write it, or take answer_start out")
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        if odd := [one for one in value if not isinstance(one, dict)]:
            raise UserError(
                f'{at(split, [row])}: beside answers as objects stands "{short(odd[0])}"; give each as '
                '{"text": …, "answer_start": …}'
            )
        value, starts = [one.get("text") for one in value], [one.get("answer_start") for one in value]
    elif isinstance(value, str) and value.lstrip().startswith("{") and "answer_start" in value:
        raise UserError(
            f'{at(split, [row])}: the column "{columns.answer}" holds an object written out as text: save the data as '
            ".jsonl or .parquet, where it stays one"
        )
    texts = value if isinstance(value, list) else [] if value is None or value == "" else [value]
    if any(one is None or one == "" for one in texts):
        raise UserError(f"{at(split, [row])}: one of its answers has no text; write it, or take it out of the list")
    places = starts if isinstance(starts, list) else [starts] * len(texts)
    places = places if texts else []
    if len(places) != len(texts):
        raise UserError(
            f"{at(split, [row])}: it has {len(texts):,} answers and {len(places):,} places where they start; give each "
            "answer one"
        )
    return [str(one) for one in texts], [_place(one, split, row) for one in places]


def _place(value: Any, split: str, row: int) -> int | None:
    """Characters before an answer, a number or its digits (as all of a column are read where one cell holds a word).
    Raises `UserError` for what is no such number; -1 and an empty cell, which pandas leaves as NaN, tell none."""
    if value is None or value in ("", -1, "-1") or value != value:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer() or value < 0:
        raise UserError(
            f'{at(split, [row])}: an answer starts at "{short(value)}", which is no number of characters from 0; '
            "correct it, or leave the cell empty"
        )
    return int(value)


def _has_none(value: Any, split: str, row: int) -> bool | None:
    """What `is_impossible` says, true and false as a spreadsheet or a program writes them too; None: nothing."""
    if value is None or value == "" or value != value:
        return None
    if (found := YES_OR_NO.get(str(value).strip().casefold())) is None:
        raise UserError(f'{at(split, [row])}: is_impossible is "{short(value)}"; it can be true, false or nothing')
    return found


def _nested(rows: Dataset, split: str) -> Iterator[Item]:
    for number, (one, context) in enumerate(nested(rows, split)):  # type: ignore[arg-type]  # rows of a Dataset are dicts
        yield _of_qas(one, context, split, number)


def nested(rows: Iterable[dict], split: str) -> Iterator[tuple[dict, Any]]:
    """The questions of SQuAD's layout, titles with paragraphs or paragraphs alone, as they stand: each with its
    context. Raises `UserError` for a paragraph without a list of them."""
    for place, entry in enumerate(rows):
        paragraphs = _value(entry.get("paragraphs", entry), "paragraphs", split, place) or []
        if not isinstance(paragraphs, dict | list):
            raise UserError(
                f'{at(split, [place])}: paragraphs is "{short(paragraphs)}", and in SQuAD\'s layout it is a list; '
                'write [{"context": …, "qas": […]}]'
            )
        for paragraph in [paragraphs] if isinstance(paragraphs, dict) else paragraphs:
            asked = paragraph.get("qas") if isinstance(paragraph, dict) else None
            asked = _value(asked, "qas", split, place)
            if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
                raise UserError(
                    f"{at(split, [place])}: a paragraph has no list qas of questions, as SQuAD's layout has them; "
                    'write {"context": …, "qas": [{"question": …, "id": …, "answers": […]}]}'
                )
            for one in asked:
                yield one, paragraph.get("context")


def _value(value: Any, name: str, split: str, place: int) -> Any:
    """A field, which a table has as text in JSON."""
    if not isinstance(value, str) or not value.strip():
        return value or None
    try:
        return json.loads(value)
    except ValueError as error:
        raise UserError(
            f'{at(split, [place])}: {name} is the text "{short(value, 40)}", which is not JSON ({error}); mend it, or '
            "save the data as .json or .jsonl"
        ) from None


def _of_qas(one: dict, context: Any, split: str, number: int) -> Item:
    none = _Columns("question", "context", "answers", None, "id")
    answers, starts = _answers(one.get("answers"), None, split, number, none)
    name = one.get("id")
    item = Item(
        number,
        str(number) if name in (None, "") else str(name),
        one.get("question"),  # type: ignore[arg-type]  # checked at once
        context,
        answers,
        starts,
        _has_none(one.get("is_impossible"), split, number),
    )
    return _checked(item, split)


def _checked(item: Item, split: str) -> Item:
    for what, text in (("question", item.question), ("context", item.context)):
        if not isinstance(text, str) or not text.strip():
            kind = "is empty" if text is None or text == "" or isinstance(text, str) else f"is no text ({short(text)})"
            raise UserError(f"{name_of(item, split)}: its {what} {kind}; fill it in, or take the row out")
    if item.has_none and item.answers:
        raise UserError(
            f"{name_of(item, split)}: is_impossible says that there is no answer, and one is given "
            f'("{short(item.answers[0])}"); correct one of them'
        )
    if item.has_none is False and not item.answers:
        raise UserError(
            f"{name_of(item, split)}: is_impossible says that there is an answer, and none is given; add it, or say "
            "true there"
        )
    return item
