"""Checked questions -> the rows a model reads: windows with the places where an answer starts and ends; and batches."""

from collections.abc import Sequence

import torch
from datasets import Dataset, Features, List, Value
from torch.nn.utils.rnn import pad_sequence

from ...data.wording import at, short
from ...errors import UserError
from .windows import Window, Windows, ends_of

PART = 1000  # questions whose tokens are held at a time
NONE = (0, 0)  # [CLS], to which a window without the answer points


def encode(split: str, questions: Dataset, windows: Windows, *, max_answer_length: int, report: list[str]) -> Dataset:
    """The model's rows of a split's questions: `input_ids`, `token_type_ids` where the tokenizer has them,
    `start_positions`, `end_positions`, and whose they are: `question` (its number), `first`, `starts` and `ends`, as in
    `Window`. What became of them goes to `report`. Raises `UserError` for a question that is too long for a row."""
    rows: list[dict] = []
    divided, lost, long, inexact = 0, 0, 0, 0
    for begin in range(0, len(questions), PART):
        part = questions[begin : begin + PART]
        for place, found in enumerate(windows(part["text"], part["text_pair"])):
            if isinstance(found, str):
                number = begin + place
                raise UserError(f'{at(split, [number])}, "{short(part["text"][place])}": {found}')
            divided += len(found) > 1
            answers, starts = part["answers"][place], part["starts"][place]
            answer = (starts[0], starts[0] + len(answers[0])) if answers else None
            ends = [None if answer is None else ends_of(window, *answer) for window in found]
            whole = next((one for one in ends if one is not None), None)
            if answer is not None and whole is None:
                lost += 1
            elif answer is not None and whole is not None:
                long += whole[1] - whole[0] >= max_answer_length
                window = found[ends.index(whole)]
                inexact += (window.starts[whole[0] - window.first], window.ends[whole[1] - window.first]) != answer
            rows += [
                _row(begin + place, window, one or NONE, types=windows.has_types)
                for window, one in zip(found, ends, strict=True)
            ]
    notes = [f"rows of {split}: {len(rows):,} windows of {len(questions):,} questions"]
    if divided:
        notes.append(f"{divided:,} contexts are longer than a row of {windows.max_length:,} tokens")
    if lost:
        notes.append(f"{lost:,} answers are whole in no window and can't be found: a larger --window_stride")
    if long:
        notes.append(f"{long:,} answers are longer than --max_answer_length {max_answer_length} and can't be given")
    if inexact:
        notes.append(f"{inexact:,} answers begin or end inside a token, and the whole token is given")
    report.append("; ".join(notes))
    names = ["input_ids", *(["token_type_ids"] if windows.has_types else []), "starts", "ends"]
    numbers = ("start_positions", "end_positions", "question", "first")
    features = {name: List(Value("int32")) for name in names} | {name: Value("int32") for name in numbers}
    return Dataset.from_list(rows, features=Features(features))


def _row(number: int, window: Window, ends: tuple[int, int], *, types: bool) -> dict:
    row = {"input_ids": window.ids, "start_positions": ends[0], "end_positions": ends[1], "question": number}
    row |= {"first": window.first, "starts": list(window.starts), "ends": list(window.ends)}
    return row | ({"token_type_ids": window.types} if types else {})


def window_of(row: dict) -> Window:
    """A row as the window that it was made of."""
    return Window(
        row["question"], row["input_ids"], row.get("token_type_ids") or [], row["first"], row["starts"], row["ends"]
    )


class AnsweringCollator:
    """Pads rows on the right: `input_ids`, `attention_mask` (0 at padding) and, where rows have them, `token_type_ids`,
    [B, T] int64; `start_positions` and `end_positions` [B] int64."""

    def __init__(self, tokenizer):
        self.paddings = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        batch = {name: torch.tensor([row[name] for row in rows]) for name in ("start_positions", "end_positions")}
        real = [torch.ones(len(row["input_ids"]), dtype=torch.int64) for row in rows]
        batch["attention_mask"] = pad_sequence(real, batch_first=True)
        for name in (name for name in self.paddings if name in rows[0]):
            ids = [torch.tensor(row[name]) for row in rows]
            batch[name] = pad_sequence(ids, batch_first=True, padding_value=self.paddings[name])
        return batch
