"""A few rows, multiplied from the other side: the numbers of nn.Linear, and only where nothing else depends on it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from oracles import same_to_rounding
from torch import nn
from torch.nn import functional as F

import hf_xfmr
from hf_xfmr.models import linear
from hf_xfmr.models.blocks import FeedForward
from hf_xfmr.models.linear import project


@pytest.fixture
def few(monkeypatch) -> list[int]:
    """How many rows were multiplied from the other side, a number for each product, were that always the quicker."""
    seen, plain = [], linear.few_rows
    monkeypatch.setattr(linear, "is_quicker", lambda x, weight: True)
    monkeypatch.setattr(linear, "few_rows", lambda x, w, b: (seen.append(len(x)), plain(x, w, b))[1])
    return seen


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 16, 64, 65])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_numbers_are_those_of_nn_linear(few, dtype, rows, bias):
    torch.manual_seed(0)
    layer, x = nn.Linear(48, 80, bias=bias, dtype=dtype), torch.randn(rows, 1, 48, dtype=dtype)
    with torch.no_grad():
        y = project(layer, x)
    assert y.shape == (rows, 1, 80)
    assert y.is_contiguous()
    assert few == ([rows] if rows <= (64 if dtype is torch.bfloat16 else 1) else [])
    exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    same_to_rounding(y, exact, 8 if dtype is torch.float32 else 2)


def test_training_autocast_and_graphs_are_those_of_nn_linear(few):
    torch.manual_seed(0)
    half, y = nn.Linear(16, 8).bfloat16().requires_grad_(False), torch.randn(8, 16).bfloat16()
    layer, x = nn.Linear(16, 8), torch.randn(8, 16)
    same_to_rounding(project(half, y), half(y), 2)
    assert few == []
    with torch.no_grad():
        traced = torch.jit.trace(lambda y: project(half, y), y, check_trace=False)
        same_to_rounding(traced(y), half(y), 2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        same_to_rounding(project(layer, x), layer(x), 2)
    with torch.no_grad():
        block = FeedForward(16, 8, "relu").bfloat16()
        graph = torch.export.export(block, (y,)).module()
        assert few == []
        same_to_rounding(graph(y), block(y), 2)


def test_what_is_hung_on_a_layer_or_put_in_its_place_is_called(few):
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    layer, doubled, x = nn.Linear(16, 8).bfloat16(), Doubled(16, 8).bfloat16(), torch.randn(8, 16).bfloat16()
    seen = []
    layer.register_forward_hook(lambda *_: seen.append("after"))
    layer.register_forward_pre_hook(lambda *_: seen.append("before"))
    with torch.no_grad():
        project(layer, x)
        same_to_rounding(project(doubled, x), 2 * F.linear(x, doubled.weight, doubled.bias), 2)
    assert seen == ["before", "after"]
    assert few == []


def test_every_layer_of_a_model_is_nn_linear_itself():
    """Tools go by the very type: PEFT's GLoRA, quantisers."""
    layers = [layer for layer in FeedForward(16, 8, "relu").modules() if isinstance(layer, nn.Linear)]
    assert [type(layer) for layer in layers] == [nn.Linear, nn.Linear]


def test_no_rows_are_no_error():
    with torch.no_grad():
        assert project(nn.Linear(16, 8), torch.zeros(0, 16)).shape == (0, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_writing_a_word_goes_the_quick_way_through_every_layer(few, dtype):
    model = hf_xfmr.XfmrGPT2ForCausalLM(hf_xfmr.XfmrGPT2Config(vocab_size=99, n_embd=32, n_layer=2, n_head=4))
    model = model.to(dtype).eval()
    model.generate(torch.tensor([[5]]), max_new_tokens=1, do_sample=False, pad_token_id=0)
    assert few == [1] * (2 * 6 + 1)


@pytest.mark.parametrize("slow", ["few_rows", "linear", None])
def test_the_way_that_a_processor_is_slow_at_is_not_taken(monkeypatch, slow):
    """Whichever it is; where neither is clearly quicker it is the library's. Asked once, by however many threads."""
    asked = []

    def after(seconds, product, name):
        def slowed(*args):
            asked.append(name)
            time.sleep(seconds)
            return product(*args)

        return slowed

    monkeypatch.setattr(linear, "_chosen", {})
    for module, name in ((linear, "few_rows"), (linear.F, "linear")):
        monkeypatch.setattr(module, name, after(0.012 if name == slow else 0.004, getattr(module, name), name))
    weight, x = torch.randn(80, 48).bfloat16(), torch.randn(3, 48).bfloat16()
    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(lambda _: linear.is_quicker(x, weight), range(4)))
    assert answers == {slow == "linear"}
    assert len(asked) == 2 * (linear.TIMES + 1)
    assert linear.is_quicker(x[:3], weight) == (slow == "linear")
    assert len(asked) == 2 * (linear.TIMES + 1)
