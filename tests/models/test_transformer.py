"""The Transformer computes what `torch.nn`'s layers and stock Marian compute, and what Marian should have computed
where it is wrong."""

import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassFieldValidationError
from oracles import same_as_stock, same_gradients, same_to_rounding, tiny_stock, twin
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MarianModel, MarianMTModel

from hf_xfmr import XfmrConfig, XfmrForConditionalGeneration, XfmrModel
from hf_xfmr.models.losses import cross_entropy
from hf_xfmr.models.transformer import DecoderBlock, EncoderBlock, position_table

SOURCE, TARGET = [7, 3, 5, 1], [4, 8, 1, 6]  # the longest source and the longest target are in different rows
TINY = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 40,
    "dropout": 0.0,
}


def make_twins(attention: str = "sdpa", stock_class=MarianMTModel, our_class=XfmrForConditionalGeneration, **config):
    stock = tiny_stock(stock_class, attn_implementation=attention, **config)
    if stock_class is MarianMTModel:
        stock.final_logits_bias.normal_(generator=torch.Generator().manual_seed(5))
    return stock, twin(our_class, stock)


def make_mask(lengths: list[int], padding: str) -> Tensor:
    column, longest, count = torch.arange(max(lengths)), max(lengths), torch.tensor(lengths).unsqueeze(1)
    mask = {"right": column < count, "left": column >= longest - count, "none": column < longest}[padding]
    return mask.expand(len(lengths), longest).long()


def make_batch(padding: str = "right", source=SOURCE, target=TARGET, seed: int = 0) -> dict[str, Tensor]:
    """Ids, masks and labels; a label amid the longest target is -100 too."""
    generator = torch.Generator().manual_seed(seed)
    mask, target_mask = make_mask(source, padding), make_mask(target, padding)
    labels = torch.randint(1, 90, target_mask.shape, generator=generator).masked_fill(target_mask == 0, -100)
    labels[target.index(max(target)), 3] = -100
    return {
        "input_ids": torch.randint(1, 90, mask.shape, generator=generator) * mask,
        "attention_mask": mask,
        "decoder_attention_mask": target_mask,
        "labels": labels,
    }


def random_model(seed: int = 0, **config) -> XfmrForConditionalGeneration:
    torch.manual_seed(seed)
    return XfmrForConditionalGeneration(XfmrConfig(**{**TINY, "init_std": 0.3, **config})).eval()


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


# ------------------------------------------------------------------------------------------------ torch.nn's own layers

IN_TORCH = {
    "self_attn.in_proj_{}": ("attention.query.{}", "attention.key.{}", "attention.value.{}"),
    "self_attn.out_proj.{}": ("attention.out.{}",),
    "multihead_attn.in_proj_{}": ("cross_attention.query.{}", "cross_attention.key.{}", "cross_attention.value.{}"),
    "multihead_attn.out_proj.{}": ("cross_attention.out.{}",),
    "linear1.{}": ("feed_forward.up.{}",),
    "linear2.{}": ("feed_forward.down.{}",),
    "norm1.{}": ("attention_norm.{}",),
}
ENCODER_NORMS = {"norm2.{}": ("feed_forward_norm.{}",)}
DECODER_NORMS = {"norm2.{}": ("cross_attention_norm.{}",), "norm3.{}": ("feed_forward_norm.{}",)}


def to_torch_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    norms = DECODER_NORMS if "cross_attention.out.weight" in tensors else ENCODER_NORMS
    return {
        theirs.format(part): torch.cat([tensors[name.format(part)] for name in ours])
        for theirs, ours in {**IN_TORCH, **norms}.items()
        for part in ("weight", "bias")
        if ours[0].format(part) in tensors
    }


