"""Rows -> the batch a model reads."""

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from ...errors import UserError


class ClassificationCollator:
    """Pads each batch to its own longest row, on the tokenizer's padding side, and leaves passenger columns behind.

    Gives `input_ids`, `attention_mask` and, where the rows have them, `token_type_ids`, each `[B, T]` int64; `labels`
    where the rows have them: int64 `[B]`, float32 `[B, L]` for multi-label, float32 `[B]` for regression, as the rows'
    own type says. With `indicators`, L, the rows have the ids of the labels that hold, and a batch what they stand for.

    Rows with `windows` are flattened: the tensors are `[W, T]`, and `window_row` int64 `[W]` is the row in the batch
    that each window belongs to, for the model to average its logits over. `labels` stay one a row, and stand first in
    the batch, because Trainer takes the first tensor's length for the number of rows.
    """

    def __init__(self, tokenizer, indicators: int | None = None):
        if tokenizer.pad_token_id is None:
            raise UserError(
                f"{type(tokenizer).__name__} has no padding token; set tokenizer.pad_token to one of its tokens"
            )
        self.columns = (  # name in the batch, name in rows of windows, padding
            ("input_ids", "windows", tokenizer.pad_token_id),
            ("token_type_ids", "windows_token_type_ids", tokenizer.pad_token_type_id),
        )
        self.side, self.indicators = tokenizer.padding_side, indicators

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        batch = {"labels": label_tensor(rows, self.indicators)} if "labels" in rows[0] else {}
        if windowed := "windows" in rows[0]:
            batch["window_row"] = torch.tensor([index for index, row in enumerate(rows) for _ in row["windows"]])
        for name, source, padding in self.columns:
            source = source if windowed else name
            if source in rows[0]:
                ids = [piece for row in rows for piece in row[source]] if windowed else [row[source] for row in rows]
                batch[name] = self._pad(ids, padding)
                batch["attention_mask"] = self._pad([[1] * len(one) for one in ids], 0)
        return batch

    def _pad(self, rows: list[list[int]], value: int) -> torch.Tensor:
        return pad_sequence(
            [torch.tensor(row) for row in rows], batch_first=True, padding_value=value, padding_side=self.side
        )


def label_tensor(rows: Sequence[dict], indicators: int | None) -> torch.Tensor:
    """The labels of a batch: the rows' own, or of their ids float32 `[B, indicators]`, 1 where a label holds."""
    if indicators is None:
        return torch.tensor([row["labels"] for row in rows])
    labels = torch.zeros(len(rows), indicators)
    for one, row in zip(labels, rows, strict=True):
        one[row["labels"]] = 1.0
    return labels
