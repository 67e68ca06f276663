"""The loss over labelled rows in chunks: that of float64, whatever the chunk, and without a table of all scores."""

import pytest
import torch
from oracles import fresh_process, same_to_rounding
from torch import nn
from torch.nn import functional as F

from hf_xfmr import XfmrBertForMaskedLM, XfmrForConditionalGeneration, XfmrGPT2ForCausalLM
from hf_xfmr.bench.measure import peak_bytes
from hf_xfmr.models import vocabulary
from hf_xfmr.models.vocabulary import vocabulary_loss


def make_case(dtype=torch.float32, rows: int = 23, classes: int = 37):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, rows, 8, generator=generator, dtype=dtype).requires_grad_()
    labels = torch.randint(classes, (2, rows), generator=generator)
    labels[torch.rand(2, rows, generator=generator) < 0.4] = -100
    head = nn.Linear(8, classes, dtype=dtype)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return hidden, labels, head


def reference(hidden, labels, head, count=None, smoothing: float = 0.0):
    """The loss written out in float64, and its gradients."""
    h, w, b = (t.detach().double().requires_grad_() for t in (hidden, head.weight, head.bias))
    log_p = (h @ w.t() + b).log_softmax(-1)[labels != -100]
    each = -(1 - smoothing) * log_p[torch.arange(len(log_p)), labels[labels != -100]] - smoothing * log_p.mean(-1)
    loss = each.sum() / (len(log_p) if count is None else count)
    return loss, torch.autograd.grad(loss, (h, w, b))


