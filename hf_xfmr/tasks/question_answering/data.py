"""Question answering: questions with contexts and answers -> the columns a BERT-like model reads, and a report."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from ...data.corpus import Corpus
from ...data.encoded import check_ids
from ...data.part import Part, part_of_rows
from ...errors import UserError
from .encode import encode
from .read import read_asked
from .settings import LONGEST_ROW, AnsweringSettings
from .windows import Windows

NAMES = {"text": "question", "text_pair": "context"}


@dataclass(kw_only=True)
class AnsweringData(Corpus):
    """Rows for Trainer and `AnsweringCollator`, the questions they are made of, and what a recipe needs to know.

    `questions` are as `Asked` has them, `splits` their windows, as `encode` gives them. `text_window` is how a context
    is read, for whoever reads more of them, `may_be_none` whether a question of train has no answer.
    """

    splits: dict[str, Dataset]
    questions: dict[str, Dataset]
    tokenizer: PreTrainedTokenizerBase
    text_window: dict[str, Any]
    metric: str
    may_be_none: bool
    report: list[str]

    @property
    def row_limit(self) -> int:  # type: ignore[override]
        return self.text_window["max_length"]

    def held_out(self) -> dict[str, Dataset]:
        return {split: rows for split, rows in self.questions.items() if split != "train"}

    def parts(self, most: int) -> dict[str, Part]:
        parts = {split: part_of_rows(split, rows, most)[0] for split, rows in self.questions.items()}
        return {split: replace(part, names=NAMES) for split, part in parts.items()}


def answering(
    dataset: Any,
    tokenizer: PreTrainedTokenizerBase | Callable[[list[str]], PreTrainedTokenizerBase],
    settings: AnsweringSettings,
    *,
    max_positions: int,
    vocab_size: int | None = None,
) -> AnsweringData:
    """Load questions (SQuAD's layouts, or a table), check where their answers stand, carve the splits they lack so that
    no context is in two, and make windows of them.

    Instead of a tokenizer, a function can be given that makes one of the texts of the train split, and of no other.
    `max_positions` and `vocab_size` are the model's. Raises UserError, one sentence, for input that can't be used.
    """
    questions, metric, report = read_asked(dataset, settings)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        tokenizer = tokenizer([*questions["train"]["text"][:], *dict.fromkeys(questions["train"]["text_pair"][:])])
    longest = settings.max_length or min(LONGEST_ROW, max_positions, tokenizer.model_max_length)
    if longest > max_positions:
        raise UserError(f"max_length is {longest}, more than the model's {max_positions} positions: lower it")
    windows = Windows(tokenizer, max_length=longest, overlap=settings.window_stride)
    splits = {
        split: encode(split, rows, windows, max_answer_length=settings.max_answer_length, report=report)
        for split, rows in questions.items()
    }
    check_ids(splits["train"], vocab_size)
    return AnsweringData(
        splits=splits,
        questions=questions,
        tokenizer=tokenizer,
        text_window={
            "max_length": longest,
            "over_long": "windows",
            "overlap": settings.window_stride,
            "pair": True,
            "max_answer_length": settings.max_answer_length,
        },
        metric=metric,
        may_be_none=not all(questions["train"]["answers"][:]),
        report=report,
    )
