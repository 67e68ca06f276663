"""Pairs of source and target that a caller packed into one row of the Transformer do not see one another; and what a
GPU's kernel for packed rows computes."""

import pytest
import torch
from oracles import same_to_rounding
from test_transformer import random_model
from torch import Tensor
from torch.nn import functional as F

from hf_xfmr import XfmrBertConfig, XfmrBertModel, XfmrGPT2Config, XfmrGPT2Model
from hf_xfmr.models.packing import packed_rows

SOURCES, TARGETS = [4, 1, 6, 3], [3, 5, 2, 4]


def make_pairs() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        tuple(torch.randint(1, 90, (length,), generator=generator) for length in pair)
        for pair in zip(SOURCES, TARGETS, strict=True)
    ]


def positions(lengths: list[int]) -> Tensor:
    return torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0)


def ends(lengths: list[int]) -> Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).int()


def make_row(known: str) -> dict[str, Tensor]:
    """All pairs in one row, known by positions, by boundaries or by both."""
    pairs = make_pairs()
    row = {
        "input_ids": torch.cat([source for source, _ in pairs]).unsqueeze(0),
        "labels": torch.cat([target for _, target in pairs]).unsqueeze(0),
    }
    by_positions = {"position_ids": positions(SOURCES), "decoder_position_ids": positions(TARGETS)}
    by_ends = {
        "cu_seq_lens_q": ends(TARGETS),
        "cu_seq_lens_k": ends(SOURCES),
        "max_length_q": max(TARGETS),
        "max_length_k": max(SOURCES),
    }
    ways = {"positions": by_positions, "boundaries": by_ends, "both": {**by_positions, **by_ends}}
    return {**row, **ways[known]}


def gradients(model) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("known", ["positions", "boundaries", "both"])
def test_packed_pairs_equal_separate_pairs(known, pack, attention):
    """Scores, loss and gradients; each target is shifted by itself."""
    ours = random_model(attn_implementation=attention).double()
    alone = [ours(input_ids=source[None], labels=target[None]) for source, target in make_pairs()]
    loss = sum(out.loss * len(target) for out, (_, target) in zip(alone, make_pairs(), strict=True)) / sum(TARGETS)
    loss.backward()
    expected = gradients(ours)
    ours.zero_grad()
    out = ours(**make_row(known), pack=pack)
    out.loss.backward()
    same_to_rounding(out.logits, torch.cat([each.logits for each in alone], dim=1))
    same_to_rounding(out.loss, loss)
    single = {name: gradient.float() for name, gradient in gradients(ours).items()}  # as the loss is
    same_to_rounding(single, expected)
    trained = ours.train()(**make_row(known), pack=pack)
    same_to_rounding(trained.loss.float(), loss)  # scored in float64 there, in float32 here


@pytest.mark.parametrize("use_cache", [None, True, False])
def test_no_cache_is_made_of_packed_pairs(use_cache):
    ours = random_model()
    row = make_row("positions")
    row["decoder_input_ids"] = ours.prepare_decoder_input_ids_from_labels(
        row.pop("labels"), packed_rows(row["decoder_position_ids"].shape, row["decoder_position_ids"])
    )
    out = ours(**row, use_cache=use_cache)
    assert out.past_key_values is None
    encoded = ours.model.encoder(row["input_ids"], position_ids=row["position_ids"])  # a source encoded before
    again = ours(**{**row, "input_ids": None}, encoder_outputs=encoded, use_cache=use_cache)
    same_to_rounding(again.logits, out.logits)