@pytest.fixture(params=[1, 5 * 37, 2**25], ids=["one row", "five rows", "all rows"])
def chunk(request, monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("count", [None, 100, torch.tensor(7)])
def test_loss_and_gradients_are_those_of_float64(smoothing, count):
    hidden, labels, head = make_case()
    loss = vocabulary_loss(hidden, labels, head, count, label_smoothing=smoothing)
    expected, gradients = reference(hidden, labels, head, count, smoothing)
    same_to_rounding(loss, expected)
    mine = torch.autograd.grad(3 * loss, (hidden, head.weight, head.bias))
    same_to_rounding(mine, [3 * exact for exact in gradients])


@pytest.mark.usefixtures("chunk")
def test_gradients_by_finite_differences_and_twice_through_one_graph():
    hidden, labels, head = make_case(torch.float64, rows=4)
    bias = torch.randn(1, 37, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *_: vocabulary_loss(hidden, labels, head, bias=bias), (hidden, head.weight))
    loss = vocabulary_loss(hidden, labels, head)
    for times in (1, 2):
        loss.backward(retain_graph=True)
        exact = reference(hidden, labels, head)[1]
        torch.testing.assert_close(hidden.grad, times * exact[0])
        torch.testing.assert_close(head.weight.grad, times * exact[1])


@pytest.mark.parametrize("frozen", ["hidden", "weight", "bias", "all"])
def test_what_is_frozen_gets_no_gradient_and_changes_no_other(frozen):
    hidden, labels, head = make_case()
    exact = dict(zip(("hidden", "weight", "bias"), reference(hidden, labels, head)[1], strict=True))
    given = {"hidden": hidden, "weight": head.weight, "bias": head.bias}
    for name, tensor in given.items():
        tensor.requires_grad_(frozen not in (name, "all"))
    loss = vocabulary_loss(hidden, labels, head)
    assert loss.requires_grad is (frozen != "all")
    if frozen != "all":
        loss.backward()
    for name, tensor in given.items():
        if frozen in (name, "all"):
            assert tensor.grad is None
        else:
            same_to_rounding(tensor.grad, exact[name])


def test_tied_matrix_gets_both_gradients():
    _, labels, head = make_case()
    ids = torch.arange(46).view(2, 23) % 37

    def loss(score):
        head.zero_grad()
        value = score(F.embedding(ids, head.weight))
        value.backward()
        return value, head.weight.grad.clone()

    mine = loss(lambda x: vocabulary_loss(x, labels, head))
    theirs = loss(lambda x: F.cross_entropy(head(x).flatten(0, 1), labels.flatten()))
    same_to_rounding(mine, theirs)


@pytest.mark.usefixtures("chunk")
def test_autocast_multiplies_in_bfloat16_and_sums_in_float32():
    """The loss has no bfloat16 rounding of its own, which alone would be up to 0.4 %."""
    hidden, labels, head = make_case()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = vocabulary_loss(hidden, labels, head)
        scores = head(hidden)
    assert loss.dtype == torch.float32
    assert scores.dtype == torch.bfloat16
    expected, gradients = reference(hidden, labels, head)
    assert abs(loss.double() - expected) < 2e-3 * expected
    for gradient, exact in zip(torch.autograd.grad(loss, (hidden, head.weight)), gradients, strict=False):
        assert gradient.dtype == torch.float32
        assert (gradient - exact).norm() < 0.02 * exact.norm()


def test_a_bfloat16_model_gets_bfloat16_gradients():
    hidden, labels, head = make_case(torch.bfloat16)
    loss = vocabulary_loss(hidden, labels, head)
    expected, gradients = reference(hidden, labels, head)
    assert loss.dtype == torch.float32
    assert abs(loss.double() - expected) < 2e-3 * expected
    for gradient, exact in zip(torch.autograd.grad(loss, (hidden, head.weight)), gradients, strict=False):
        assert gradient.dtype == torch.bfloat16
        assert (gradient - exact).norm() < 0.02 * exact.norm()


def test_the_memory_that_stays_is_used_again_and_no_gradient_stands_in_it():
    """A smaller batch and a larger one later, and in inference mode first: the figures of each are its own."""
    case, small = make_case(), make_case(rows=5)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        vocabulary_loss(*small)
    found = []
    for hidden, labels, head in (case, small, case):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = vocabulary_loss(hidden, labels, head)
        found.append((loss, *torch.autograd.grad(loss, (hidden, head.weight))))
    for first, again in zip(found[0], found[2], strict=True):
        assert torch.equal(first, again)  # bits: the same kernels on the same numbers in one process
        assert first.data_ptr() != again.data_ptr()


def test_what_stays_can_be_given_back_and_is_counted_again():
    hidden, labels, head = make_case(classes=5000)
    step = lambda: vocabulary_loss(hidden, labels, head).backward()  # noqa: E731
    vocabulary.release_memory()
    first, second = peak_bytes(step, torch.device("cpu")), peak_bytes(step, torch.device("cpu"))
    assert second < first
    vocabulary.release_memory()
    assert peak_bytes(step, torch.device("cpu")) > second


def test_no_labelled_row_gives_0():
    hidden, labels, head = make_case()
    loss = vocabulary_loss(hidden, torch.full_like(labels, -100), head)
    loss.backward()
    assert loss == 0
    assert not any(t.grad.any() for t in (hidden, head.weight, head.bias))


def test_hooks_on_the_head_still_run():
    """Adapters and sharded training act by what the module's call does: it is called then."""
    hidden, labels, head = make_case()
    expected = vocabulary_loss(hidden, labels, head)
    seen = []
    head.register_forward_hook(lambda _, __, out: seen.append(len(out)))
    same_to_rounding(vocabulary_loss(hidden, labels, head), expected)
    assert seen == [int((labels != -100).sum())]


PEAK = """
import re, resource, torch
from pathlib import Path
from torch import nn
from hf_xfmr.models.vocabulary import vocabulary_loss
torch.manual_seed(0)
head, hidden = nn.Linear(64, 30522), torch.randn(8, 256, 64, requires_grad=True)
labels = torch.randint(30522, (8, 256))
labels[torch.rand(8, 256) > 0.15] = -100
head(hidden[0, :1]).sum().backward()
def peak():  # of this program: on Linux getrusage counts that of the process that started it too
    if not Path("/proc/self/status").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
if {ours}:
    vocabulary_loss(hidden, labels, head).backward()
else:
    nn.functional.cross_entropy(head(hidden).flatten(0, 1), labels.flatten()).backward()
print((peak() - before) / 1024)
"""


def test_peak_memory_of_the_masked_word_loss_is_a_quarter_of_stock_s():
    """15 % of 2,048 words, a vocabulary of 30,522: MiB of a fresh process above what it held before."""
    ours, stock = (float(fresh_process(PEAK.format(ours=ours))) for ours in (True, False))
    assert ours < stock / 4


@pytest.mark.parametrize(
    ("model_class", "sizes"),
    [
        (XfmrBertForMaskedLM, {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}),
        (XfmrGPT2ForCausalLM, {"n_embd": 16, "n_layer": 1, "n_head": 2}),
        (XfmrForConditionalGeneration, {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1}),
    ],
)
def test_a_model_in_training_never_holds_the_scores_of_all_its_labels(monkeypatch, model_class, sizes):
    """512 labels of 20,000 words: all scores would be 39 MiB in float32, beside a matrix of 1.2."""
    monkeypatch.setattr(vocabulary, "CHUNK", 2**20)
    torch.manual_seed(0)
    model = model_class(model_class.config_class(vocab_size=20_000, **sizes)).train()
    ids = torch.randint(10, 20_000, (8, 64))

    def step():
        model(input_ids=ids, labels=ids).loss.backward()
        model.zero_grad()

    step()
    assert peak_bytes(step, torch.device("cpu")) < 24 * 2**20
