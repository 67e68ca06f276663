"""Which kernel drops padding where, that none is trusted which computes something else, and that those a CPU has too
compute what the padded batch does."""

import logging

import pytest
import torch
import transformers
from oracles import BERT_HEADS, same_to_rounding, tiny_stock, twin

import hf_xfmr
from hf_xfmr.models import kernel_checks, packing
from hf_xfmr.models.kernels import HALF, Kernel, Spans, attend, forced, kernels_for

CPU, AMPERE, TURING = torch.device("cpu"), (8, 0), (7, 5)
FLASH, EFFICIENT, LENGTHS = Kernel.FLASH, Kernel.MEMORY_EFFICIENT, Kernel.LENGTHS
F32, BF16, F16 = torch.float32, torch.bfloat16, torch.float16


@pytest.mark.parametrize(
    ("device", "dtype", "head_dim", "capability", "rocm", "expected"),
    [
        ("cpu", F32, 64, (0, 0), False, [Kernel.SEQUENCES]),
        ("cuda", BF16, 64, AMPERE, False, [FLASH, EFFICIENT, LENGTHS]),
        ("cuda", F16, 64, TURING, False, [EFFICIENT, LENGTHS]),
        ("cuda", BF16, 64, TURING, False, [LENGTHS]),
        ("cuda", F32, 64, AMPERE, False, [EFFICIENT, LENGTHS]),
        ("cuda", F32, 6, AMPERE, False, [LENGTHS]),
        ("cuda", BF16, 12, AMPERE, False, [LENGTHS]),
        ("cuda", BF16, 512, AMPERE, False, [EFFICIENT, LENGTHS]),
        ("cuda", torch.float64, 64, AMPERE, False, [LENGTHS]),
        ("cuda", BF16, 64, AMPERE, True, [LENGTHS]),
        ("mps", F32, 64, (0, 0), False, [LENGTHS]),
        ("xpu", BF16, 64, (0, 0), False, [LENGTHS]),
        ("xla", F32, 64, (0, 0), False, []),
        ("meta", F32, 64, (0, 0), False, []),
    ],
)
def test_the_kernels_of_a_device(device, dtype, head_dim, capability, rocm, expected):
    assert kernels_for(device, dtype, head_dim, capability, rocm=rocm) == expected


@pytest.mark.parametrize(("kernel", "dtype"), [(FLASH, BF16), (FLASH, F16), (EFFICIENT, F32), (EFFICIENT, F16)])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_gpu_s_kernel_is_called_as_it_is_declared(kernel, dtype, dropout):
    """On the device without numbers: PyTorch's own declarations of shapes take the arguments, and a way back is
    registered. The numbers were not computed: that wants a GPU."""
    x = torch.empty(1, 22, 4, 16, device="meta", dtype=dtype, requires_grad=True)
    ends = torch.empty(4, device="meta", dtype=torch.int32)
    q, k, v = (x.transpose(1, 2) for _ in range(3))
    out = attend(kernel, q, k, v, Spans([12, 3, 7], [12, 3, 7], ends, ends), True, 0.25, dropout)
    assert (out.shape, out.dtype) == (x.shape, dtype)
    assert out.grad_fn is not None
    if kernel is FLASH:  # the other's declaration of its way back takes other arguments than PyTorch itself gives it
        out.float().sum().backward()
        assert x.grad.shape == x.shape


@pytest.mark.parametrize("dtype", [F32, torch.float64, *HALF])
@pytest.mark.parametrize("head_dim", [2, 8, 64])
def test_a_kernel_that_computes_attention_passes_its_check_and_leaves_the_random_numbers(dtype, head_dim):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert kernel_checks.fault(LENGTHS, CPU, dtype, head_dim) is None
    assert torch.equal(torch.rand(4), expected)
    with torch.inference_mode():  # as where a model that predicts comes first
        assert kernel_checks.fault(LENGTHS, CPU, dtype, head_dim) is None


def wrong_attend(how: str):
    def attend_wrongly(kernel, query, key, value, spans, is_causal, scaling, dropout):
        if how == "raises":
            raise NotImplementedError("there is no such kernel\nin this build")
        if how == "sees the future":
            is_causal = False
        if how == "drops nothing":
            dropout = 0.0
        if how == "drops too much":
            dropout = dropout * 2.5
        if how == "other sequences":
            spans = Spans([sum(spans.query)], [sum(spans.key)])
        if how == "no gradient of keys":
            key = key.detach() + 0 * key
        out = attend(kernel, query, key, value, spans, is_causal, scaling, dropout)
        return out * (1 - dropout) if how == "a smaller mean" else out

    return attend_wrongly


