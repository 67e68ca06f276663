"""What BERT and its kin are compared with stock over: a batch for each head and side of padding, and what stock
computes of it, put right where it is wrong."""

import torch
from torch import Tensor
from torch.nn import functional as F

B, T = 4, 9
LENGTHS = [9, 5, 7, 1]
# A name for each head and kind of loss: the class's suffix, and what its config needs.
CASES = {
    "Model": ("Model", {}),
    "PreTraining": ("ForPreTraining", {}),
    "MaskedLM": ("ForMaskedLM", {}),
    "NextSentence": ("ForNextSentencePrediction", {}),
    "single-label": ("ForSequenceClassification", {"num_labels": 3}),
    "multi-label": ("ForSequenceClassification", {"num_labels": 3, "problem_type": "multi_label_classification"}),
    "regression": ("ForSequenceClassification", {"num_labels": 1}),
    "regression-3": ("ForSequenceClassification", {"num_labels": 3, "problem_type": "regression"}),
    "TokenClassification": ("ForTokenClassification", {"num_labels": 5}),
    "QuestionAnswering": ("ForQuestionAnswering", {}),
    "MultipleChoice": ("ForMultipleChoice", {}),
}
LM_CASES = ("PreTraining", "MaskedLM")


def make_inputs(padding: str, lengths: list[int] = LENGTHS, seed: int = 0, pad: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths)
    column = torch.arange(longest)
    count = torch.tensor(lengths).unsqueeze(1)
    mask = {"right": column < count, "left": column >= longest - count, "none": column < longest}[padding]
    mask = mask.expand(len(lengths), longest).long()
    return {
        "input_ids": torch.randint(pad + 1, 99, mask.shape, generator=generator).where(mask == 1, pad),
        "attention_mask": mask,
        "token_type_ids": torch.randint(2, mask.shape, generator=generator),
    }


def make_labels(case: str, mask: Tensor, seed: int = 1) -> dict[str, Tensor]:
    """Labels for a batch; those of words are on a random half of the real tokens, so rows have unequal numbers."""
    generator = torch.Generator().manual_seed(seed)
    rows, longest = mask.shape

    def draw(high, *shape):
        return torch.randint(high, shape, generator=generator)

    def words(high):
        return torch.where((draw(2, rows, longest) == 1) & (mask == 1), draw(high, rows, longest), -100)

    first = mask.argmax(1)  # of the real tokens
    inside = [first + draw(99, rows) % mask.sum(1) for _ in range(2)]
    return {
        "Model": dict,
        "PreTraining": lambda: {"labels": words(99), "next_sentence_label": draw(2, rows)},
        "MaskedLM": lambda: {"labels": words(99)},
        "NextSentence": lambda: {"labels": draw(2, rows)},
        "single-label": lambda: {"labels": draw(3, rows)},
        "multi-label": lambda: {"labels": draw(2, rows, 3).float()},
        "regression": lambda: {"labels": torch.randn(rows, generator=generator)},
        "regression-3": lambda: {"labels": torch.randn(rows, 3, generator=generator)},
        "TokenClassification": lambda: {"labels": words(5)},
        "QuestionAnswering": lambda: {"start_positions": inside[0], "end_positions": inside[1]},
        "MultipleChoice": lambda: {"labels": draw(2, rows // 2)},
    }[case]()


def make_batch(case: str, padding: str, lengths: list[int] = LENGTHS, pad: int = 0) -> dict[str, Tensor]:
    """Inputs and labels as the head takes them: multiple choice has two rows for each question."""
    inputs = make_inputs(padding, lengths, pad=pad)
    labels = make_labels(case, inputs["attention_mask"])
    if case == "MultipleChoice":
        inputs = {name: t.unflatten(0, (-1, 2)) for name, t in inputs.items()}
    return {**inputs, **labels}


def stock_forward(stock, case: str, batch: dict[str, Tensor]):
    """What stock computes, put right in two places: what reads [CLS] reads column 0 even if that is padding, and its
    question answering counts the scores of padding in the loss."""
    mask = batch["attention_mask"].flatten(0, -2)
    rows, first = torch.arange(len(mask)), mask.argmax(1)
    pooler = getattr(stock.base_model, "pooler", None)
    hook = None
    if pooler is not None:
        hook = pooler.register_forward_pre_hook(lambda _, args: (args[0][rows, first].unsqueeze(1),))
    elif case not in (*LM_CASES, "Model", "TokenClassification", "QuestionAnswering"):

        def move(_, __, out):
            x = out.last_hidden_state
            out.last_hidden_state = torch.cat([x[rows, first].unsqueeze(1), x[:, 1:]], 1)

        hook = stock.base_model.register_forward_hook(move)
    out = stock(**batch)
    if hook:
        hook.remove()
    if case == "QuestionAnswering":
        for name in ("start", "end"):
            logits = out[f"{name}_logits"].masked_fill(mask == 0, torch.finfo(torch.float32).min)
            out[f"{name}_logits"] = logits
        losses = [F.cross_entropy(out[f"{name}_logits"], batch[f"{name}_positions"]) for name in ("start", "end")]
        out.loss = sum(losses) / 2
    return out


def differentiable(out, mask: Tensor) -> Tensor:
    """The loss, or for the model without a head some function of all it returns for real tokens."""
    if "loss" in out:
        return out.loss
    pooled = out.get("pooler_output")
    return (out.last_hidden_state[mask == 1].sin().sum() + (0 if pooled is None else pooled.sin().sum())) / mask.sum()


def at_real_tokens(t: Tensor, mask: Tensor) -> Tensor:
    return t[mask == 1] if t.shape[:2] == mask.shape else t


def gradients(model, batches: list[dict[str, Tensor]], **kwargs) -> dict[str, Tensor]:
    """Accumulated over batches, each trimmed to its own longest row."""
    model.zero_grad()
    for batch in batches:
        longest = int(batch["attention_mask"].sum(-1).max())
        trimmed = {n: t[..., :longest] if t.shape[-1] == T and "position" not in n else t for n, t in batch.items()}
        model(**trimmed, **kwargs).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}
