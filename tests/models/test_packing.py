"""Dropping padding changes no number, and sequences packed into one row do not see one another."""

from types import SimpleNamespace

import pytest
import torch
from oracles import BERT_HEADS, loop_attention, same_to_rounding, tiny_stock, twin
from transformers import DataCollatorWithFlattening, GPT2LMHeadModel, MarianMTModel

from hf_xfmr import XfmrForConditionalGeneration, XfmrGPT2ForCausalLM
from hf_xfmr.models.blocks import eager_attention
from hf_xfmr.models.packing import Packing, Spans, packed_attention, packed_rows


def make_model(suffix: str = "Model", attention: str = "sdpa", **config):
    stock_class, our_class = BERT_HEADS[suffix]
    stock = tiny_stock(stock_class, attn_implementation=attention, **config)
    return stock, twin(our_class, stock)


def make_ids(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(1, 99, shape, generator=torch.Generator().manual_seed(seed))


def test_what_is_packed_comes_back_in_its_place():
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]])
    packing = Packing(mask)
    x = torch.randn(4, 4, 3)
    packed = packing.pack(x)
    assert packed.shape == (1, 8, 3)
    assert torch.equal(packed[0], x[mask == 1])  # bits: nothing is computed, all is copied
    assert sum(packing.lengths) == 8
    assert torch.equal(packing.unpack(packed), x * mask.unsqueeze(-1))
    column = packing.pack(torch.arange(4).unsqueeze(0))  # one row stands for all
    assert column.tolist() == [[0, 1, 1, 3, 0, 1, 2, 3]]


@pytest.mark.parametrize("causal", [False, True])
def test_packed_attention_equals_loops_in_float64(causal):
    """Each query sees its own sequence only: the packed kernel, and the written-out one under the mask that says so."""
    lengths = [3, 1, 5]
    sequence = torch.arange(3).repeat_interleave(torch.tensor(lengths)).tolist()
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 9, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    module = torch.nn.Module().eval()
    module.is_causal = causal

    def visible(_, i, j):
        return sequence[i] == sequence[j] and (j <= i or not causal)

    expected = loop_attention(q, k, v, visible)
    packed, _ = packed_attention(module, q, k, v, Spans(lengths, lengths), scaling=0.5)
    torch.testing.assert_close(packed, expected)
    mask = torch.tensor([[0.0 if visible(0, i, j) else -torch.inf for j in range(9)] for i in range(9)])
    written_out, weights = eager_attention(module, q, k, v, mask, scaling=0.5)
    torch.testing.assert_close(written_out, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 9, dtype=torch.float64))


def test_cross_attention_pairs_sequences_with_memories():
    queries, keys = [2, 4], [3, 1]
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, 2, 6, 4, generator=generator, dtype=torch.float64)
    k, v = (torch.randn(1, 2, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    module = torch.nn.Module().eval()
    module.is_causal = False
    packed, _ = packed_attention(module, q, k, v, Spans(queries, keys), scaling=0.5)
    torch.testing.assert_close(packed, loop_attention(q, k, v, lambda _, i, j: (i >= 2) == (j >= 3)))


CASES = {
    "right": [[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]],
    "left": [[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0]],
    "a row of padding": [[0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]],
    "nothing but padding": [[0, 0, 0], [0, 0, 0]],
    "one row": [[1, 1, 1, 0, 0]],
    "one column": [[1], [0], [1]],
    "one token": [[1]],
    "no padding": [[1, 1], [1, 1]],
}


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float32])
@pytest.mark.parametrize("case", CASES)
def test_dropping_padding_changes_no_number(case, dtype):
    """Outputs at real tokens and all gradients are those of the padded computation; at padding there are zeros."""
    _, ours = make_model()
    mask = torch.tensor(CASES[case]).to(dtype)
    real = mask != 0
    ids = make_ids(*mask.shape)
    results = []
    for pack in (True, False):
        ours.zero_grad()
        out = ours(ids, mask, pack=pack)
        (out.last_hidden_state[real].sin().sum() + out.pooler_output[real.any(1)].sum()).backward()
        results.append((out, {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}))
    (packed, packed_gradients), (dense, dense_gradients) = results
    assert packed.last_hidden_state.shape == dense.last_hidden_state.shape
    same_to_rounding(packed.last_hidden_state[real], dense.last_hidden_state[real])
    same_to_rounding(packed.pooler_output[real.any(1)], dense.pooler_output[real.any(1)])
    same_to_rounding(packed_gradients, dense_gradients)
    assert not packed.last_hidden_state[~real].any()
    assert torch.isfinite(packed.pooler_output).all()


