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
    assert layer.get_seq_length() == 0


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
    ours.generation_config.return_dict_in_generate = True
    out = ours.generate(**inputs, num_beams=4, max_new_tokens=5)
    assert projected == [len(inputs["input_ids"])]
    assert out.past_key_values.cross_attention_cache.layers[0].keys.shape[0] == len(inputs["input_ids"])


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