@pytest.mark.parametrize("padding", ["none", "right", "left"])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_blocks_equal_torch_layers(kind, padding):
    """Outputs, and gradients of inputs and weights, of `torch.nn.Transformer…Layer` (post-norm), copied weights."""
    torch.manual_seed(0)
    config = XfmrConfig(**TINY)
    config._attn_implementation = "sdpa"
    layer_class = {"encoder": nn.TransformerEncoderLayer, "decoder": nn.TransformerDecoderLayer}[kind]
    layer = layer_class(32, 4, 48, dropout=0.0, batch_first=True, norm_first=False)
    block = {"encoder": EncoderBlock, "decoder": DecoderBlock}[kind](config, 0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.3)
    layer.load_state_dict(to_torch_names(block.state_dict()))

    mask, memory_mask = make_mask(TARGET, padding) != 0, make_mask(SOURCE, padding) != 0
    x, memory = torch.randn(4, 8, 32, requires_grad=True), torch.randn(4, 7, 32, requires_grad=True)
    causal = torch.ones(8, 8, dtype=torch.bool).tril()
    if kind == "encoder":
        y, z = block(x, mask[:, None, None, :]), layer(x, src_key_padding_mask=~mask)
    else:
        seen = causal & (mask[:, None, None, :] | torch.eye(8, dtype=torch.bool))  # padding sees itself, lest it be NaN
        y = block(x, seen, memory, memory_mask[:, None, None, :])
        every_head = (~seen).expand(4, 4, 8, 8).flatten(0, 1)
        z = layer(x, memory, tgt_mask=every_head, memory_key_padding_mask=~memory_mask)
    same_as_stock(y[mask], z[mask])
    inputs = [x] if kind == "encoder" else [x, memory]
    y[mask].sin().sum().backward()
    ours = [t.grad for t in inputs]
    x.grad = memory.grad = None
    z[mask].sin().sum().backward()
    same_as_stock(ours, [t.grad for t in inputs])
    same_as_stock(to_torch_names(gradients(block)), gradients(layer))


def test_parameter_counts_of_the_paper():
    """As computed on paper, with biases and one matrix for source, target and output; nothing else is trained."""
    for preset, count in ((XfmrConfig.base, 63_082_496), (XfmrConfig.big, 214_245_376)):
        with torch.device("meta"):
            model = XfmrForConditionalGeneration(preset())
        assert sum(p.numel() for p in model.parameters()) == model.num_parameters() == count
    assert XfmrConfig.big(dropout=0.1).dropout == 0.1