def test_no_padding_token_reaches_a_block():
    _, ours = make_model()
    seen = []
    for block in ours.blocks:
        block.register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    mask = torch.tensor(CASES["right"])
    ours(make_ids(*mask.shape), mask)
    assert seen == [(1, int(mask.sum()), 32)] * 2


@pytest.mark.parametrize("case", CASES)
def test_the_last_block_computes_only_what_is_read(case):
    """What is read comes out as ever, gradients too; the other tokens serve as keys and values alone."""
    _, ours = make_model()
    mask = torch.tensor(CASES[case])
    ids, real = make_ids(*mask.shape), mask != 0
    words = torch.rand(mask.shape, generator=torch.Generator().manual_seed(1)) < 0.4
    seen = []
    ours.blocks[-1].register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    for read in (False, words):
        wanted = real & read
        results = []
        for how in (read, True):
            ours.zero_grad()
            out = ours(ids, mask, read=how)
            (out.last_hidden_state[wanted].sin().sum() + out.pooler_output[real.any(1)].sum()).backward()
            results.append((out.last_hidden_state[wanted], out.pooler_output[real.any(1)]))
            results.append({name: p.grad.clone() for name, p in ours.named_parameters()})
        same_to_rounding(results[:2], results[2:])
        first = torch.zeros_like(real).scatter_(1, mask.argmax(1, keepdim=True), True) & real
        assert seen[-2] == (1, int((wanted | first).sum()), 32)
        assert seen[-1] != seen[-2] or real.sum() == (wanted | first).sum()


@pytest.mark.parametrize(
    ("positions", "mask", "expected"),
    [
        ([[0, 1, 2, 0, 1]], None, [[0, 0, 0, 1, 1]]),
        ([[0, 0, 0]], None, [[0, 1, 2]]),
        ([[0, 1, 2, 3, 4]], None, None),
        ([[2, 3, 4, 5, 6]], None, None),  # counts from elsewhere
        ([[0, 2, 1, 0, 3]], None, None),  # counts in its own way
        ([[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]], [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]], None),  # left padding
        ([[0, 1, 2, 0, 0]], [[1, 1, 1, 0, 0]], None),  # right padding
        ([[0, 1, 0, 1, 0]], [[1, 1, 1, 1, 0]], [[0, 0, 1, 1, 1]]),  # packed, then padded
        ([[0, 1, 2], [0, 1, 0]], None, [[0, 0, 0], [0, 0, 1]]),  # one row packed, one not
        ([[0]], None, None),
    ],
)
def test_positions_that_start_anew_are_sequences(positions, mask, expected):
    positions = torch.tensor(positions)
    rows = packed_rows(positions.shape, positions, None if mask is None else torch.tensor(mask))
    assert (None if rows is None else rows.tolist()) == expected


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("pack", [True, False])
def test_packed_sequences_equal_separate_ones(attention, pack):
    """As `DataCollatorWithFlattening` lays them out, known by positions, by boundaries or by both; stock mixes them."""
    stock, ours = (model.double() for model in make_model("ForTokenClassification", attention, num_labels=4))
    texts = [make_ids(n, seed=n).tolist() for n in (5, 1, 8, 3)]
    alone = torch.cat([ours(torch.tensor([text])).logits for text in texts], dim=1)
    flatten = DataCollatorWithFlattening(return_flash_attn_kwargs=True)
    features = flatten([{"input_ids": text, "labels": text} for text in texts])
    del features["labels"]
    boundaries = {name: value for name, value in features.items() if name.startswith(("cu_seq", "max_length"))}
    positions = {"position_ids": features["position_ids"]}
    for known in (positions, {**positions, **boundaries}):
        out = ours(features["input_ids"], **known, pack=pack).logits
        same_to_rounding(out, alone)
    assert (stock(features["input_ids"], **positions).logits - alone).abs().max() > 1e-2

    # boundaries alone keep sequences apart as well; positions then run on
    run_on = torch.arange(17).unsqueeze(0)
    by_boundaries = ours(features["input_ids"], position_ids=run_on, **boundaries, pack=pack).logits
    starts = [0, 5, 6, 14]
    alone = [
        ours(torch.tensor([text]), position_ids=torch.arange(start, start + len(text)).unsqueeze(0)).logits
        for start, text in zip(starts, texts, strict=True)
    ]
    same_to_rounding(by_boundaries, torch.cat(alone, dim=1))


