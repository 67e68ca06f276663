"""A few rows, multiplied from the other side: the numbers of nn.Linear, and only where nothing else depends on it."""

import pytest
import torch
from oracles import same_to_rounding
from torch import nn
from torch.nn import functional as F

from hf_xfmr.models import linear
from hf_xfmr.models.linear import Linear


@pytest.fixture
def few(monkeypatch) -> list[int]:
    """How many rows were multiplied from the other side, a number for each product."""
    seen, plain = [], linear.few_rows
    monkeypatch.setattr(linear, "few_rows", lambda x, w, b: (seen.append(len(x)), plain(x, w, b))[1])
    return seen


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 16, 64, 65])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_numbers_are_those_of_nn_linear(few, dtype, rows, bias):
    torch.manual_seed(0)
    layer, x = Linear(48, 80, bias=bias, dtype=dtype), torch.randn(rows, 1, 48, dtype=dtype)
    with torch.no_grad():
        y = layer(x)
    assert y.shape == (rows, 1, 80)
    assert y.is_contiguous()
    assert few == ([rows] if rows in linear.FEW[dtype] else [])
    exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    same_to_rounding(y, exact, 8 if dtype is torch.float32 else 2)


def test_training_autocast_and_graphs_are_those_of_nn_linear(few):
    torch.manual_seed(0)
    layer, x = Linear(16, 8), torch.randn(8, 16)
    plain = nn.Linear(16, 8)
    plain.load_state_dict(layer.state_dict())
    same_to_rounding(layer(x), plain(x), 8)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        same_to_rounding(layer(x), plain(x), 2)
    with torch.no_grad():
        graph = torch.export.export(nn.Sequential(layer), (x,)).module()
        same_to_rounding(graph(x), plain(x), 8)
    assert few == []


def test_no_rows_are_no_error():
    with torch.no_grad():
        assert Linear(16, 8)(torch.zeros(0, 16)).shape == (0, 8)
