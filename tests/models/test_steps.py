"""Steps are what calling the modules computes, to the bit, and whatever hangs on a module or stands in its place is
called."""

import pytest
import torch
from oracles import same_as_stock
from test_gpt2_generation import make_prompts, make_twins
from test_transformer import make_twins as make_translators
from test_transformer_generation import sources, translators
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from hf_xfmr.models import steps
from hf_xfmr.models.dropout import Dropout
from hf_xfmr.models.steps import may_step, stepping

WORDS = 5
MODELS = {
    "GPT-2": (lambda: make_twins()[1], make_prompts, lambda model: model.transformer),
    "Transformer": (lambda: translators()[1], lambda: sources("left"), lambda model: model.model.decoder),
}


@pytest.fixture(params=MODELS)
def writer(request):
    """A model, what it is to go on from, and its decoder."""
    make, inputs, decoder = MODELS[request.param]
    model = make()
    return model, inputs(), decoder(model)


def write(model, inputs, **way):
    """Words and the scores of each, with every row going on to the end."""
    torch.manual_seed(3)
    options = {"max_new_tokens": WORDS, "min_new_tokens": WORDS, "pad_token_id": 0, "num_beams": 1, **way}
    out = model.generate(**inputs, **options, return_dict_in_generate=True, output_logits=True)
    return out.sequences, torch.stack(out.logits)


def counted(monkeypatch, decoder) -> list[int]:
    """The rows of each step of the first block."""
    seen, first = [], decoder.blocks[0]
    step = type(first).step

    def counting(block, x, *rest):
        if block is first:
            seen.append(len(x))
        return step(block, x, *rest)

    monkeypatch.setattr(type(first), "step", counting)
    return seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "way",
    [{}, {"num_beams": 3}, {"do_sample": True, "num_return_sequences": 2}, {"num_beams": 2, "do_sample": True}],
    ids=str,
)
def test_steps_are_the_modules_to_the_bit(way, dtype, writer, monkeypatch):
    model, inputs, decoder = writer
    model.to(dtype)
    seen = counted(monkeypatch, decoder)
    words, scores = write(model, inputs, **way)
    rows = len(inputs["input_ids"]) * max(way.get("num_beams", 1), way.get("num_return_sequences", 1))
    assert seen == [rows] * (WORDS - 1)  # the first word comes of reading
    with monkeypatch.context() as patched:
        patched.setattr(steps, "may_step", lambda decoder: False)
        expected = write(model, inputs, **way)
    assert len(seen) == WORDS - 1
    assert torch.equal(words, expected[0])
    assert torch.equal(scores, expected[1])
    assert len(words.unique(dim=0)) > 1


@pytest.mark.parametrize(("encoder_layers", "decoder_layers"), [(3, 1), (1, 3)])
def test_a_source_may_have_more_blocks_than_a_target(encoder_layers, decoder_layers, monkeypatch):
    stock, ours = make_translators(encoder_layers=encoder_layers, decoder_layers=decoder_layers)
    seen = counted(monkeypatch, ours.model.decoder)
    words, scores = write(ours, sources("left"), num_beams=2)
    assert len(seen) == WORDS - 1
    expected = write(stock, sources("left"), num_beams=2)
    assert torch.equal(words, expected[0])
    same_as_stock(scores, expected[1])


def test_one_row_is_the_modules_to_the_bit(writer, monkeypatch):
    model, inputs, decoder = writer
    one = {name: tensor[-1:] for name, tensor in inputs.items()}
    seen = counted(monkeypatch, decoder)
    words, scores = write(model, one)
    assert seen == [1] * (WORDS - 1)
    monkeypatch.setattr(steps, "may_step", lambda decoder: False)
    expected = write(model, one)
    assert torch.equal(words, expected[0])
    assert torch.equal(scores, expected[1])


def test_every_module_of_a_block_is_called_if_something_hangs_on_it(writer):
    """Of the last block each module in turn: a hook after it, one before it, a forward of its own."""
    model, inputs, decoder = writer
    names = [name for name, _ in decoder.blocks[-1].named_modules()]
    assert len(names) > 9
    for number, name in enumerate(names):
        part, seen = decoder.blocks[-1].get_submodule(name), []

        def see(*_, seen=seen):
            seen.append(1)

        def own(*args, see=see, forward=part.forward, **options):
            see()
            return forward(*args, **options)

        hang = part.register_forward_hook, part.register_forward_pre_hook
        handle = hang[number % 3](see) if number % 3 < 2 else None
        if handle is None:
            part.forward = own
        write(model, inputs)
        if name in ("cross_attention.key", "cross_attention.value"):  # of the memory, projected once
            assert len(seen) == 1
        else:
            assert len(seen) == WORDS * (len([n for n in names if n.endswith("_norm")]) if name == "dropout" else 1), (
                name
            )
        if handle is None:
            del part.forward
        else:
            handle.remove()
    assert may_step(decoder)


