"""Text classification: a dataset's rows -> the columns a BERT-like model reads, and a report of what was done to
them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase
from transformers.tokenization_utils_base import LARGE_INTEGER

from ...data.corpus import Corpus
from ...data.kept_columns import Kept
from ...data.part import Part, part_of_rows, with_labels
from ...data.summary import splits_line
from ...data.table import reading
from ...errors import UserError
from . import summary
from .encode import check_ids, encode_rows
from .overlong import Encoder
from .problem import Problem
from .read import read_labelled
from .settings import ClassificationSettings


@dataclass(kw_only=True)
class ClassificationData(Corpus):
    """Splits ready for Trainer and `ClassificationCollator`, their tokenizer, and what a recipe needs to know of them.

    `splits` holds `train`, `validation` and `test` (the latter two unless their fraction is 0). Model columns:
    `input_ids` and, where the tokenizer has them, `token_type_ids` (under `windows` instead `windows`,
    `windows_token_type_ids`, lists of such lists), `labels` (int64; multi-label a float32 list with 1.0 for each label
    that holds, of more than 100 labels the ids of those that hold; regression float32). Passengers: `text`, `text_pair`
    for pairs, `id` (the dataset's, or the row's number in the split it came from, from 0), `cut` (bool: the model does
    not see all of the row), `length` (tokens the model reads, for batches of like lengths). Trainer must be told
    remove_unused_columns=False: the collator leaves the passengers behind.

    `problem` is the kind of the problem, with its labels. `column_names` says what `text`, `text_pair` and `label` are
    called in the dataset. `text_window` is how `Encoder` treats long texts, for whoever encodes more of them. `fold_of`
    is, of a run of folds, the fold [N] of each row that is dealt out.
    """

    splits: DatasetDict
    tokenizer: PreTrainedTokenizerBase
    problem: Problem
    model_columns: list[str]
    passenger_columns: list[str]
    text_window: dict
    column_names: dict[str, str]
    report: list[str]
    fold_of: np.ndarray | None = None

    @property
    def label_names(self) -> list[str] | None:  # type: ignore[override]
        """None for regression."""
        return self.problem.label_names or None

    @property
    def row_limit(self) -> int | None:  # type: ignore[override]
        return self.text_window["max_length"]

    @property
    def cuts(self) -> bool:  # type: ignore[override]
        return self.text_window["over_long"] != "windows"

    def parts(self, most: int) -> dict[str, Part]:
        parts = {}
        for split, rows in self.splits.items():
            part, picked = part_of_rows(split, rows, most)
            labels = picked["labels"], rows["labels"], self.problem.named
            part = with_labels(part, *labels, are_names=self.problem.has_names)
            parts[split] = replace(part, names=self.column_names)
        return parts


def classification(
    dataset: str | DatasetDict,
    tokenizer: PreTrainedTokenizerBase | Callable[[list[str]], PreTrainedTokenizerBase],
    settings: ClassificationSettings,
    *,
    max_positions: int | None = None,
    vocab_size: int | None = None,
    seed: int = 0,
) -> ClassificationData:
    """Load (a name as `load_dataset_dict` takes), check, carve, label, tokenize and cut a dataset.

    Instead of a tokenizer, a function can be given that makes one of the texts of the train split, and of no other.
    `max_positions` and `vocab_size` are the model's: no row gets longer than the one, and no id may reach the other.
    `seed` draws the rows of `rows_per_label`.
    Label ids follow a ClassLabel's order, the size of numbers, or the natural order of texts ("2" before "10").

    A missing validation or test split is carved from train by a hash of the text; validation never comes from test. A
    test split without labels (a missing column, or -1 throughout as in GLUE) cannot be scored: it is left out, and
    carved like a missing one. A given validation split stays validation, so that its figures compare with published
    ones.

    Raises UserError, one sentence, for every input that cannot be used as it stands.
    """
    read = read_labelled(dataset, settings, seed=seed)
    splits, source, problem, columns = read.splits, read.source, read.problem, read.columns
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        texts = [splits["train"][name][:] for name in ("text", "text_pair") if name in splits["train"].column_names]
        tokenizer = tokenizer([text for column in texts for text in column])
    encoder = Encoder(
        tokenizer,
        max_length=_max_length(settings.max_length, tokenizer, max_positions),
        over_long=settings.over_long,
        overlap=settings.window_stride,
        pair=columns.pair is not None,
    )
    encoded, kept = DatasetDict(), Kept(settings.keep_tokenized)
    for split, rows in splits.items():
        labels = problem.encode(rows["label"][:])
        encoded[split] = encode_rows(
            rows, labels, problem.feature, encoder, split=split, source=source[split], kept=kept
        )
        check_ids(encoded[split], tokenizer, vocab_size)

    report = [
        f"data: {reading.called(dataset)}, {problem.problem_type.replace('_', ' ')}",
        *reading.lines(read.readings),
        splits_line(encoded, source, unused=read.unused),
        summary.columns_line(columns),
        *read.notes,
        problem.balance_line(encoded["train"]["labels"][:]),
        summary.missing_line(read.notes),
        *summary.length_lines(encoded, encoder),
        summary.unknown_line(encoded["train"], encoder),
        *kept.lines(),
    ]
    encoded = encoded.remove_columns(["tokens", "kept"])
    model_columns = [*encoder.columns, "labels"]
    return ClassificationData(
        splits=encoded,
        tokenizer=tokenizer,
        problem=problem,
        model_columns=model_columns,
        passenger_columns=[name for name in encoded["train"].column_names if name not in model_columns],
        text_window={
            "max_length": encoder.max_length,
            "over_long": encoder.over_long,
            "overlap": settings.window_stride,
            "pair": encoder.pair,
        },
        column_names={
            ours: theirs
            for ours, theirs in (("text", columns.text), ("text_pair", columns.pair), ("label", columns.label))
            if theirs is not None
        },
        report=report,
        fold_of=read.fold_of,
    )


def _max_length(told: int | None, tokenizer, max_positions: int | None) -> int | None:
    """The told length, or else the smaller of the tokenizer's and the model's limit; None where neither has one."""
    if told is not None and max_positions is not None and told > max_positions:
        raise UserError(f"max_length {told} is more than the {max_positions} positions of the model; lower it")
    limits = [limit for limit in (tokenizer.model_max_length, max_positions) if limit and limit < LARGE_INTEGER]
    return told if told is not None else min(limits, default=None)
