"""Generation gives the words that stock Marian's gives, token for token, with every way of decoding."""

import pytest
import torch
from oracles import same_to_rounding
from test_transformer import make_batch, make_twins, random_model
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

DIVERSE = {"max_new_tokens": 14, "no_repeat_ngram_size": 1}  # or tiny random models say one word over and over
WAYS = {
    "greedy": {},
    "not cached": {"use_cache": False},
    "static cache": {"cache_implementation": "static"},
    "sampling": {"do_sample": True, "top_k": 20, "temperature": 1.5},
    "beams": {"num_beams": 4},
    "beams, not cached": {"num_beams": 4, "use_cache": False},
    "beams, static cache": {"num_beams": 4, "cache_implementation": "static"},
    "beams, sampling": {"num_beams": 3, "do_sample": True},
    "beams, several answers": {"num_beams": 4, "num_return_sequences": 3},
    "beams, long": {"num_beams": 4, "length_penalty": 4.0, "early_stopping": False},
    "beams, short": {"num_beams": 4, "length_penalty": -4.0, "early_stopping": "never"},
    "beams, early": {"num_beams": 4, "length_penalty": 2.0, "early_stopping": True},
}


def sources(padding: str) -> dict[str, Tensor]:
    batch = make_batch(padding)
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def translators():
    """Stock and ours, readier to end a sentence than random weights are, so that answers differ in length."""
    twins = make_twins(eos_token_id=97, forced_eos_token_id=97)
    for model in twins:
        model.final_logits_bias[0, 97] += 1.5
    return twins


def generate(model, inputs: dict[str, Tensor], **way) -> list[list[int]]:
    torch.manual_seed(3)
    return model.generate(**inputs, **{**DIVERSE, **way}).tolist()


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("way", WAYS)
def test_words_equal_stock(way, padding):
    stock, ours = translators()
    words = generate(ours, sources(padding), **WAYS[way])
    assert words == generate(stock, sources(padding), **WAYS[way])
    assert len({str(row) for row in words}) > 1  # sources differ, and so do their translations
    if "beams" not in way:
        assert words == generate(
            ours, sources(padding), **{**WAYS[way], "use_cache": False, "cache_implementation": None}
        )


def test_length_penalty_and_early_stopping_matter():
    """Else their equality above would show nothing."""
    _, ours = translators()
    ways = ("beams", "beams, long", "beams, short", "beams, early")
    words = {way: generate(ours, sources("right"), **WAYS[way]) for way in ways}
    assert len({str(answer) for answer in words.values()}) == len(ways)
    lengths = {way: sum(row.index(97) for row in answer) for way, answer in words.items()}
    assert lengths["beams, short"] < lengths["beams"] < lengths["beams, long"]


def test_a_batch_gives_what_single_sentences_give():
    """Sources of unequal length, padded on the right; on the left stock's positions, and so ours, would move."""
    ours, inputs = random_model(), sources("right")
    together = generate(ours, inputs, num_beams=3)
    for row, length in enumerate(inputs["attention_mask"].sum(1).tolist()):
        alone = generate(ours, {"input_ids": inputs["input_ids"][row : row + 1, :length]}, num_beams=3)[0]
        assert together[row][: len(alone)] == alone


def test_assisted_generation_gives_the_same_words():
    _, ours = make_twins()
    _, assistant = make_twins(seed=7)
    alone = {name: t[:1] for name, t in sources("right").items()}
    expected = generate(ours, alone)
    assert generate(ours, alone, assistant_model=assistant) == expected
    assert generate(ours, alone, prompt_lookup_num_tokens=2) == expected


def test_memory_is_projected_once():
    ours, inputs = random_model(), sources("right")
    calls = []
    for block in ours.model.decoder.blocks:
        block.cross_attention.key.register_forward_hook(lambda *_: calls.append(1))
    steps = len(generate(ours, inputs, min_new_tokens=14)[0]) - 1
    assert steps == 14
    assert len(calls) == len(ours.model.decoder.blocks)


def test_cached_steps_give_the_scores_of_one_pass():
    """Word by word with a cache, from a padded source and after a padded target."""
    ours, batch = random_model(), make_batch("left")
    batch["decoder_input_ids"] = batch.pop("labels").clamp(0)
    mask = batch["decoder_attention_mask"]
    whole = ours(**batch, use_cache=False, pack=False).logits
    cache = EncoderDecoderCache(DynamicCache(config=ours.config), DynamicCache(config=ours.config))
    for start, end in ((0, 3), (3, 4), (4, 8)):
        step = {**batch, "decoder_input_ids": batch["decoder_input_ids"][:, start:end]}
        step["decoder_attention_mask"] = mask[:, :end]
        real = mask[:, start:end] == 1
        scores = ours(**step, past_key_values=cache, use_cache=True).logits
        same_to_rounding(scores[real], whole[:, start:end][real])
