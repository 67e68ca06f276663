"""Both names of a cache are one argument, under every version of transformers, and nothing of ours warns of the old."""

import logging

import pytest
import torch
from oracles import tiny_stock, twin
from transformers import GPT2LMHeadModel, MarianMTModel, modeling_utils
from transformers.modeling_outputs import BaseModelOutputWithPast

from hf_xfmr import XfmrForConditionalGeneration, XfmrGPT2ForCausalLM
from hf_xfmr.models.versions import CACHE, slice_logits_to_keep

IDS = torch.arange(5, 17).view(2, 6)
TWINS = {
    "gpt2": (XfmrGPT2ForCausalLM, GPT2LMHeadModel),
    "transformer": (XfmrForConditionalGeneration, MarianMTModel),
}


@pytest.fixture(params=TWINS)
def model(request):
    ours, stock = TWINS[request.param]
    return twin(ours, tiny_stock(stock)).eval()


def first(model, **more):
    source = {"input_ids": IDS} if model.config.is_encoder_decoder else {}
    name = "decoder_input_ids" if source else "input_ids"
    return lambda ids, **cache: model(**{**source, name: ids}, **more, **cache)


@torch.no_grad()
def test_a_cache_is_taken_under_both_names(model):
    run = first(model, use_cache=True)
    expected = run(IDS).logits[:, 4:]
    for name in ("past_key_values", "cache"):
        begun = run(IDS[:, :4])
        torch.testing.assert_close(run(IDS[:, 4:], **{name: begun[CACHE]}).logits, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(run(IDS, cache=None, past_key_values=None).logits[:, 4:], expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_two_caches_are_an_error(model):
    run = first(model, use_cache=True)
    two = run(IDS)[CACHE], run(IDS)[CACHE]
    with pytest.raises(ValueError, match="two names of one argument"):
        run(IDS, past_key_values=two[0], cache=two[1])


def test_an_output_names_its_cache_as_transformers_does(model):
    assert CACHE in BaseModelOutputWithPast.__dataclass_fields__
    assert CACHE in first(model, use_cache=True)(IDS)


@pytest.mark.parametrize("beams", [1, 2])
def test_generate_says_nothing_of_old_names(model, beams, caplog, recwarn):
    logging.getLogger("transformers").addHandler(caplog.handler)
    try:
        model.generate(IDS, max_new_tokens=4, num_beams=beams, do_sample=False)
    finally:
        logging.getLogger("transformers").removeHandler(caplog.handler)
    said = [record.getMessage() for record in caplog.records] + [str(one.message) for one in recwarn]
    assert not [line for line in said if "past_key_values" in line or "deprecated" in line]


@pytest.mark.parametrize("keep", [0, 1, 3, torch.tensor([1, 4]), torch.tensor([[1, 4], [0, 5]]), IDS % 2 == 0], ids=str)
def test_positions_to_score(keep):
    x = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    newer = getattr(modeling_utils, "slice_logits_to_keep", None)  # not before 5.21
    kept = slice_logits_to_keep(x, keep)
    if newer is not None:
        assert torch.equal(kept, newer(x, keep))
    if isinstance(keep, int):
        assert torch.equal(kept, x[:, 6 - keep :] if keep else x)
    elif keep.dim() == 1:
        assert torch.equal(kept, torch.stack([x[:, 1], x[:, 4]], 1))
    elif keep.dtype != torch.bool:
        assert torch.equal(kept[0], x[0, [1, 4]])
        assert torch.equal(kept[1], x[1, [0, 5]])
    else:
        assert kept.shape == (6, 4)