@pytest.mark.parametrize("pack", [True, False])
def test_several_rows_of_pairs_with_padding(pack):
    """Two rows, padded at their ends and between the pairs; the sources of one at their beginning too."""
    ours, pairs = random_model(), make_pairs()
    row = make_row("positions")

    def both(name: str, lengths: list[int], before: int, between: int) -> Tensor:
        x = row[name][0]
        split = sum(lengths[:2])
        return torch.stack(
            [F.pad(x, (0, before + between)), torch.cat([F.pad(x[:split], (before, between)), x[split:]])]
        )

    batch = {
        "input_ids": both("input_ids", SOURCES, 2, 1),
        "position_ids": both("position_ids", SOURCES, 2, 1),
        "decoder_position_ids": both("decoder_position_ids", TARGETS, 0, 3),
        "labels": both("labels", TARGETS, 0, 3),
    }
    batch["attention_mask"] = (batch["input_ids"] != 0).long()
    mask = batch["decoder_attention_mask"] = (batch["labels"] != 0).long()
    batch["labels"] = batch["labels"].masked_fill(mask == 0, -100)
    logits = ours(**batch, pack=pack).logits
    alone = torch.cat([ours(input_ids=source[None], labels=target[None]).logits[0] for source, target in pairs])
    for mine, real in zip(logits, mask, strict=True):
        same_to_rounding(mine[real == 1], alone)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.gpu
def test_a_gpu_drops_padding_in_half_precision(dtype):
    """With its kernel for packed rows: what comes out, and the gradients, are those of the padded computation."""
    sizes = {"vocab_size": 99, "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
    models = [
        XfmrBertModel(XfmrBertConfig(**sizes, intermediate_size=64)),
        XfmrGPT2Model(XfmrGPT2Config(vocab_size=99, n_embd=64, n_head=4, n_layer=2)),
    ]
    mask = (torch.arange(12) < torch.tensor([[12], [3], [7]])).long().cuda()
    ids = torch.randint(1, 99, (3, 12), generator=torch.Generator().manual_seed(0)).cuda()
    for model in models:
        model = model.cuda().to(dtype).eval()
        seen, found = [], []
        model.blocks[0].register_forward_hook(lambda _, args, __, seen=seen: seen.append(args[0].shape[:2]))
        for pack in (True, False):
            model.zero_grad()
            more = {"use_cache": False} if isinstance(model, XfmrGPT2Model) else {}
            x = model(ids, mask, pack=pack, **more).last_hidden_state[mask == 1]
            x.float().sin().sum().backward()
            found.append((x.float(), model.blocks[0].attention.query.weight.grad.float()))
        assert seen == [(1, 22), (3, 12)]
        for packed, dense in zip(*found, strict=True):
            assert (packed - dense).norm() < 0.03 * dense.norm()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_gpu_drops_padding_in_default_training(dtype):
    """float32, and dropout of the attention weights, whose mean over seeds is what evaluation computes."""
    mask = (torch.arange(8) < torch.tensor([[8], [3]])).long().cuda()
    ids = torch.ones_like(mask)
    sizes = {"vocab_size": 9, "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1}
    config = XfmrBertConfig(**sizes, attention_probs_dropout_prob=0.1, hidden_dropout_prob=0.0)
    model, seen = XfmrBertModel(config).cuda().to(dtype).train(), []
    model.blocks[0].register_forward_hook(lambda _, args, __: seen.append(args[0].shape[:2]))
    attended = []
    model.blocks[0].attention.register_forward_hook(lambda _, __, out: attended.append(out[0].detach().float()))
    model(ids, mask).last_hidden_state.float().sin().sum().backward()
    assert seen == [(1, 11)]
    assert torch.isfinite(model.blocks[0].attention.query.weight.grad).all()
    for seed in range(300):
        torch.manual_seed(seed)
        model(ids, mask)
    mean, error = torch.stack(attended[1:]).mean(0), torch.stack(attended[1:]).std(0) / 300**0.5
    model.eval()(ids, mask)
    assert ((mean - attended[-1]).abs() < 5 * error + 0.01 * attended[-1].abs().max()).all()


@pytest.mark.gpu
def test_packed_pairs_on_a_gpu_equal_separate_pairs():
    ours = random_model(d_model=64).cuda().bfloat16()
    alone = [ours(input_ids=s[None].cuda(), labels=t[None].cuda()).logits for s, t in make_pairs()]
    row = {name: t.cuda() if isinstance(t, Tensor) else t for name, t in make_row("both").items()}
    expected = torch.cat(alone, dim=1).float()
    for pack in (True, False):
        assert (ours(**row, pack=pack).logits.float() - expected).norm() < 0.03 * expected.norm()