@pytest.mark.parametrize(
    "how",
    [
        "sees the future",
        "drops nothing",
        "drops too much",
        "other sequences",
        "no gradient of keys",
        "a smaller mean",
        "raises",
    ],
)
def test_a_kernel_that_computes_something_else_is_found_out(how, monkeypatch):
    monkeypatch.setattr(kernel_checks, "attend", wrong_attend(how))
    wrong = kernel_checks.fault(LENGTHS, CPU, F32, 16)
    if how == "raises":
        assert wrong == "NotImplementedError: there is no such kernel"
    else:
        assert "not those of plain arithmetic" in wrong


def test_the_next_kernel_is_taken_where_one_fails_and_padding_is_computed_where_all_do(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: AMPERE)
    working = {LENGTHS}
    monkeypatch.setattr(kernel_checks, "fault", lambda kernel, *_: None if kernel in working else "off by one")
    device = torch.device("cuda", 0)
    kernel_checks._first_that_works.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert kernel_checks.kernel_on(device, BF16, 64) is LENGTHS
    said = [record.getMessage() for record in caplog.records]
    assert said == [  # once each
        "flash attention (cuda, torch.bfloat16) is not used on this machine: off by one",
        "memory-efficient attention (cuda, torch.bfloat16) is not used on this machine: off by one",
    ]
    working.clear()
    kernel_checks._first_that_works.cache_clear()
    assert kernel_checks.kernel_on(device, BF16, 64) is None
    kernel_checks._first_that_works.cache_clear()


def model_of(family: str, **config):
    stock_class, our_class = {
        "bert": BERT_HEADS["ForMaskedLM"],
        "gpt2": (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM),
        "marian": (transformers.MarianMTModel, hf_xfmr.XfmrForConditionalGeneration),
    }[family]
    return twin(our_class, tiny_stock(stock_class, **config))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", ["bert", "gpt2", "marian"])
def test_equal_lengths_together_change_no_number(family, side):
    """What GPUs without a kernel for unequal lengths do, on a CPU: logits, loss and gradients of the padded batch."""
    ours = model_of(family)
    lengths = torch.tensor([[4], [7], [4], [1], [4], [0]])
    mask = torch.arange(7) < lengths
    mask = (mask if side == "right" else mask.flip(1)).long()
    ids = torch.randint(1, 96, mask.shape, generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}
    shapes, found = [], []
    ours.base_model.get_submodule("encoder.blocks.0" if family == "marian" else "blocks.0").register_forward_hook(
        lambda _, args, __: shapes.append(args[0].shape[:2])
    )
    for pack in (True, False):
        ours.zero_grad()
        with forced(LENGTHS):
            out = ours(**batch, pack=pack)
        out.loss.backward()
        found += [out.logits[mask == 1], out.loss, {name: p.grad.clone() for name, p in ours.named_parameters()}]
    assert shapes == [(1, 20), (6, 7)]
    same_to_rounding(found[:3], found[3:])


def test_memories_of_other_lengths_and_of_none():
    """Attention to another row, sequence by sequence, one of them to nothing."""
    generator = torch.Generator().manual_seed(0)
    queries, keys = [2, 3, 2, 0, 2, 1], [4, 4, 4, 2, 1, 0]
    q = torch.randn(1, 2, sum(queries), 8, generator=generator)
    k, v = (torch.randn(1, 2, sum(keys), 8, generator=generator) for _ in range(2))
    out = attend(LENGTHS, q, k, v, Spans(queries, keys), False, 0.5, 0.0)
    parts = zip(q.split(queries, 2), k.split(keys, 2), v.split(keys, 2), strict=True)
    plain = [(a @ b.transpose(2, 3) * 0.5).softmax(-1) @ c for a, b, c in parts]
    same_to_rounding(out, torch.cat(plain, dim=2).transpose(1, 2))
    nothing = torch.zeros(1, 2, 0, 8)
    assert attend(FLASH, nothing, nothing, nothing, Spans([0], [0]), True, 0.5, 0.1).shape == (1, 0, 2, 8)


def test_dropout_of_equal_lengths_has_the_mean_of_none():
    """Over seeds, to within five standard errors of the mean."""
    ours = model_of("bert", attention_probs_dropout_prob=0.2)
    mask = (torch.arange(8) < torch.tensor([[8], [3], [8], [5]])).long()
    ids = torch.randint(1, 96, mask.shape, generator=torch.Generator().manual_seed(0))
    x = ours.get_input_embeddings()(ids).detach()
    attention = ours.base_model.blocks[0].attention.train()
    there = packing.Packing(mask)
    row, spans = there.pack(x), there.spans()
    with torch.no_grad(), forced(LENGTHS):
        drawn = []
        for seed in range(400):
            torch.manual_seed(seed)
            drawn.append(attention(row, spans)[0])
        drawn = torch.stack(drawn)
        expected = attention.eval()(row, spans)[0]
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - expected).abs() / error).mean() < 1.0  # 0.8, were all of them normal
    assert ((drawn.mean(0) - expected).abs() < 5 * error).all()
