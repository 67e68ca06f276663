"""The cheap dropout has the statistics of dropout, and leaves no other trace."""

import pytest
import torch
from oracles import loop_attention
from torch.nn import functional as F

from hf_xfmr.models import dropout
from hf_xfmr.models.dropout import Dropout, dropout_attention, rounded


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_what_survives_keeps_the_mean_and_has_the_variance(p):
    """A survivor is 1 / (1 - p) times what it was, so the mean of ones stays 1 and their variance is p / (1 - p)."""
    torch.manual_seed(0)
    n = 400_001
    y = Dropout(p)(torch.ones(n))
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - rounded(p))])
    assert rounded(p) == pytest.approx(p, abs=2**-17)
    variance = p / (1 - p)
    assert abs(y.mean() - 1) < 4 * (variance / n) ** 0.5
    assert y.var().item() == pytest.approx(variance, rel=5 * (1 / (min(p, 1 - p) * n)) ** 0.5)
    for shift in (1, 2, 3, 4, 64):  # neighbours, of the same random word and of others, are independent
        correlation = ((y[shift:] - 1) * (y[:-shift] - 1)).mean() / variance
        assert abs(correlation) < 5 / n**0.5


def test_gradient_is_dropped_alike_and_the_seed_decides():
    x = torch.randn(7, 9, requires_grad=True)
    layer = Dropout(0.3)
    torch.manual_seed(1)
    y = layer(x)
    y.backward(torch.ones_like(x))
    torch.testing.assert_close(y, x * x.grad)
    torch.manual_seed(1)
    assert torch.equal(layer(x), y)  # bits: the same kernels on the same numbers in one process
    assert not torch.equal(layer(x), y)
    assert layer.eval()(x) is x or torch.equal(layer(x), x)
    assert Dropout(0.0)(x).equal(x)
    assert not Dropout(1.0)(x).any()


def make_heads(n: int, m: int):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, 2, size, 4, generator=generator, dtype=torch.float64, requires_grad=True) for size in (n, m, m)
    ]


@pytest.mark.parametrize(
    ("lengths", "key_lengths", "causal"),
    [
        ([3, 0, 1, 140], None, True),
        ([2, 130], [3, 1], False),
        ([5, 5, 5, 0, 0, 2, 130, 130, 2, 2], None, True),  # several of one length, side by side, are computed together
        ([3, 3, 3, 1, 1, 4, 4], [2, 2, 5, 1, 1, 0, 0], False),
    ],
)
def test_attention_with_next_to_no_dropout_is_attention(lengths, key_lengths, causal):
    """Against loops in float64 and torch's kernel, in more than one block of queries; gradients too."""
    key_lengths = key_lengths or lengths
    q, k, v = make_heads(sum(lengths), sum(key_lengths))
    y = dropout_attention(q, k, v, lengths, key_lengths, is_causal=causal, scaling=0.5, p=0.0)
    parts = zip(q.split(lengths, 2), k.split(key_lengths, 2), v.split(key_lengths, 2), strict=True)
    expected = torch.cat([F.scaled_dot_product_attention(*part, is_causal=causal) for part in parts], 2).transpose(1, 2)
    torch.testing.assert_close(y, expected)
    if causal:
        start = [sum(lengths[:row]) for row in range(len(lengths))]
        of = [row for row, length in enumerate(lengths) for _ in range(length)]
        by_loops = loop_attention(q, k, v, lambda _, i, j: of[i] == of[j] and start[of[i]] <= j <= i)
        torch.testing.assert_close(y, by_loops)
    up = torch.randn_like(y)
    for mine, theirs in zip(
        torch.autograd.grad(y, (q, k, v), up), torch.autograd.grad(expected, (q, k, v), up), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("causal", [True, False])
def test_gradients_of_attention_with_dropout_by_finite_differences(causal):
    def attend(q, k, v):
        torch.manual_seed(3)
        return dropout_attention(q, k, v, [3, 4], [3, 4], is_causal=causal, scaling=0.5, p=0.4)

    assert torch.autograd.gradcheck(attend, make_heads(7, 7))


@pytest.mark.parametrize("causal", [True, False])
def test_sequences_computed_together_are_as_each_by_itself(causal, monkeypatch):
    """With the same random numbers, to rounding; more of one length than go together at once."""
    lengths = [9] * 40 + [3, 3, 7] + [12] * 5
    heads, found = make_heads(sum(lengths), sum(lengths)), []
    monkeypatch.setattr(dropout, "SCORES", 6 * 2 * 9 * 9)
    for short in (2**15, 0):
        monkeypatch.setattr(dropout, "SHORT", short)
        torch.manual_seed(2)
        y = dropout_attention(*heads, lengths, lengths, is_causal=causal, scaling=0.5, p=0.3)
        up = torch.ones_like(y).cumsum(1)
        found.append((y, *torch.autograd.grad(y, heads, up)))
    for together, apart in zip(*found, strict=True):
        torch.testing.assert_close(together, apart)
    counts = [block.count for block in dropout._blocks(lengths, lengths, causal, torch.Size((2, 4)))]
    assert counts == [1] * len(lengths)  # as it was set last
    monkeypatch.setattr(dropout, "SHORT", 2**15)
    counts = [block.count for block in dropout._blocks(lengths, lengths, causal, torch.Size((2, 4)))]
    assert counts == [6, 6, 6, 6, 6, 6, 4, 2, 1, 3, 2]


def test_each_weight_is_dropped_for_itself():
    """With values that are unit vectors the output is the weights: each is 0 or its size divided by 1 - p."""
    n, p = 64, 0.25
    torch.manual_seed(0)
    q, v = torch.zeros(1, 3, n, n), torch.eye(n).expand(1, 3, n, n)
    y = dropout_attention(q, q, v, [n], [n], is_causal=False, scaling=1.0, p=p) * n
    assert sorted(y.unique().tolist()) == pytest.approx([0, 1 / (1 - p)])
    share = (y == 0).double()
    assert abs(share.mean() - p) < 4 * (p * (1 - p) / y.numel()) ** 0.5
    for dim in (1, 3):  # how many are dropped of a query's weights, and of those to a key, is binomial
        counts = share.sum(dim).flatten()
        assert counts.var().item() == pytest.approx(n * p * (1 - p), rel=0.5)
