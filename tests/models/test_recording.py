"""Hidden states and attention weights of a batch without its padding are stock's at real tokens, zeros elsewhere."""

import logging

import pytest
import torch
import transformers
from encoder_batches import make_inputs
from oracles import BERT_HEADS, kin_classes, same_as_stock, same_gradients, same_to_rounding, tiny_stock, twin

import hf_xfmr

FAMILIES = {
    "bert": BERT_HEADS["Model"],
    "roberta": kin_classes("Roberta", "Model"),
    "distilbert": kin_classes("DistilBert", "Model"),
    "gpt2": (transformers.GPT2Model, hf_xfmr.XfmrGPT2Model),
    "marian": (transformers.MarianModel, hf_xfmr.XfmrModel),
}
SOURCES, TARGETS = [9, 5, 7, 1], [4, 8, 1, 6]
ASKED = {"output_hidden_states": True, "output_attentions": True}


def twins(family: str, attention: str):
    stock_class, our_class = FAMILIES[family]
    stock = tiny_stock(stock_class, attn_implementation=attention)
    return stock, twin(our_class, stock)


def batch_of(family: str, padding: str) -> dict[str, torch.Tensor]:
    pad = {"roberta": 1, "marian": 98}.get(family, 0)
    batch = make_inputs(padding, SOURCES, pad=min(pad, 1))
    mask = batch["attention_mask"]
    batch["input_ids"] = batch["input_ids"].clamp(2, 96).where(mask == 1, pad)
    if family not in ("bert", "roberta"):
        del batch["token_type_ids"]
    elif family == "roberta":
        batch["token_type_ids"] = torch.zeros_like(mask)
    if family == "gpt2":
        batch["use_cache"] = False
    if family == "marian":
        target = make_inputs("right", TARGETS, seed=1)
        batch["decoder_input_ids"] = target["input_ids"].clamp(2, 96)
        batch["decoder_attention_mask"] = target["attention_mask"]
        batch["use_cache"] = False
    return batch


