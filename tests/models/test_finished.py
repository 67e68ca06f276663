"""Texts that have ended are computed no further, and all texts are stock's."""

import pytest
import torch
from oracles import same_as_stock, tiny_stock, twin
from test_transformer import make_batch
from transformers import DynamicCache, GPT2LMHeadModel, LogitsProcessorList, MarianMTModel

from hf_xfmr import XfmrForConditionalGeneration, XfmrGPT2ForCausalLM
from hf_xfmr.bench.workloads import EndsAt

LENGTHS = [2, 9, 3, 14, 5, 2, 6, 20]  # of the texts
PROMPTS = [4, 7, 1, 3, 6, 2, 5, 3]
WAYS = {
    "greedy": {},
    "sampling": {"do_sample": True, "temperature": 1.5},
    "sampling, several of each": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 3},
    "beams, early": {"num_beams": 3, "early_stopping": True},
    "beams, thorough": {"num_beams": 3, "early_stopping": "never", "num_return_sequences": 2},
    "beams, sampling": {"num_beams": 3, "do_sample": True},
}


def twins(kind: str):
    """Stock, ours, the prompts, and where ours computes: the module that sees each step's rows."""
    if kind == "gpt2":
        stock = tiny_stock(GPT2LMHeadModel, n_positions=80)
        ours = twin(XfmrGPT2ForCausalLM, stock)
        batch = make_batch("left", source=PROMPTS)
        return stock, ours, batch, ours.transformer.blocks[0]
    stock = tiny_stock(MarianMTModel)
    ours = twin(XfmrForConditionalGeneration, stock)
    return stock, ours, make_batch("right", source=PROMPTS, target=PROMPTS), ours.model.decoder.blocks[0]


def generate(kind: str, model, batch, *, lengths=LENGTHS, **way):
    copies = max(way.get("num_beams", 1), way.get("num_return_sequences", 1))
    prompt = max(PROMPTS) if kind == "gpt2" else 1
    end = model.generation_config.eos_token_id
    torch.manual_seed(3)
    return model.generate(
        batch["input_ids"],
        attention_mask=batch["attention_mask"],
        logits_processor=LogitsProcessorList([EndsAt(lengths, end, copies, prompt)]),
        max_new_tokens=max(lengths),
        pad_token_id=0,
        **way,
    )


def rows_of_each_step(module) -> list[int]:
    seen: list[int] = []
    module.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))
    return seen


@pytest.mark.parametrize("kind", ["gpt2", "transformer"])
@pytest.mark.parametrize("way", WAYS)
def test_the_same_texts_from_fewer_rows(kind, way):
    stock, ours, batch, block = twins(kind)
    expected, seen = generate(kind, stock, batch, **WAYS[way]), rows_of_each_step(block)
    assert torch.equal(generate(kind, ours, batch, **WAYS[way]), expected)
    copies = max(WAYS[way].get("num_beams", 1), WAYS[way].get("num_return_sequences", 1))
    steps = seen[1:]  # after the prompt
    assert len(steps) == max(LENGTHS) - 1
    assert sorted(steps, reverse=True) == steps
    assert steps[0] <= len(LENGTHS) * copies
    assert steps[-1] <= 2 * copies  # of the last text, beside one that is not worth its leaving
    assert sum(steps) < 0.6 * len(steps) * len(LENGTHS) * copies


def test_rows_leave_together_where_that_is_worth_a_smaller_cache():
    _, ours, batch, block = twins("gpt2")
    seen = rows_of_each_step(block)
    generate("gpt2", ours, batch, lengths=[2, 3, 4, 4, 5, 9, 9, 9])
    assert seen[1:] == [8, 8, 6, 4, 3, 3, 3, 3]  # for the second word to the ninth: 8, 7, 6, 4 and 3 texts are open


@pytest.mark.parametrize("kind", ["gpt2", "transformer"])
def test_who_asks_for_scores_gets_those_of_all_rows(kind):
    stock, ours, batch, block = twins(kind)
    seen, ways = rows_of_each_step(block), {"return_dict_in_generate": True, "output_scores": True}
    expected, out = (generate(kind, model, batch, **ways) for model in (stock, ours))
    assert torch.equal(out.sequences, expected.sequences)
    same_as_stock(torch.stack(out.scores), torch.stack(expected.scores))
    assert set(seen[1:]) == {len(LENGTHS)}


def test_a_cache_of_the_caller_s_keeps_all_rows():
    _, ours, batch, block = twins("gpt2")
    expected = generate("gpt2", ours, batch)
    seen, cache = rows_of_each_step(block), DynamicCache(config=ours.config)
    assert torch.equal(generate("gpt2", ours, batch, past_key_values=cache), expected)
    assert set(seen[1:]) == {len(LENGTHS)} == {len(cache.layers[0].keys)}
