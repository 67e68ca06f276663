"""Losses and gradients equal stock's whatever training puts around a model: gradient checkpointing, torch.compile,
DistributedDataParallel, autocast; with padding dropped or computed, on either side, dropout 0."""

import contextlib
import copy

import pytest
import torch
import torch.distributed
import transformers
from oracles import same_as_stock, same_gradients, tiny_stock, twin
from torch.nn.parallel import DistributedDataParallel

import hf_xfmr
from hf_xfmr.models.stock import to_own_names

T, LENGTHS = 12, (12, 3, 7, 1)
PAIRS = {
    "BERT classifier": (transformers.BertForSequenceClassification, hf_xfmr.XfmrBertForSequenceClassification),
    "BERT masked words": (transformers.BertForMaskedLM, hf_xfmr.XfmrBertForMaskedLM),
    "BERT pre-training": (transformers.BertForPreTraining, hf_xfmr.XfmrBertForPreTraining),
    "RoBERTa classifier": (transformers.RobertaForSequenceClassification, hf_xfmr.XfmrRobertaForSequenceClassification),
    "DistilBERT masked words": (transformers.DistilBertForMaskedLM, hf_xfmr.XfmrDistilBertForMaskedLM),
    "GPT-2": (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM),
    "Transformer": (transformers.MarianMTModel, hf_xfmr.XfmrForConditionalGeneration),
}


def make_pair(case: str, seed: int = 0):
    stock_class, our_class = PAIRS[case]
    stock = tiny_stock(stock_class, seed).train()
    return stock, twin(our_class, stock)


def make_batch(case: str, side: str) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 90, (len(LENGTHS), T), generator=random)
    mask = (torch.arange(T) < torch.tensor(LENGTHS)[:, None]).long()
    if side == "left":
        mask = mask.flip(1)
    if "classifier" in case or case == "BERT pre-training":
        mask[:, 0] = 1  # column 0 is [CLS] to stock, padding or not
    batch = {"input_ids": ids, "attention_mask": mask}
    if "classifier" in case:
        return {**batch, "labels": torch.tensor([0, 1, 1, 0])}
    if "BERT" in case:
        labels = ids.masked_fill((torch.rand(ids.shape, generator=random) > 0.4) | (mask == 0), -100)
        return {**batch, "labels": labels} | ({"next_sentence_label": labels[:, 0] % 2} if "pre" in case else {})
    if case == "GPT-2":
        first = (mask.cumsum(1) == 1) & (mask == 1)  # stock would learn it from the padding before it
        return {
            **batch,
            "labels": ids.masked_fill((mask == 0) | first, -100),
            "position_ids": (mask.cumsum(1) - 1).clamp(0),
        }
    targets = torch.randint(1, 90, (len(LENGTHS), 9), generator=random)
    lengths = torch.tensor([2, 9, 5, 4])[:, None]
    return {**batch, "labels": targets.masked_fill(torch.arange(9) >= lengths, -100)}


@contextlib.contextmanager
def plainly(model):
    yield model


@contextlib.contextmanager
def checkpointed(model, reentrant: bool):
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    yield model


@contextlib.contextmanager
def compiled(model):
    torch._dynamo.reset()
    yield torch.compile(model, backend="aot_eager")


@contextlib.contextmanager
def distributed(model):
    """One process's, whose gradients go through the buckets and hooks of many."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        yield DistributedDataParallel(model, find_unused_parameters=True)
    finally:
        torch.distributed.destroy_process_group()


AROUND = {
    "nothing": plainly,
    "checkpointing": lambda model: checkpointed(model, False),
    "checkpointing, reentrant": lambda model: checkpointed(model, True),
    "compile": compiled,
    "DDP": distributed,
}


@pytest.mark.parametrize(
    "around", [pytest.param(name, marks=pytest.mark.slow if name == "compile" else ()) for name in AROUND]
)
@pytest.mark.parametrize("case", PAIRS)
def test_loss_and_gradients_equal_stock(case, around):
    stock, ours = make_pair(case)
    with AROUND[around](ours) as model:
        for side in ("right", "left"):
            batch = make_batch(case, side)
            stock.zero_grad()
            expected = stock(**batch).loss
            expected.backward()
            for pack in ("automatic", False):
                ours.zero_grad()
                loss = model(**batch).loss if pack == "automatic" else model(**batch, pack=False).loss
                loss.backward()
                same_as_stock(loss, expected)
                same_gradients(ours, stock)


@pytest.mark.parametrize("case", PAIRS)
def test_gradients_under_autocast_are_as_near_to_exact_ones_as_stocks(case):
    """All are off by the rounding of bfloat16; the mean error over four models is compared, the loss is in float32."""
    errors = torch.zeros(3)  # stock's, ours with padding dropped, ours with padding computed
    batch = make_batch(case, "right")
    for seed in range(4):
        stock, ours = make_pair(case, seed)
        exact = copy.deepcopy(ours).double()
        loss = exact(**batch).loss
        loss.backward()
        found = []
        for model, options in ((stock, {}), (ours, {}), (ours, {"pack": False})):
            model.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                out = model(**batch, **options)
            out.loss.backward()
            assert out.loss.dtype == torch.float32
            assert abs(out.loss - loss) < 0.02 * loss
            gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
            found.append(to_own_names(ours, gradients) if model is stock else gradients)
        errors += torch.tensor([error(exact, gradients) for gradients in found])
    assert (errors[1:] <= 1.15 * errors[0]).all()


def error(exact: torch.nn.Module, gradients: dict[str, torch.Tensor]) -> float:
    """The norm of how far gradients are from those of the exact model, as a share of the norm of the latter."""
    right = {name: p.grad for name, p in exact.named_parameters() if p.grad is not None}
    off = sum(float((gradients[name].double() - gradient).square().sum()) for name, gradient in right.items())
    return (off / sum(float(gradient.square().sum()) for gradient in right.values())) ** 0.5
