"""Rows that a collator packed, under torch.compile: one graph for batches of any lengths, and eager's numbers."""

import pytest
import torch
import transformers
from oracles import BERT_HEADS, same_to_rounding, tiny_stock, twin
from torch._dynamo.testing import CompileCounterWithBackend
from transformers import DataCollatorWithFlattening

import hf_xfmr

FAMILIES = {
    "bert": BERT_HEADS["ForMaskedLM"],
    "gpt2": (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM),
    "transformer": (transformers.MarianMTModel, hf_xfmr.XfmrForConditionalGeneration),
}
FLATTEN = DataCollatorWithFlattening(return_flash_attn_kwargs=True)
LENGTHS = [
    [8, 2],
    [9, 7, 6, 11],
    [1, 1, 5],
    [9, 10],
    [8, 3, 3, 1, 11],
    [4, 4],
    [11, 1, 11, 9],
    [9, 4, 2],
    [5, 6],
    [7] * 5,
]


def texts(lengths: list[int], seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(1, 96, (length,), generator=generator).tolist() for length in lengths]
    return [{"input_ids": row, "labels": row} for row in rows]


def packed(family: str, lengths: list[int], seed: int) -> dict:
    """As transformers' collator lays texts out: all in one row, known by positions and by boundaries; pairs by
    positions."""
    row = dict(FLATTEN(texts(lengths, seed)))
    if family == "transformer":
        target = FLATTEN(texts(lengths[::-1], seed + 1))
        return {
            "input_ids": row["input_ids"],
            "position_ids": row["position_ids"],
            "labels": target["input_ids"],
            "decoder_position_ids": target["position_ids"],
        }
    return row


@pytest.mark.parametrize(
    "family", ["bert", *(pytest.param(one, marks=pytest.mark.slow) for one in ("gpt2", "transformer"))]
)
def test_ten_batches_of_packed_rows_are_one_graph(family):
    """No batch breaks it, none makes another; loss and gradients are those of eager, which attends text by text."""
    stock_class, our_class = FAMILIES[family]
    ours = twin(our_class, tiny_stock(stock_class)).train()
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("eager")
    compiled = torch.compile(ours, fullgraph=True, dynamic=True, backend=counter)
    for number, lengths in enumerate(LENGTHS):
        batch, found = packed(family, lengths, number), []
        for model in (compiled, ours):
            ours.zero_grad()
            loss = model(**batch).loss
            loss.backward()
            found.append((loss, {name: p.grad.clone() for name, p in ours.named_parameters()}))
        same_to_rounding(*found)
    assert counter.frame_count == 1


class Pairs(torch.nn.Module):
    """The Transformer with its packed rows' arguments by name, as an exporter wants them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, position_ids, decoder_input_ids, decoder_position_ids):
        places = {"position_ids": position_ids, "decoder_position_ids": decoder_position_ids}
        return self.model(input_ids, decoder_input_ids=decoder_input_ids, use_cache=False, **places)


@pytest.mark.parametrize("family", FAMILIES)
def test_exported_packed_rows_of_any_lengths_stay_apart(family):
    """One graph for sequences of any lengths, known by their positions: eager's numbers, which attends text by text."""
    stock_class, our_class = FAMILIES[family]
    ours = twin(our_class, tiny_stock(stock_class))
    ours = Pairs(ours) if family == "transformer" else ours
    names = {"bert": (), "gpt2": ("use_cache",), "transformer": ()}[family]

    def batch_of(lengths: list[int], seed: int) -> dict:
        batch = packed(family, lengths, seed)
        if family == "transformer":
            batch["decoder_input_ids"] = batch.pop("labels").clamp(min=1)
        kept = ("input_ids", "position_ids", "decoder_input_ids", "decoder_position_ids")
        return {name: batch[name] for name in kept if name in batch} | dict.fromkeys(names, False)

    example = batch_of(LENGTHS[1], 0)
    sides = {"": torch.export.Dim("length", min=3, max=40), "decoder_": torch.export.Dim("target", min=3, max=40)}
    shapes = {name: None if name in names else {1: sides["decoder_" * name.startswith("decoder")]} for name in example}
    exported = torch.export.export(ours, (), example, dynamic_shapes=shapes).module()
    for number, lengths in enumerate(LENGTHS):
        batch = batch_of(lengths, number)
        same_to_rounding(exported(**batch).logits, ours(**batch).logits)


@pytest.mark.slow
def test_the_compiled_code_computes_the_same():
    """By PyTorch's own compiler, which writes C++ on a CPU."""
    stock_class, our_class = FAMILIES["gpt2"]
    ours = twin(our_class, tiny_stock(stock_class)).train()
    torch._dynamo.reset()
    compiled = torch.compile(ours, fullgraph=True, dynamic=True)
    for number, lengths in enumerate(LENGTHS[:4]):
        batch = packed("gpt2", lengths, number)
        same_to_rounding(compiled(**batch).loss, ours(**batch).loss)
