"""A few numbers of rows in place of many: what fills a packed row up changes no number, and nobody sees it."""

import pytest
import torch
import transformers
from encoder_batches import make_inputs
from oracles import BERT_HEADS, same_as_stock, same_gradients, same_to_rounding, tiny_stock, twin
from torch import nn

import hf_xfmr
from hf_xfmr.models import packing, sizes, vocabulary

SOURCES, TARGETS = [9, 5, 7, 1], [4, 8, 1, 6]
CLASSES = {
    "classifier": BERT_HEADS["ForSequenceClassification"],  # whose last block is spared all but [CLS]
    "masked words": BERT_HEADS["ForMaskedLM"],
    "gpt2": (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM),
    "marian": (transformers.MarianMTModel, hf_xfmr.XfmrForConditionalGeneration),
}


@pytest.fixture
def fills(monkeypatch):
    """Rows are filled up, whatever the processor and the precision."""
    for module in (packing, vocabulary):
        monkeypatch.setattr(module, "is_to_fill", lambda device, dtype: True)


def twins(case: str) -> tuple[nn.Module, nn.Module]:
    stock_class, our_class = CLASSES[case]
    stock = tiny_stock(stock_class)
    return stock, twin(our_class, stock)


def batch_of(case: str, sources: list[int] = SOURCES) -> dict[str, torch.Tensor]:
    batch = make_inputs("right", sources)
    words, real = batch["input_ids"], batch["attention_mask"] == 1
    if case == "classifier":
        return {**batch, "labels": torch.tensor([0, 1, 1, 0])}
    if case == "masked words":
        return {**batch, "labels": words.masked_fill((words % 3 > 0) | ~real, -100)}
    del batch["token_type_ids"]
    if case == "gpt2":
        return {**batch, "labels": words.masked_fill(~real, -100)}
    target = make_inputs("right", TARGETS, seed=1)
    labels = target["input_ids"].clamp(2, 96).masked_fill(target["attention_mask"] == 0, -100)
    return {**batch, "input_ids": words.clamp(2, 96).where(real, 98), "labels": labels}


def rows_read(model: nn.Module) -> list[int]:
    """How many rows each block reads and returns, filled in as it runs."""
    seen: list[int] = []
    for name, block in model.named_modules():
        if name.rpartition(".")[0].endswith("blocks"):
            block.register_forward_hook(lambda _, args, out: seen.extend((args[0].size(1), out.size(1))))
    return seen


@pytest.mark.parametrize("sources", [SOURCES, [16, 8, 5, 3]], ids=["22 tokens", "32, nothing to fill"])
@pytest.mark.parametrize("case", CLASSES)
def test_loss_and_gradients_are_stock_s(case, sources, fills):
    stock, ours = twins(case)
    stock.train(), ours.train()  # without dropout
    batch, seen = batch_of(case, sources), rows_read(ours)
    loss = stock(**batch).loss
    loss.backward()
    filled = ours(**batch).loss
    filled.backward()
    assert seen
    assert not any(rows % sizes.LEAST for rows in seen)
    same_as_stock(filled, loss)
    same_gradients(ours, stock)


@pytest.mark.parametrize("case", CLASSES)
def test_logits_are_stock_s(case, fills):
    stock, ours = twins(case)
    batch, seen = batch_of(case), rows_read(ours)
    labels = batch.pop("labels")
    if case == "marian":
        batch |= {"decoder_input_ids": labels.clamp(0), "decoder_attention_mask": (labels >= 0).long()}
    if case in ("gpt2", "marian"):
        batch["use_cache"] = False
    with torch.no_grad():
        expected, logits = stock(**batch).logits, ours(**batch).logits
    assert not any(rows % sizes.LEAST for rows in seen)
    if case != "classifier":
        real = batch.get("decoder_attention_mask", batch["attention_mask"]) == 1
        expected, logits = expected[real], logits[real]
    same_as_stock(logits, expected)


def test_several_sequences_in_a_row(fills):
    _, ours = twins("gpt2")
    seen, ids = rows_read(ours), make_inputs("none", [11])["input_ids"]
    places = torch.cat([torch.arange(4), torch.arange(7)]).unsqueeze(0)
    with torch.no_grad():
        together = ours(ids, position_ids=places, use_cache=False).logits
        apart = torch.cat([ours(part).logits for part in ids.split([4, 7], 1)], 1)
    assert seen[0] == sizes.LEAST
    same_to_rounding(together, apart)


def test_prompts_of_unequal_length_are_gone_on_with_as_by_stock(fills):
    stock, ours = twins("gpt2")
    prompts, seen = make_inputs("left", SOURCES), rows_read(ours)
    del prompts["token_type_ids"]
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    assert torch.equal(ours.generate(**prompts, **options), stock.generate(**prompts, **options))
    assert seen[0] == 32


def test_what_is_recorded_of_each_block_is_put_back_without(fills):
    _, ours = twins("gpt2")
    batch, seen = batch_of("gpt2"), rows_read(ours)
    ours(**batch, use_cache=False, output_hidden_states=True).loss.backward()
    assert set(seen) == {sum(SOURCES)}


def test_a_batch_of_nothing_but_padding(fills):
    _, ours = twins("masked words")
    batch = batch_of("masked words")
    batch["attention_mask"][:] = 0
    batch["labels"][:] = -100
    loss = ours.train()(**batch).loss
    loss.backward()
    assert loss == 0


def test_there_are_few_numbers_near_those_given():
    numbers = [rows + sizes.filler(rows) for rows in range(900, 1300)]
    assert len(set(numbers)) <= 20
    for rows in range(3000):
        filled = rows + sizes.filler(rows)
        assert filled % sizes.LEAST == 0
        assert rows <= filled < rows + max(sizes.LEAST, rows / 32 + 1)
        assert sizes.filler(filled) == 0


@pytest.mark.parametrize("makes", [True, False])
def test_where_kernels_are_made_bfloat16_is_filled_and_nothing_else(makes, monkeypatch):
    monkeypatch.setattr(sizes, "_makes_kernels", lambda: makes)
    cpu = torch.device("cpu")
    assert sizes.is_to_fill(cpu, torch.bfloat16) == makes
    assert not sizes.is_to_fill(cpu, torch.float32)
    assert not sizes.is_to_fill(torch.device("cuda"), torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert sizes.is_to_fill(cpu, torch.float32) == makes
    _, ours = twins("gpt2")
    ours, seen = ours.to(torch.bfloat16), rows_read(ours)
    with torch.no_grad():
        ours(**batch_of("gpt2"), use_cache=False)
    assert seen[0] == (32 if makes else sum(SOURCES))
