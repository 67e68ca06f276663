"""How words are written: what a step computes and copies. That they are stock's is tested for each model."""

import pytest
import torch
from oracles import same_as_stock
from test_gpt2_generation import generate, make_prompts, make_twins
from test_transformer_generation import sources, translators
from transformers import DynamicCache

from hf_xfmr.models.decoding import GrowingLayer


def test_a_growing_layer_holds_what_a_dynamic_one_holds():
    """Word by word, in pieces, cropped, reordered and past its room; a step moves nothing that is there."""
    layer, expected = GrowingLayer(), DynamicCache()
    generator = torch.Generator().manual_seed(0)
    moved, place = 0, None
    for length in [5, *[1] * 20, 60, *[1] * 20, 200, 1]:
        new = torch.randn(2, 4, 3, length, 2, generator=generator)
        keys, values = layer.update(new[0], new[1])
        expected_keys, expected_values = expected.update(new[0], new[1], 0)
        assert torch.equal(keys, expected_keys)  # bits: nothing is computed, all is copied
        assert torch.equal(values, expected_values)
        moved, place = moved + (keys.data_ptr() != place), keys.data_ptr()
        if length == 1:
            beams = torch.randint(4, (4,), generator=generator)
            for cache in (layer, expected):
                cache.reorder_cache(beams)
            if torch.rand((), generator=generator) < 0.3:
                for cache in (layer, expected):
                    cache.crop(-1)
        assert layer.get_seq_length() == expected.get_seq_length()
    assert moved == 3  # taken at the start, and twice when the room was full
    layer.reset()
    expected.reset()
    assert layer.get_seq_length() == expected.get_seq_length()  # 0, or what 5.16 keeps


@pytest.mark.parametrize("beams", [1, 3])
def test_prompts_are_read_without_their_padding(beams):
    _, ours = make_twins()
    prompts, seen = make_prompts(), []
    ours.transformer.blocks[0].register_forward_hook(lambda _, args, __: seen.append(args[0].shape[:2]))
    generate(ours, **prompts, num_beams=beams, max_new_tokens=3)
    rows = len(prompts["input_ids"]) * beams
    assert seen == [(1, int(prompts["attention_mask"].sum()) * beams), (rows, 1), (rows, 1)]


def test_a_source_is_kept_once_for_all_its_beams():
    _, ours = translators()
    projected, inputs = [], sources("right")
    ours.model.decoder.blocks[0].cross_attention.key.register_forward_hook(
        lambda _, args, __: projected.append(args[0].shape[0])
    )
    ours.generate(**inputs, num_beams=4, max_new_tokens=5)
    assert projected == [len(inputs["input_ids"])]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    "way",
    [
        {},
        {"num_beams": 4},
        {"num_beams": 4, "num_return_sequences": 2, "early_stopping": True},
        {"num_beams": 3, "do_sample": True},
        {"do_sample": True, "num_return_sequences": 3},
        {"num_beams": 3, "use_cache": False},
    ],
    ids=str,
)
def test_what_generate_returns_beside_the_words_is_stock_s(way, attention):
    """Scores, attentions, states and the cache, a row for each copy of a source; at padding stock has other states."""
    found, inputs = [], sources("right")
    for model in translators():
        model.set_attn_implementation(attention)
        torch.manual_seed(3)
        options = {"return_dict_in_generate": True, "output_scores": True, "output_attentions": attention == "eager"}
        found.append(model.generate(**inputs, **options, output_hidden_states=True, max_new_tokens=7, **way))
    stock, ours = found
    assert set(ours) == set(stock)
    assert torch.equal(ours.sequences, stock.sequences)
    for name in ("scores", "cross_attentions", "decoder_attentions", "decoder_hidden_states"):
        for one, other in zip(_tensors(ours.get(name)), _tensors(stock.get(name)), strict=True):
            same_as_stock(one.nan_to_num(neginf=-100), other.nan_to_num(neginf=-100))
    if way.get("use_cache") is False:
        return
    copies = max(way.get("num_beams", 1), way.get("num_return_sequences", 1))
    real = inputs["attention_mask"].repeat_interleave(copies, 0)[:, None, :, None]
    for part in ("self_attention_cache", "cross_attention_cache"):
        mask = real if part == "cross_attention_cache" else 1
        ours_layers, stock_layers = (getattr(out.past_key_values, part).layers for out in (ours, stock))
        for one, other in zip(ours_layers, stock_layers, strict=True):
            assert one.keys.shape == other.keys.shape
            same_as_stock(one.keys * mask, other.keys * mask)
            same_as_stock(one.values * mask, other.values * mask)


def _tensors(nested) -> list[torch.Tensor]:
    if nested is None or isinstance(nested, torch.Tensor):
        return [] if nested is None else [nested]
    return [tensor for part in nested for tensor in _tensors(part)]


def test_a_returned_cache_can_be_gone_on_with():
    """The next word of every beam from the cache that beam search gave back, and of every sample."""
    for way in ({"num_beams": 4, "num_return_sequences": 4}, {"do_sample": True, "num_return_sequences": 3}):
        scores = []
        for model in translators():
            torch.manual_seed(3)
            inputs = sources("right")
            out = model.generate(**inputs, return_dict_in_generate=True, max_new_tokens=6, **way)
            cache = out.past_key_values
            rows = len(out.sequences)
            mask = inputs["attention_mask"].repeat_interleave(rows // len(inputs["input_ids"]), 0)
            memory = model.get_encoder()(**inputs).last_hidden_state
            memory = memory.repeat_interleave(rows // len(inputs["input_ids"]), 0)
            with torch.no_grad():
                step = model(
                    attention_mask=mask,
                    encoder_outputs=(memory,),
                    decoder_input_ids=torch.full((rows, 1), 5),
                    past_key_values=cache,
                )
            scores.append(step.logits)
        same_as_stock(*scores)


def test_several_samples_of_a_source_and_the_weights_of_its_beams_equal_stock():
    words, weights = [], []
    for model in translators():
        model.set_attn_implementation("eager")
        torch.manual_seed(0)
        options = {"do_sample": True, "num_return_sequences": 3, "max_new_tokens": 6}
        words.append(model.generate(**sources("right"), **options))
        model.generation_config.return_dict_in_generate = True
        out = model.generate(**sources("right"), num_beams=3, max_new_tokens=4, output_attentions=True)
        weights.append([layer for step in out.cross_attentions for layer in step])
    assert torch.equal(*words)
    same_as_stock(*weights)