class Halved(nn.Linear):
    def forward(self, x):
        return super().forward(x) / 2


class Awake(Dropout):
    """Drops in evaluation as well, as for a sample of a model's uncertainty."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, True)


def test_what_stands_in_a_part_s_place_is_taken_as_it_is(writer):
    model, inputs, decoder = writer
    plain = write(model, inputs)[1]
    block = decoder.blocks[0]
    old, new = block.feed_forward.down, Halved(*reversed(block.feed_forward.down.weight.shape))
    new.load_state_dict(old.state_dict())
    block.feed_forward.down = new
    halved = write(model, inputs)[1]
    assert not torch.allclose(halved[1:], plain[1:])
    with torch.no_grad():
        block.feed_forward.down = old
        old.weight /= 2
        old.bias /= 2
    torch.testing.assert_close(write(model, inputs)[1], halved)
    dropped = block.dropout
    block.dropout = Awake(0.5)
    block.dropout.eval()
    assert not torch.allclose(write(model, inputs)[1], halved)
    block.dropout = dropped
    assert may_step(decoder)


class Changed(nn.Module):
    """A weight that a tool puts in the place of a parameter, as quantisers and adapters do."""


@pytest.mark.parametrize(
    "change",
    [
        lambda decoder: decoder.train(),
        lambda decoder: decoder.blocks[1].dropout.train(),
        lambda decoder: decoder.set_attn_implementation("eager"),
        lambda decoder: decoder.blocks[1].attention.query.bfloat16(),
        lambda decoder: nn.utils.parametrizations.weight_norm(decoder.blocks[1].attention.query),
        lambda decoder: decoder.blocks[1].attention.register_module("extra", Changed()),
    ],
    ids=["training", "one part training", "eager", "two types", "a computed weight", "an unknown part"],
)
def test_where_steps_would_be_something_else_there_are_none(change, writer):
    _, _, decoder = writer
    assert may_step(decoder)
    change(decoder)
    assert not may_step(decoder)


def test_an_attention_of_the_user_s_is_called(writer, monkeypatch):
    model, inputs, decoder = writer
    sdpa, seen = ALL_ATTENTION_FUNCTIONS["sdpa"], []
    monkeypatch.setitem(
        ALL_ATTENTION_FUNCTIONS._local_mapping,
        "sdpa",
        lambda module, query, *args, **options: (seen.append(query.size(2)), sdpa(module, query, *args, **options))[1],
    )
    write(model, inputs)
    assert seen.count(1) >= (WORDS - 1) * len(decoder.blocks)


def test_hooks_on_all_modules_are_called(writer):
    model, inputs, decoder = writer
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
    try:
        write(model, inputs)
    finally:
        handle.remove()
    assert seen.count(decoder.blocks[0].attention.query) == WORDS


def test_autocast_and_states_go_through_the_modules(writer, monkeypatch):
    model, inputs, decoder = writer
    seen = counted(monkeypatch, decoder)
    with torch.autocast("cpu", torch.bfloat16):
        write(model, inputs)
    write(model, inputs, output_hidden_states=True)
    assert seen == []


@pytest.mark.parametrize("recorded", [True, False])
def test_gradients_go_through_the_modules(recorded, monkeypatch):
    model = make_twins()[1]
    seen = counted(monkeypatch, model.transformer)
    with stepping(model), torch.set_grad_enabled(recorded):
        out = model(make_prompts()["input_ids"], use_cache=True)
        logits = model(torch.tensor([[5]] * 3), past_key_values=out.past_key_values).logits
    assert seen == ([] if recorded else [3])
    assert logits.requires_grad == recorded


def test_a_model_that_writes_within_another_s_writing_steps_by_itself(writer, monkeypatch):
    """A stopping criterion that asks a second model, of the same kind."""
    model, inputs, decoder = writer
    other = type(model)(model.config).eval()
    seen = counted(monkeypatch, decoder)
    asked = []

    def criterion(ids, scores, **_):
        asked.append(write(other, inputs)[0])
        return torch.zeros(len(ids), dtype=torch.bool)

    write(model, inputs, stopping_criteria=[criterion])
    assert len(asked) == WORDS
    assert len(seen) == WORDS - 1