def test_positions_are_those_of_the_paper():
    table = position_table(XfmrConfig(max_position_embeddings=600, d_model=512))
    for position, channel in ((0, 0), (1, 0), (599, 7), (599, 510), (311, 256)):
        angle = position / 10000 ** (channel // 2 * 2 / 512)
        expected = math.sin(angle) if channel % 2 == 0 else math.cos(angle)
        assert table[position, channel].item() == pytest.approx(expected, abs=1e-7)


# --------------------------------------------------------------------------------------------------------- stock Marian


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("config", [{}, {"decoder_vocab_size": 101, "share_encoder_decoder_embeddings": False}])
def test_outputs_loss_and_gradients_equal_stock(config, attention):
    """Logits, loss and every gradient, on both padding sides and none, with padding dropped or computed, in evaluation
    and in training; dropout is 0."""
    stock, ours = make_twins(attention, **config)
    for padding in ("right", "left", "none"):
        batch = make_batch(padding)
        real = batch["decoder_attention_mask"] == 1
        for training in (False, True):
            stock.train(training).zero_grad()
            theirs = stock(**batch)
            theirs.loss.backward()
            for pack in (True, False):
                ours.train(training).zero_grad()
                out = ours(**batch, pack=pack)
                out.loss.backward()
                same_as_stock(out.loss, theirs.loss)
                same_gradients(ours, stock)
                assert (out.logits is None) == training
                if not training:
                    same_as_stock(out.logits[real], theirs.logits[real])


@pytest.mark.parametrize("activation", ["relu", "gelu", "swish"])
@pytest.mark.parametrize("scale", [True, False])
def test_model_without_head_equals_stock(activation, scale):
    stock, ours = make_twins(
        stock_class=MarianModel, our_class=XfmrModel, activation_function=activation, scale_embedding=scale
    )
    batch = make_batch("left")
    batch["decoder_input_ids"] = batch.pop("labels").clamp(0)
    theirs = stock(**batch)
    for given in ({}, {"use_cache": False}, {"use_cache": False, "pack": False}):
        out = ours(**batch, **given)
        for name, mask in (
            ("last_hidden_state", "decoder_attention_mask"),
            ("encoder_last_hidden_state", "attention_mask"),
        ):
            real = batch[mask] == 1
            same_as_stock(out[name][real], theirs[name][real])
    assert out.past_key_values is None
    assert ours(**batch).past_key_values is not None


def test_padding_is_dropped_on_both_sides(monkeypatch):
    """Encoder and decoder compute as many rows as there are real tokens, the labels alone telling the target's."""
    ours = random_model()
    rows = []
    for side in ("encoder", "decoder"):
        ours.get_submodule(f"model.{side}.blocks.0").register_forward_pre_hook(lambda _, args: rows.append(args[0]))
    batch = make_batch()
    del batch["decoder_attention_mask"]
    ours(**batch)
    assert [x.shape[:2] for x in rows] == [(1, sum(SOURCE)), (1, sum(TARGET))]
    rows.clear()
    ours(**batch, pack=False)
    assert [x.shape[:2] for x in rows] == [(4, 7), (4, 8)]


@pytest.mark.parametrize("padding", ["right", "left"])
def test_labels_alone_are_enough(padding):
    """Without decoder_attention_mask or decoder_input_ids the loss and gradients are stock's, whatever the labels
    leave out: amid a target, at its end, or all of it."""
    stock, ours = make_twins()
    batch = make_batch(padding)
    del batch["decoder_attention_mask"]
    batch["labels"][0] = -100
    for given in (batch, {**batch, "decoder_input_ids": stock.prepare_decoder_input_ids_from_labels(batch["labels"])}):
        for training in (True, False):
            stock.train(training).zero_grad()
            ours.train(training).zero_grad()
            theirs, out = stock(**given), ours(**given)
            theirs.loss.backward()
            out.loss.backward()
            same_as_stock(out.loss, theirs.loss)
            same_gradients(ours, stock)
    labelled = batch["labels"] != -100
    same_as_stock(out.logits[labelled], theirs.logits[labelled])
    # the decoder's input was given: every position of it has scores in evaluation
    same_as_stock(out.logits, theirs.logits)


def test_an_empty_source_does_not_shift_the_pairs():
    """Each target attends to the source of its own row, though one row has no source and another no target."""
    ours = random_model()
    batch = make_batch()
    whole = ours(**batch).logits
    batch["attention_mask"][1] = 0
    batch["labels"][2] = -100
    out = ours(**batch).logits
    same_to_rounding(out[[0, 3]], whole[[0, 3]])
    assert not torch.allclose(out[1], whole[1])


def test_embeddings_in_place_of_ids():
    """Both sides take word vectors, scaled as the ids' own are; for stock, the source's have to be scaled before."""
    stock, ours = make_twins()
    batch = make_batch()
    labels = batch.pop("labels")
    ids = {**batch, "decoder_input_ids": labels.clamp(0), "use_cache": False}
    source, target = ours.get_input_embeddings()(ids["input_ids"]), ours.get_input_embeddings()(labels.clamp(0))
    masks = {name: batch[name] for name in ("attention_mask", "decoder_attention_mask")}
    expected = ours(**ids).logits
    same_to_rounding(
        ours(inputs_embeds=source, decoder_inputs_embeds=target, use_cache=False, **masks).logits, expected
    )
    theirs = stock(inputs_embeds=source * 32**0.5, decoder_inputs_embeds=target, use_cache=False, **masks).logits
    real = masks["decoder_attention_mask"] == 1
    same_as_stock(theirs[real], expected[real])


def test_encoder_outputs_in_place_of_a_source():
    ours = random_model()
    batch = make_batch()
    ids = batch.pop("input_ids")
    expected = ours(ids, **batch)
    encoded = ours.get_encoder()(ids, batch["attention_mask"])
    for given in (encoded, encoded.to_tuple()):
        same_to_rounding(ours(encoder_outputs=given, **batch).logits, expected.logits)


def test_hidden_states_and_attentions_equal_stock():
    stock, ours = make_twins("eager")
    batch = make_batch()
    batch["decoder_input_ids"] = batch.pop("labels").clamp(0)
    asked = {"output_hidden_states": True, "output_attentions": True, "use_cache": False}
    theirs, out = stock(**batch, **asked), ours(**batch, **asked)
    masks = {"encoder": batch["attention_mask"] == 1, "decoder": batch["decoder_attention_mask"] == 1}
    for name, side in (
        ("encoder_hidden_states", "encoder"),
        ("decoder_hidden_states", "decoder"),
        ("encoder_attentions", "encoder"),
        ("decoder_attentions", "decoder"),
        ("cross_attentions", "decoder"),
    ):
        assert len(out[name]) == len(theirs[name]) == (3 if "hidden" in name else 2)
        for mine, value in zip(out[name], theirs[name], strict=True):
            if "attentions" in name:
                mine, value = mine.transpose(1, 2), value.transpose(1, 2)
            same_as_stock(mine[masks[side]], value[masks[side]])


# ------------------------------------------------------------------------------------------------------------- the loss


def test_a_step_does_not_depend_on_how_it_was_cut():
    """The gradient of 8 rows of unequal length is the sum of those of 1 row each, and of any padding."""
    ours = random_model().train()
    batch = make_batch(source=[7, 3, 5, 1, 2, 6, 4, 7], target=[4, 8, 1, 6, 3, 5, 2, 7])
    ours(**batch).loss.backward()
    whole = gradients(ours)
    count = (batch["labels"] != -100).sum()
    for pack in (True, False):
        ours.zero_grad()
        for row in range(8):
            ours(
                **{name: t[row : row + 1] for name, t in batch.items()}, num_items_in_batch=count, pack=pack
            ).loss.backward()
        same_to_rounding(gradients(ours), whole)
    ours.zero_grad()
    wider = {name: F.pad(t, (0, 5), value=-100 if name == "labels" else 0) for name, t in batch.items()}
    ours(**wider).loss.backward()
    same_to_rounding(gradients(ours), whole)


def smoothed(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Section 5.4 in float64, one labelled row at a time: 1 - e on the label, e spread over all words."""
    rows = []
    for scores, label in zip(logits.double().flatten(0, -2), labels.flatten().tolist(), strict=True):
        if label != -100:
            target = torch.full_like(scores, smoothing / len(scores))
            target[label] += 1 - smoothing
            rows.append(-(target * (scores - scores.logsumexp(0))).sum())
    return torch.stack(rows).mean()


def test_label_smoothing_matches_float64():
    ours = random_model(label_smoothing=0.1)
    batch = make_batch()
    evaluated = ours(**batch)
    same_to_rounding(evaluated.loss, smoothed(evaluated.logits, batch["labels"], 0.0))
    trained = ours.train()(**batch)
    same_to_rounding(trained.loss, smoothed(evaluated.logits, batch["labels"], 0.1))
    logits = evaluated.logits.detach().requires_grad_()
    mine = torch.autograd.grad(cross_entropy(logits, batch["labels"], label_smoothing=0.1), logits)[0]
    theirs = torch.autograd.grad(smoothed(logits, batch["labels"], 0.1), logits)[0]
    same_to_rounding(mine, theirs)


# ---------------------------------------------------------------------------------------------------- what Trainer uses


def test_gradient_checkpointing_changes_no_gradient():
    ours, batch = random_model().train(), make_batch()
    ours(**batch).loss.backward()
    expected = gradients(ours)
    for reentrant in (True, False):
        ours.gradient_checkpointing_enable({"use_reentrant": reentrant})
        ours.enable_input_require_grads()
        ours.zero_grad()
        ours(**batch).loss.backward()
        same_to_rounding(gradients(ours), expected)


def test_torch_compile_and_export():
    """One graph without breaks; the exported one takes any batch size and length."""
    ours = random_model()
    batches = [make_batch(), make_batch(source=[3, 5, 9], target=[6, 11, 2], seed=1)]
    for batch in batches:
        batch["decoder_input_ids"] = batch.pop("labels").clamp(0)
    expected = [ours(**batch, use_cache=False).logits for batch in batches]
    real = [batch["decoder_attention_mask"] == 1 for batch in batches]

    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    logits = compiled(**batches[0], use_cache=False).logits
    same_to_rounding(logits[real[0]], expected[0][real[0]])

    rows, source, target = (torch.export.Dim(name, min=2, max=30) for name in ("rows", "source", "target"))
    shapes = {name: {0: rows, 1: target if "decoder" in name else source} for name in batches[0]}
    exported = torch.export.export(
        ours, (), {**batches[0], "use_cache": False}, dynamic_shapes={**shapes, "use_cache": None}
    )
    logits = exported.module()(**batches[1], use_cache=False).logits
    same_to_rounding(logits[real[1]], expected[1][real[1]])


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_resized_vocabulary_keeps_scores(tied):
    """New words join source, target and output with a bias of 0; the scores of the old ones stay."""
    ours, batch = random_model(tie_word_embeddings=tied), make_batch()
    ours.final_logits_bias.normal_()
    before = ours(**batch).logits
    ours.resize_token_embeddings(120)
    assert ours.config.vocab_size == ours.config.decoder_vocab_size == ours.lm_head.out_features == 120
    after = ours(**batch)
    same_to_rounding(after.logits[..., :99], before)
    assert (ours.final_logits_bias[0, 99:] == 0).all()
    matrices = {p.data_ptr() for p in (ours.lm_head.weight, ours.model.shared.weight)}
    matrices |= {side.embeddings.word.weight.data_ptr() for side in (ours.model.encoder, ours.model.decoder)}
    assert len(matrices) == (1 if tied else 4)
    ours.resize_token_embeddings(95)
    same_to_rounding(ours(**batch).logits, before[..., :95])


def test_lora_trains_only_its_own_weights():
    from peft import LoraConfig, get_peft_model

    ours, batch = random_model(), make_batch()
    before = ours(**batch).logits
    tuned = get_peft_model(ours, LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["query", "value"], r=4))
    same_to_rounding(tuned(**batch).logits, before)
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=1.0)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        losses.append(tuned(**batch).loss)
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    with tuned.disable_adapter():
        same_to_rounding(tuned(**batch).logits, before)


def test_wrong_use_is_named():
    with pytest.raises(StrictDataclassFieldValidationError, match="position_layout"):
        XfmrConfig(position_layout="learned")
    with pytest.raises(ValueError, match="layerdrop"):
        XfmrConfig(encoder_layerdrop=0.1)
    with pytest.raises(ValueError, match="multiple of the number of heads"):
        random_model(d_model=30)
    ours = random_model()
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        ours(labels=torch.ones(1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="decoder_input_ids"):
        ours(input_ids=torch.ones(1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="row 0 holds 2 sources and 1 targets"):
        ours(**make_batch(), position_ids=torch.tensor([0, 1, 2, 0, 1, 2, 3]).expand(4, 7))
    with pytest.raises(ValueError, match="vocabularies of their own"):
        random_model(share_encoder_decoder_embeddings=False).resize_token_embeddings(120)


def test_labels_alone_are_enough_on_a_device_that_is_no_cpu():
    """Whether padding can be dropped is asked of a model that has blocks; tensors without data go where a GPU's go."""
    config = XfmrConfig(
        vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32, decoder_ffn_dim=32
    )
    model = XfmrForConditionalGeneration(config).to("meta").eval()
    ids = torch.ones(2, 5, dtype=torch.int64, device="meta")
    assert model(input_ids=ids, labels=ids).loss.shape == ()
