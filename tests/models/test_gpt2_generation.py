"""GPT-2 writes the same text as stock GPT-2, token for token, in every way `generate` has."""

import pytest
import torch
from oracles import same_to_rounding, tiny_stock, twin
from spellings import continuous_batching
from torch import Tensor
from transformers import GenerationConfig, GPT2LMHeadModel

from hf_xfmr import XfmrGPT2ForCausalLM

PAD, END = 0, 98
PROMPT_LENGTHS = [7, 3, 10]


def make_twins(**config):
    stock = tiny_stock(GPT2LMHeadModel, n_positions=80, **config)
    return stock, twin(XfmrGPT2ForCausalLM, stock)


def make_prompts(padding_side: str = "left") -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    texts = [torch.randint(1, 97, (length,), generator=generator) for length in PROMPT_LENGTHS]
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_side=padding_side)
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def generate(model, seed: int = 0, **arguments) -> Tensor:
    torch.manual_seed(seed)
    return model.generate(**{"max_new_tokens": 20, "pad_token_id": PAD, **arguments})


WAYS = {
    "greedy": {},
    "no-cache": {"use_cache": False},
    "static-cache": {"cache_implementation": "static"},
    "sampling": {"do_sample": True, "top_k": 20, "top_p": 0.95, "temperature": 1.5},
    "sampling-several": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 4, "num_return_sequences": 2},
    "beam-sampling-no-cache": {"num_beams": 3, "do_sample": True, "use_cache": False},
    "constrained": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "min_new_tokens": 15},
}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("way", WAYS)
def test_same_tokens_as_stock_from_left_padded_prompts(way, attention):
    stock, ours = make_twins(attn_implementation=attention)
    expected = generate(stock, **make_prompts(), **WAYS[way])
    assert torch.equal(generate(ours, **make_prompts(), **WAYS[way]), expected)
    assert len(expected.unique(dim=0)) == len(expected)  # the rows differ


@pytest.mark.parametrize("way", ["greedy", "no-cache", "static-cache", "beams"])
def test_a_prompt_s_text_does_not_depend_on_its_neighbours(way):
    _, ours = make_twins()
    prompts = make_prompts()
    ours.generation_config.eos_token_id = None
    together = generate(ours, **prompts, **{**WAYS[way], "num_return_sequences": 1})
    for row, ids in zip(together, prompts["input_ids"], strict=True):
        alone = generate(ours, input_ids=ids[ids != PAD][None], **{**WAYS[way], "num_return_sequences": 1})
        assert torch.equal(row[-20:], alone[0, -20:])


def test_stops_at_end_of_text_and_pads_after_it():
    stock, ours = make_twins()
    last = int(generate(stock, **make_prompts(), eos_token_id=None)[1, 14])  # a word the second text has
    expected = generate(stock, **make_prompts(), eos_token_id=[last, END])
    assert torch.equal(generate(ours, **make_prompts(), eos_token_id=[last, END]), expected)
    assert expected[1, -1] == PAD


def test_a_text_read_in_pieces_gives_the_scores_of_the_whole():
    """Without positions given: they go on from the cache's length."""
    _, ours = make_twins()
    ids = make_prompts()["input_ids"][2:]
    whole = ours(ids).logits
    first = ours(ids[:, :4])
    rest = ours(ids[:, 4:], past_key_values=first.past_key_values)
    same_to_rounding(torch.cat([first.logits, rest.logits], dim=1), whole)
    assert rest.past_key_values.get_seq_length() == ids.size(1)


def test_continues_a_cache_and_starts_from_embeddings():
    stock, ours = make_twins()
    ids = make_prompts()["input_ids"][2:]
    for model in (stock, ours):
        model.generation_config.return_dict_in_generate = True
    for model in (stock, ours):
        first = generate(model, input_ids=ids, max_new_tokens=5)
        longer = torch.cat([first.sequences, ids], dim=1)
        second = generate(model, input_ids=longer, past_key_values=first.past_key_values)
        from_words = generate(model, inputs_embeds=model.get_input_embeddings()(ids)).sequences
        if model is stock:
            expected = second.sequences, from_words
    assert torch.equal(second.sequences, expected[0])
    assert torch.equal(from_words, expected[1])
    model.generation_config.return_dict_in_generate = False
    assert torch.equal(generate(ours, input_ids=longer), second.sequences)


@pytest.mark.parametrize("do_sample", [False, True])
def test_assisted_decoding_writes_the_same_text(do_sample):
    stock, ours = make_twins()
    draft_stock, draft = make_twins(n_layer=1)
    with torch.no_grad():  # a draft that is right now and then
        for mine, full in ((draft_stock, stock), (draft, ours)):
            mine.get_input_embeddings().weight.copy_(full.get_input_embeddings().weight)
    ids = make_prompts()["input_ids"][2:]
    runs = []
    ours.register_forward_pre_hook(lambda *_: runs.append(1))
    expected = generate(stock, input_ids=ids, assistant_model=draft_stock, do_sample=do_sample)
    assert torch.equal(generate(ours, input_ids=ids, assistant_model=draft, do_sample=do_sample), expected)
    assert do_sample or torch.equal(expected, generate(stock, input_ids=ids))
    looked_up = torch.cat([ids, ids], dim=1)
    runs.clear()
    arguments = {"prompt_lookup_num_tokens": 3, "do_sample": do_sample, "eos_token_id": None}
    expected = generate(stock, input_ids=looked_up, **arguments)
    assert torch.equal(generate(ours, input_ids=looked_up, **arguments), expected)
    assert len(runs) <= 20


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_continuous_batching_writes_the_same_text(attention):
    stock, ours = make_twins(attn_implementation=attention)
    prompts = [row[row != PAD].tolist() for row in make_prompts()["input_ids"]] * 2
    results = ours.generate_batch(
        inputs=prompts,
        generation_config=GenerationConfig(max_new_tokens=12, do_sample=False, eos_token_id=END, pad_token_id=PAD),
        continuous_batching_config=continuous_batching(page=8, num_blocks=32, max_batch_tokens=24),
        progress_bar=False,
    )
    written = [result.generated_tokens for result in sorted(results.values(), key=lambda result: result.request_id)]
    for text, prompt in zip(written, prompts, strict=True):
        expected = generate(stock, input_ids=torch.tensor([prompt]), max_new_tokens=12)
        assert [*prompt, *text] == expected[0].tolist()


def test_decoding_step_compiles_whole_with_a_static_cache():
    stock, ours = make_twins()
    expected = generate(stock, **make_prompts(), max_new_tokens=4)
    ours.forward = torch.compile(ours.forward, fullgraph=True, backend="eager")
    arguments = {"cache_implementation": "static", "max_new_tokens": 4}
    assert torch.equal(generate(ours, **make_prompts(), **arguments), expected)