@pytest.mark.parametrize("pack", [True, False])
def test_several_packed_rows_with_padding(pack):
    _, ours = make_model("ForTokenClassification", num_labels=4)
    ids = make_ids(2, 7)
    positions = torch.tensor([[0, 1, 2, 0, 1, 0, 0], [0, 1, 2, 3, 0, 1, 2]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1]])
    out = ours(ids, mask, position_ids=positions, pack=pack).logits
    for row, start, end in ((0, 0, 3), (0, 3, 5), (0, 5, 6), (1, 0, 4), (1, 4, 7)):
        same_to_rounding(out[row : row + 1, start:end], ours(ids[row : row + 1, start:end]).logits)


@pytest.mark.parametrize("backend", ["aot_eager"])
def test_packed_sequences_stay_apart_in_a_compiled_graph(backend):
    _, ours = make_model("ForTokenClassification", num_labels=4)
    compiled = torch.compile(ours, fullgraph=True, backend=backend)
    ids = make_ids(1, 8)
    for positions in ([0, 1, 2, 0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10, 11, 12]):
        given = {"position_ids": torch.tensor([positions])}
        same_to_rounding(compiled(ids, **given).logits, ours(ids, **given).logits)


def test_attention_dropout_keeps_the_mean_and_has_its_variance():
    """Weights over S equal keys are 1/S; each is dropped with probability p, the others divided by 1 - p. So with
    values of 1 an output has mean 1 and variance p / ((1 - p) S)."""
    p, heads, lengths = 0.3, 8, [20, 5, 40]
    q = torch.zeros(1, heads, sum(lengths), 4)
    v = torch.ones_like(q)
    module = torch.nn.Module().train()
    module.is_causal = False
    torch.manual_seed(0)
    drawn = [packed_attention(module, q, q, v, Spans(lengths, lengths), 0.5, dropout=p)[0] for _ in range(50)]
    for piece, length in zip(torch.stack(drawn).split(lengths, dim=2), lengths, strict=True):
        piece = piece[..., 0]  # values are alike in every channel
        draws = piece.numel()
        variance = p / ((1 - p) * length)
        assert abs(piece.mean() - 1) < 5 * (variance / draws) ** 0.5
        assert abs(piece.var() / variance - 1) < 0.15


