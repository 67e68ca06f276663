"""Rows -> what a model of each task takes: padded on either side, with labels made up of the rows themselves."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..models.losses import IGNORE
from ..tasks.classification.kinds import kind_of
from ..tasks.classification.problem import Problem
from .rows import Rows
from .subject import Subject

PER_ROW = ("ForSequenceClassification", "ForNextSentencePrediction", "ForMultipleChoice")


def rows_of(subject: Subject, rows: Rows) -> list[dict]:
    """A dict for each row: its ids, and labels for the task."""
    return [_row(subject, rows, place) for place in range(len(rows.ids))]


def _row(subject: Subject, rows: Rows, place: int) -> dict:
    ids, config, task = rows.ids[place], subject.config, subject.task
    if task == "ForConditionalGeneration":
        return {"ids": ids, "labels": rows.targets[place]}
    if task == "ForMultipleChoice":
        return {"ids": ids, "other": rows.targets[place], "labels": torch.tensor(place % 2)}
    if task == "ForNextSentencePrediction":
        return {"ids": ids, "labels": torch.tensor(place % 2)}
    if task == "ForQuestionAnswering":
        return {"ids": ids, "start_positions": torch.tensor(0), "end_positions": torch.tensor(len(ids) - 1)}
    if task == "ForSequenceClassification":
        return {"ids": ids, "labels": torch.tensor(_kind(config).example(place, config.num_labels))}
    if task == "ForTokenClassification":
        return {"ids": ids, "labels": (ids + place) % config.num_labels}
    if task in ("ForMaskedLM", "ForPreTraining"):  # every seventh word, as if it had been masked
        labels = torch.where(torch.arange(len(ids)) % 7 == place % min(7, len(ids)), ids, IGNORE)
        follows = {"next_sentence_label": torch.tensor(place % 2)} if task == "ForPreTraining" else {}
        return {"ids": ids, "labels": labels, **follows}
    return {"ids": ids, "labels": ids}  # ForCausalLM


def _kind(config) -> type[Problem]:
    """As stock classes find it: a single label without a name is a number."""
    return kind_of(config.problem_type or ("regression" if config.num_labels == 1 else None))


class Collator:
    """Pads rows of `rows_of` to the longest. On the left, `position_ids` say where each token stands."""

    def __init__(self, subject: Subject, side: str = "right"):
        self.subject, self.side = subject, side
        self.padding = subject.config.pad_token_id or 0

    def __call__(self, rows: list[dict]) -> dict[str, Tensor]:
        batch = self._padded([row["ids"] for row in rows])
        if "other" in rows[0]:  # two choices: (B, 2, T)
            both = self._padded([ids for row in rows for ids in (row["ids"], row["other"])])
            batch = {name: tensor.unflatten(0, (-1, 2)) for name, tensor in both.items()}
        elif self.side == "left":
            counted = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
            batch["position_ids"] = counted + self.subject.first_position
        for name in [name for name in rows[0] if name not in ("ids", "other")]:
            one = [row[name] for row in rows]
            per_token = one[0].dim() == 1 and self.subject.task not in PER_ROW
            batch[name] = pad_sequence(one, batch_first=True, padding_value=IGNORE) if per_token else torch.stack(one)
        return batch

    def _padded(self, ids: list[Tensor]) -> dict[str, Tensor]:
        ones = [torch.ones_like(one) for one in ids]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.padding, padding_side=self.side),
            "attention_mask": pad_sequence(ones, batch_first=True, padding_side=self.side),
        }


def without_labels(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the logits need: everything, of an encoder-decoder, which reads its target."""
    labels = ("labels", "next_sentence_label", "start_positions", "end_positions")
    return {name: tensor for name, tensor in batch.items() if name not in labels}
