"""A row's outputs do not depend on its neighbours, and are those of the stock class."""

from typing import Any

import torch
from torch import Tensor

from ..models.losses import IGNORE
from ..models.stock import to_own_names
from .batches import Collator, rows_of, without_labels
from .outcome import Inapplicable, Outcome, difference
from .rows import Rows
from .subject import Subject

TOLERANCE = 1e-5  # float32 sums the same numbers in another order
GRADIENT_TOLERANCE = 1e-4  # sums over all rows and tokens
PER_TOKEN = ("ForCausalLM", "ForMaskedLM", "ForPreTraining", "ForTokenClassification", "ForQuestionAnswering")
OUTPUTS = ("logits", "prediction_logits", "seq_relationship_logits", "start_logits", "end_logits")


@torch.no_grad()
def outputs(subject: Subject, batch: dict[str, Tensor]) -> list[Tensor]:
    """What the model says of a batch: of every row or, a head of tokens, of every real token of every row."""
    seq2seq = subject.family == "marian"
    out = subject.model(**(batch if seq2seq else without_labels(batch)))
    real = batch["labels"] != IGNORE if seq2seq else batch["attention_mask"] != 0
    found = []
    for name in OUTPUTS:
        if (tensor := getattr(out, name, None)) is not None:
            per_token = seq2seq or (subject.task in PER_TOKEN and name != "seq_relationship_logits")
            parts = [row[mask] for row, mask in zip(tensor, real, strict=True)] if per_token else list(tensor)
            found += parts
    return found


def alone(subject: Subject, rows: Rows) -> list[Tensor]:
    """The outputs of each row computed by itself, in the order of `outputs`."""
    each = [outputs(subject, Collator(subject)([row])) for row in rows_of(subject, rows)]
    return [row[kind] for kind in range(len(each[0])) for row in each]


def right_padding(subject: Subject, rows: Rows) -> Outcome:
    batch = Collator(subject)(rows_of(subject, rows))
    return Outcome(difference(outputs(subject, batch), alone(subject, rows)), TOLERANCE)


def left_padding(subject: Subject, rows: Rows) -> Outcome:
    if subject.task == "ForMultipleChoice":
        raise Inapplicable("padding on the left: position_ids, which it needs, have no place for several choices here")
    batch = Collator(subject, "left")(rows_of(subject, rows))
    return Outcome(difference(outputs(subject, batch), alone(subject, rows)), TOLERANCE)


@torch.no_grad()
def packing(subject: Subject, rows: Rows) -> Outcome:
    """All rows end to end in one, positions counted anew in each; of an encoder-decoder the targets too."""
    if subject.family == "marian":
        return Outcome(difference(_pairs_in_a_row(subject, rows), alone(subject, rows)), TOLERANCE)
    encoder = subject.model.base_model
    row = torch.cat(rows.ids).unsqueeze(0)  # (1, N)
    together = encoder(
        input_ids=row, position_ids=_positions(rows.ids) + subject.first_position
    ).last_hidden_state.squeeze(0)
    apart = [encoder(input_ids=ids.unsqueeze(0)).last_hidden_state.squeeze(0) for ids in rows.ids]
    return Outcome(difference(together.split([len(ids) for ids in rows.ids]), apart), TOLERANCE)


def _positions(ids: list[Tensor]) -> Tensor:
    return torch.cat([torch.arange(len(one)) for one in ids]).unsqueeze(0)  # (1, N)


def _pairs_in_a_row(subject: Subject, rows: Rows) -> list[Tensor]:
    packed = {
        "input_ids": torch.cat(rows.ids).unsqueeze(0),
        "position_ids": _positions(rows.ids),
        "decoder_position_ids": _positions(rows.targets),
        "labels": torch.cat(rows.targets).unsqueeze(0),
    }
    if subject.is_stock:
        model: Any = subject.model
        packed["decoder_input_ids"] = model.prepare_decoder_input_ids_from_labels(labels=packed["labels"])
    logits: Tensor = subject.model(**packed).logits
    return list(logits.squeeze(0).split([len(one) for one in rows.targets]))


def _twin(subject: Subject) -> Subject:
    assert subject.twin is not None
    subject.needs(copies=1)
    return subject.twin


def stock_logits(subject: Subject, rows: Rows) -> Outcome:
    """Each row alone, where the stock class is right."""
    return Outcome(difference(alone(subject, rows), alone(_twin(subject), rows)), TOLERANCE)


def stock_loss(subject: Subject, rows: Rows) -> Outcome:
    with torch.no_grad():
        ours, theirs = _losses(subject, rows), _losses(_twin(subject), rows)
    return Outcome(difference(ours, theirs), TOLERANCE)


def stock_gradients(subject: Subject, rows: Rows) -> Outcome:
    """Of the sum of the rows' losses, in training mode without dropout."""
    twin = _twin(subject)
    subject.needs(copies=3)
    try:
        for one in (subject, twin):
            one.model.train()
            torch.stack(_losses(one, rows)).sum().backward()
        expected = to_own_names(
            subject.model, {name: p.grad for name, p in twin.model.named_parameters() if p.grad is not None}
        )
        tied = subject.model.all_tied_weights_keys  # of one parameter with two names stock may give either
        expected = {tied.get(name, name): gradient for name, gradient in expected.items()}
        found = {name: p.grad for name, p in subject.model.named_parameters() if p.grad is not None}
        if found.keys() != expected.keys():
            raise ValueError(f"{sorted(found.keys() ^ expected.keys())[0]} has a gradient in one class only")
        return Outcome(gradient_difference(found, expected), GRADIENT_TOLERANCE)
    finally:
        for one in (subject, twin):
            one.model.zero_grad()
            one.model.eval()


def gradient_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest difference as a share of the largest gradient."""
    size = max(float(one.abs().max()) for one in expected.values())
    return max(float((found[name] - one).abs().max()) for name, one in expected.items()) / max(size, 1e-12)


def _losses(subject: Subject, rows: Rows) -> list[Tensor]:
    config = subject.model.config
    own = {name: getattr(config, name) for name in ("class_weights", "label_smoothing") if hasattr(config, name)}
    try:
        for name in own:  # of which stock knows nothing
            setattr(config, name, 0.0 if name == "label_smoothing" else None)
        return [subject.model(**Collator(subject)([row])).loss for row in rows_of(subject, rows)]
    finally:
        for name, value in own.items():
            setattr(config, name, value)
