"""Whatever the mask: packed and unpacked, real tokens are as they were; whatever the labels: the loss is float64's."""

from itertools import groupby

import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import same_to_rounding
from torch import nn
from torch.nn import functional as F

from hf_xfmr.models.losses import IGNORE, cross_entropy, next_tokens
from hf_xfmr.models.packing import Packing, packed_rows, positions
from hf_xfmr.models.vocabulary import vocabulary_loss

MASKS = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 1), min_size=width, max_size=width), min_size=1, max_size=5)
)
SEVERAL = st.lists(st.integers(1, 4), min_size=1, max_size=4)  # the lengths of a row's sequences


@given(mask=MASKS)
def test_unpacked_real_tokens_are_those_that_were_packed(mask):
    mask = torch.tensor(mask)
    x = torch.randn(*mask.shape, 3)
    packing = Packing(mask)
    packed = packing.pack(x)
    assert packed.shape == (1, int(mask.sum()), 3)
    assert packing.lengths == mask.sum(1).tolist()
    assert torch.equal(packing.unpack(packed), x * mask.unsqueeze(2))
    assert (Packing.of(mask, None) is None) == bool(mask.all())


@given(mask=MASKS)
def test_sequences_of_one_length_stand_side_by_side_and_come_back_in_their_places(mask):
    mask = torch.tensor(mask)
    x = torch.randn(*mask.shape, 3)
    packing = Packing(mask).arranged()
    assert sorted(packing.lengths) == sorted(mask.sum(1).tolist())
    assert len(list(groupby(packing.lengths))) == len(set(packing.lengths))
    sequences = packing.pack(x).squeeze(0).split(packing.lengths)
    rows = range(len(mask)) if packing.order is None else packing.order
    for row, sequence in zip(rows, sequences, strict=True):
        assert torch.equal(sequence, x[row][mask[row] != 0])
    assert torch.equal(packing.unpack(packing.pack(x)), x * mask.unsqueeze(2))


@given(mask=MASKS, data=st.data())
def test_of_a_packing_a_part_is_the_packing_of_the_part(mask, data):
    mask = torch.tensor(mask)
    few = mask * torch.tensor([[data.draw(st.integers(0, 1)) for _ in row] for row in mask.tolist()])
    x = torch.randn(*mask.shape, 2)
    whole, part = Packing(mask), Packing(few)
    assert torch.equal(whole.only(part, whole.pack(x)), part.pack(x))
    whole, part = whole.arranged(), part.arranged(whole)
    assert torch.equal(whole.only(part, whole.pack(x)), part.pack(x))
    assert all(length <= of for length, of in zip(part.lengths, whole.lengths, strict=True))


@given(masks=MASKS.flatmap(lambda mask: st.tuples(st.just(mask), st.permutations(mask))))
def test_of_pairs_both_sides_have_one_order(masks):
    x, memory = (torch.randn(len(mask), len(mask[0]), 2) for mask in masks)
    mask, memory_mask = (torch.tensor(mask) for mask in masks)
    packing, other = Packing.pair(x, mask, None, memory, memory_mask, None)
    if packing is None:
        assert mask.all()
        assert memory_mask.all()
        return
    pairs = list(zip(packing.lengths, other.lengths, strict=True))
    assert sorted(pairs) == sorted(zip(mask.sum(1).tolist(), memory_mask.sum(1).tolist(), strict=True))
    assert len(list(groupby(pairs))) == len(set(pairs))
    assert packing.order == other.order
    assert torch.equal(packing.unpack(packing.pack(x)), x * mask.unsqueeze(2))
    assert torch.equal(other.unpack(other.pack(memory)), memory * memory_mask.unsqueeze(2))


@given(lengths=SEVERAL)
def test_packed_rows_number_the_sequences_and_positions_begin_anew_in_each(lengths):
    places = torch.tensor([[place for length in lengths for place in range(length)]])
    rows = packed_rows(places.shape, places, None, None)
    if rows is None:  # one sequence
        assert len(lengths) == 1
        return
    assert torch.equal(rows[0], torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths)))
    assert torch.equal(positions(torch.zeros_like(places), rows), places)
    packing = Packing(torch.ones_like(rows), rows)
    assert packing.lengths == lengths


LOSSES = {
    "labels": st.lists(st.sampled_from([IGNORE, 0, 1, 2, 3, 4]), min_size=1, max_size=8),
    "scale": st.sampled_from([0.1, 1.0, 30.0]),
    "smoothing": st.sampled_from([0.0, 0.1, 1.0]),
    "items": st.none() | st.integers(1, 20),
    "seed": st.integers(0, 1000),
}


def reference(logits, labels, items, smoothing, weights=None) -> torch.Tensor:
    """Row by row in float64, from the definition."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        if label == IGNORE:
            continue
        costs = -(row - row.logsumexp(0))
        weight = torch.ones(len(row), dtype=torch.float64) if weights is None else weights.double()
        total = total + (1 - smoothing) * weight[label] * costs[label] + smoothing * (weight * costs).mean()
        count += 1
    return total / max(count if items is None else items, 1)


@given(**LOSSES, weighted=st.booleans())
def test_cross_entropy_is_float64_s(labels, scale, smoothing, items, seed, weighted):
    draw = torch.Generator().manual_seed(seed)
    logits, labels = scale * torch.randn(len(labels), 5, generator=draw), torch.tensor(labels)
    weights = torch.rand(5, generator=draw) + 0.1 if weighted else None
    found = cross_entropy(logits, labels, items, class_weights=weights, label_smoothing=smoothing)
    same_to_rounding(found, reference(logits, labels, items, smoothing, weights).float(), floor=scale)


@given(**LOSSES)
def test_vocabulary_loss_and_its_gradients_are_float64_s(labels, scale, smoothing, items, seed):
    draw = torch.Generator().manual_seed(seed)
    head = nn.Linear(3, 5, bias=False)
    with torch.no_grad():
        head.weight.copy_(scale * torch.randn(5, 3, generator=draw))
    hidden = torch.randn(1, len(labels), 3, generator=draw).requires_grad_()
    labels = torch.tensor([labels])
    loss = vocabulary_loss(hidden, labels, head, items, label_smoothing=smoothing)
    loss.backward()
    exact_hidden, exact_weight = (t.detach().double().requires_grad_() for t in (hidden, head.weight))
    expected = reference((exact_hidden @ exact_weight.t())[0], labels[0], items, smoothing)
    expected.backward() if expected.requires_grad else None
    same_to_rounding(loss, expected.float(), floor=scale)
    for own, exact in ((hidden, exact_hidden), (head.weight, exact_weight)):
        exact = torch.zeros_like(own) if exact.grad is None else exact.grad.float()
        same_to_rounding(own.grad, exact, floor=scale)


@given(mask=MASKS)
def test_next_tokens_neither_predict_padding_nor_are_predicted_from_it(mask):
    mask = torch.tensor(mask)
    labels = torch.arange(mask.numel()).view(mask.shape)
    found = next_tokens(labels, mask)
    for row, real in enumerate(mask.tolist()):
        for place in range(len(real)):
            seen = place + 1 < len(real) and real[place] and real[place + 1]
            assert found[row, place] == (labels[row, place + 1] if seen else IGNORE)
    assert torch.equal(next_tokens(labels), F.pad(labels[:, 1:], (0, 1), value=IGNORE))