def test_hidden_dropout_of_packed_tokens():
    """In training p of the numbers are 0 and the others 1 / (1 - p) times what they are in evaluation."""
    p = 0.25
    _, ours = make_model(hidden_dropout_prob=p)
    mask = torch.zeros(20, 40, dtype=torch.int64)
    for row in range(20):
        mask[row, : 1 + 2 * row] = 1
    ids = make_ids(*mask.shape)
    caught = []
    ours.embeddings.register_forward_hook(lambda *args: caught.append(args[-1]))
    ours(ids, mask)
    torch.manual_seed(0)
    ours.train()(ids, mask)
    full, dropped = caught
    assert full.shape == dropped.shape == (1, int(mask.sum()), 32)
    kept = dropped != 0
    same_to_rounding(dropped[kept], full[kept] / (1 - p))
    share = (~kept).float().mean()
    assert abs(share - p) < 5 * (p * (1 - p) / full.numel()) ** 0.5


def test_dropout_is_that_of_the_seed():
    _, ours = make_model("ForMaskedLM", hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2)
    ours.train()
    mask = torch.tensor(CASES["right"])
    ids = make_ids(*mask.shape)

    def loss(seed):
        torch.manual_seed(seed)
        return ours(ids, mask, labels=ids.masked_fill(mask == 0, -100)).loss.item()

    assert loss(0) == loss(0) != loss(1)  # bits: the same kernels on the same numbers in one process


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_row_longer_than_the_model_s_positions_is_refused_in_one_sentence(attention):
    """40 positions in each tiny model. A shorter text in a wider batch, and shorter texts in a longer row, are fine."""
    message = "a row has 41 tokens, more than the 40 positions this model has"
    bert = make_model(attention=attention)[1]
    gpt2 = twin(XfmrGPT2ForCausalLM, tiny_stock(GPT2LMHeadModel, attn_implementation=attention))
    marian = twin(XfmrForConditionalGeneration, tiny_stock(MarianMTModel, attn_implementation=attention))
    ids = make_ids(1, 41)
    for model, given in ((bert, {}), (gpt2, {}), (marian, {"labels": ids[:, :5]})):
        with pytest.raises(ValueError, match=message):
            model(ids, **given)
    with pytest.raises(ValueError, match=message):
        marian(ids[:, :5], labels=ids)
    two = torch.arange(41).remainder(21).unsqueeze(0)
    assert bert(ids, position_ids=two).last_hidden_state.shape == (1, 41, 32)
    if attention == "sdpa":
        assert bert(ids, (torch.arange(41) < 40).long().unsqueeze(0)).last_hidden_state.shape == (1, 41, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("is_causal", [False, True])
def test_sequences_of_one_length_that_follow_one_another_are_one_call(monkeypatch, is_causal, dtype):
    """Each of them as alone, among others of other lengths and of none; in training too."""
    lengths = [3, 3, 3, 5, 0, 0, 1, 1, 3]
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, sum(lengths), 8, generator=generator).to(dtype).requires_grad_() for _ in range(3))
    spans, module = Spans(lengths, lengths), SimpleNamespace(is_causal=is_causal)
    alone = [
        torch.nn.functional.scaled_dot_product_attention(*(t.float() for t in part), is_causal=is_causal)
        for part in zip(q.split(lengths, 2), k.split(lengths, 2), v.split(lengths, 2), strict=True)
    ]
    expected = torch.cat(alone, dim=2).transpose(1, 2)
    calls, attention = [], torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        "hf_xfmr.models.packing.F.scaled_dot_product_attention",
        lambda q, *rest, **options: (calls.append(len(q)), attention(q, *rest, **options))[1],
    )
    out, _ = packed_attention(module, q, k, v, spans, 8**-0.5)
    assert calls == [3, 1, 2, 2, 1]
    assert out.dtype == dtype
    roundings = {"rtol": 1e-5, "atol": 1e-6} if dtype is torch.float32 else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(out.float(), expected, **roundings)
    upstream = torch.randn(out.shape, generator=generator)
    for mine, theirs in zip(
        torch.autograd.grad(out.float(), (q, k, v), upstream),
        torch.autograd.grad(expected, (q, k, v), upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine.float(), theirs.float(), **roundings)
    with torch.no_grad():
        torch.testing.assert_close(packed_attention(module, q, k, v, spans, 8**-0.5)[0].float(), expected, **roundings)