def recorded(out, batch) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Each of what was recorded, its words in the second place: hidden states (B, T, E), weights (B, T, H, S); and
    which of them are no padding."""
    source, target = batch["attention_mask"] == 1, batch.get("decoder_attention_mask")
    found = []
    for name, layers in out.items():
        if name.endswith(("hidden_states", "attentions")):
            real = source if target is None or name.startswith("encoder") else target == 1
            for number, layer in enumerate(layers):
                found.append((f"{name} {number}", layer if layer.dim() == 3 else layer.transpose(1, 2), real))
    return found


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])  # without dropout, but with its branches
@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_recorded_equals_stock_and_is_zero_at_padding(family, padding, training):
    stock, ours = twins(family, "eager")
    stock.train(training), ours.train(training)
    batch = batch_of(family, padding)
    blocks = [block for name, block in ours.named_modules() if name.endswith("blocks.1")]
    shapes = []
    for block in blocks:
        block.register_forward_hook(lambda _, args, __: shapes.append(args[0].shape[:2]))
    with torch.no_grad():
        theirs, mine = (recorded(model(**batch, **ASKED), batch) for model in (stock, ours))
    expected = [sum(SOURCES)] if family != "marian" else [sum(SOURCES), sum(TARGETS)]
    assert shapes == [(1, tokens) for tokens in expected]  # no padding token was computed
    assert len(mine) == len(theirs) == (5 if family != "marian" else 12)
    for (name, one, real), (same, other, _) in zip(mine, theirs, strict=True):
        assert (name, one.shape) == (same, other.shape)
        same_as_stock(one[real], other[real], name)
        assert not one[~real].any(), name


@pytest.mark.parametrize("checkpointing", [False, True], ids=["", "checkpointing"])
@pytest.mark.parametrize("family", ["bert", "gpt2", "marian"])
def test_gradients_of_and_through_what_is_recorded_are_stock_s(family, checkpointing):
    """A state or weight that is asked for while gradients are recorded lies on the way to the output, as in stock; no
    padding token is computed there, but under gradient checkpointing."""
    stock, ours = twins(family, "eager")
    if checkpointing:
        for model in (stock.train(), ours.train()):
            model.gradient_checkpointing_enable({"use_reentrant": False})
    tokens = []
    for name, block in ours.named_modules():
        if name.endswith("blocks.1"):
            block.register_forward_hook(lambda _, args, __: tokens.append(args[0].shape[:2].numel()))
    batch = batch_of(family, "left")
    side = "decoder_" if family == "marian" else ""
    names = [f"{side}hidden_states", f"{side}attentions"]
    real = batch.get("decoder_attention_mask", batch["attention_mask"]) == 1
    found = []
    for model in (stock, ours):
        out = model(**batch, **ASKED)
        generator, total = torch.Generator().manual_seed(0), 0.0
        for _, layer, words in recorded(out, batch):
            total = total + (layer * torch.randn(layer.shape, generator=generator))[words].sum()
        (total / 100).backward(retain_graph=True)
        state, weights = torch.autograd.grad(out[0][real].sin().sum(), [out[name][0] for name in names])
        pairs = real[:, :, None] & real[:, None]  # what stock gives for a look at padding means nothing
        found.append((state[real], weights.permute(0, 2, 3, 1)[pairs]))
    same_gradients(ours, stock)
    for mine, theirs in zip(found[1], found[0], strict=True):
        same_as_stock(mine, theirs)
    if not checkpointing:
        assert tokens == ([sum(SOURCES)] if family != "marian" else [sum(SOURCES), sum(TARGETS)])
    assert not any(block._forward_pre_hooks for name, block in ours.named_modules() if name.endswith("blocks.0"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_loss_on_hidden_states_by_fused_attention_trains_as_stock_s(family):
    """As a student's who is to have its teacher's states."""
    stock, ours = twins(family, "sdpa")
    stock.train(), ours.train()
    batch = batch_of(family, "right")
    for model in (stock, ours):
        states = recorded(model(**batch, output_hidden_states=True), batch)
        sum(layer[words].square().mean() for _, layer, words in states).backward()
    same_gradients(ours, stock)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_hidden_states_by_fused_attention_and_as_a_tuple(family):
    stock, ours = twins(family, "sdpa")
    batch = batch_of(family, "left")
    flags = {"output_hidden_states": True}
    mine = ours(**batch, **flags)
    for (name, one, real), (_, other, _) in zip(
        recorded(mine, batch), recorded(stock(**batch, **flags), batch), strict=True
    ):
        same_as_stock(one[real], other[real], name)
        assert not one[~real].any(), name
    as_tuple = ours(**batch, **flags, return_dict=False)
    assert isinstance(as_tuple, tuple)
    assert not hasattr(mine, "packing")
    same_to_rounding(as_tuple[0], mine[0])


@torch.no_grad()
def test_sequences_that_share_a_row_have_their_weights_in_it():
    """Texts of 3 and 4 words in one row, padding between and behind: each text's weights stand where its words do."""
    _, ours = twins("gpt2", "eager")
    ids = torch.randint(1, 96, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 0, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1]])
    positions = torch.tensor([[0, 1, 2, 0, 0, 1, 2, 3, 0], list(range(9))])
    out = ours(ids, mask, position_ids=positions, use_cache=False, **ASKED)
    dense = ours(ids, mask, position_ids=positions, use_cache=False, pack=False, **ASKED)
    for one, other in zip(out.attentions, dense.attentions, strict=True):
        rows = (mask == 1)[:, None, :, None].expand_as(one)
        same_to_rounding(one[rows], other[rows])
        assert not one[~rows].any()
        assert not one[0, :, 4:, :4].any()
    alone = ours(ids[:1, 4:8], use_cache=False, **ASKED)
    same_to_rounding(out.attentions[1][:1, :, 4:8, 4:8], alone.attentions[1])
    same_to_rounding(out.hidden_states[1][0, 4:8], alone.hidden_states[1][0])


def test_a_prompt_padded_on_the_left_is_read_without_padding_and_recorded():
    stock = tiny_stock(transformers.GPT2LMHeadModel, attn_implementation="eager")
    ours = twin(hf_xfmr.XfmrGPT2ForCausalLM, stock)
    batch = batch_of("gpt2", "left")
    del batch["use_cache"]
    how = {"max_new_tokens": 3, "return_dict_in_generate": True, "do_sample": False, "pad_token_id": 0}
    theirs, mine = (model.generate(**batch, **how, **ASKED) for model in (stock, ours))
    assert torch.equal(mine.sequences, theirs.sequences)
    real = batch["attention_mask"] == 1
    for a, b in zip(
        mine.hidden_states[0] + mine.attentions[0], theirs.hidden_states[0] + theirs.attentions[0], strict=True
    ):
        a, b = (t if t.dim() == 3 else t.transpose(1, 2) for t in (a, b))
        same_as_stock(a[real], b[real])
        assert not a[~real].any()


@torch.no_grad()
def test_fused_attention_says_once_that_it_has_no_weights(caplog, monkeypatch):
    monkeypatch.setattr("hf_xfmr.models.recording._warned", [])
    _, ours = twins("bert", "sdpa")
    batch = batch_of("bert", "right")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ours(**batch, output_attentions=True).attentions == ()
    assert [r.message for r in caplog.records if "weights" in r.message] == [
        "sdpa attention has no weights to return: set_attn_implementation('eager') has"
    ]
