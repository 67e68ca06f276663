"""What the tests measure against: tiny stock twins, attention written as loops in float64, and fresh processes."""

import os
import re
import string
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

import hf_xfmr
from hf_xfmr.models.stock import to_own_names

_BERT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
TINY = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "distilbert": {
        "vocab_size": 99,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 48,
        "max_position_embeddings": 40,
    },
    "gpt2": {
        "vocab_size": 99,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 40,
        "bos_token_id": 97,
        "eos_token_id": 98,
    },
    "marian": {
        "vocab_size": 99,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 40,
        "pad_token_id": 98,
        "eos_token_id": 97,
        "decoder_start_token_id": 98,
        "scale_embedding": True,
    },
}


def tiny_stock(stock_class: type, seed: int = 0, **config) -> transformers.PreTrainedModel:
    """A small stock model in eval mode, with weights far enough from their initial values (std 0.3; norms around 1,
    biases not 0) that a wrong name, norm or bias shows. `config` overrides the tiny sizes; no dropout unless given."""
    config_class = stock_class.config_class
    no_dropout = {name: 0.0 for name in vars(config_class()) if "drop" in name and name != "classifier_dropout"}
    model = stock_class(config_class(**{**no_dropout, **TINY[config_class.model_type], **config}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" in name and not parameter.requires_grad:
                continue  # a table of sines is no weight
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(1 + 0.3 * noise if is_norm else 0.3 * noise)
    return model.eval()


BERT_HEADS = {
    suffix: (getattr(transformers, f"Bert{suffix}"), getattr(hf_xfmr, f"XfmrBert{suffix}"))
    for suffix in (
        "Model",
        "ForPreTraining",
        "ForMaskedLM",
        "ForNextSentencePrediction",
        "ForSequenceClassification",
        "ForTokenClassification",
        "ForQuestionAnswering",
        "ForMultipleChoice",
    )
}  # (stock class, our class)

KIN = {"Roberta": "Roberta", "XLMRoberta": "Roberta", "Camembert": "Roberta", "DistilBert": "DistilBert"}
KIN_SUFFIXES = tuple(suffix for suffix in BERT_HEADS if suffix not in ("ForPreTraining", "ForNextSentencePrediction"))


def kin_classes(family: str, suffix: str) -> tuple[type, type]:
    """(stock class, our class) of one of BERT's kin, as `Roberta`, and a head, as `ForMaskedLM`."""
    return getattr(transformers, family + suffix), getattr(hf_xfmr, f"Xfmr{KIN[family]}{suffix}")


def twin(our_class: type, stock: transformers.PreTrainedModel) -> transformers.PreTrainedModel:
    """Our model with the weights, config, attention backend and mode of a stock one."""
    config = our_class.config_class.from_dict(stock.config.to_dict())
    config._attn_implementation = stock.config._attn_implementation
    ours = our_class.from_pretrained(None, config=config, state_dict=stock.state_dict())
    return ours.train(stock.training)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a saved model, whether in one file or in shards."""
    return {
        name: tensor for file in sorted(Path(folder).glob("*.safetensors")) for name, tensor in load_file(file).items()
    }


def same_tensors(folder_a: Path, folder_b: Path) -> None:
    """Asserts that two saved models have the same tensor names, dtypes, shapes and bits."""
    a, b = tensors(folder_a), tensors(folder_b)
    assert sorted(a) == sorted(b)
    for name in a:
        assert (a[name].dtype, a[name].shape) == (b[name].dtype, b[name].shape), name
        assert torch.equal(a[name].view(torch.uint8), b[name].view(torch.uint8)), name


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> None:
    """Asserts that two models of one class hold the same tensors, bit for bit."""
    a, b = a.state_dict(), b.state_dict()
    assert sorted(a) == sorted(b)
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        assert torch.equal(a[name], b[name]), name


FLOAT32 = torch.finfo(torch.float32).eps  # the rounding of a number of 1
PARITY = 84  # roundings of float32, which are 1e-5: how near to stock's a number is promised to be
REORDERED = 64  # roundings: sums of the same numbers in another order, or by another kernel, through a few layers
HALF = 4  # roundings of bfloat16 and float16, whose sums are held in float32


def largest(tensor: torch.Tensor) -> float:
    """A tensor's largest value; minus infinity, and what stands for it, is a mask's and no value."""
    values = torch.as_tensor(tensor).detach().double().abs()
    values = values[values < torch.finfo(torch.float32).max / 2]
    return float(values.max()) if values.numel() else 0.0


def rounding(expected: torch.Tensor, roundings: float, floor: float = 0.0) -> float:
    """So many roundings of a tensor's type, of its largest value or of `floor`, whichever is larger."""
    return roundings * torch.finfo(expected.dtype).eps * max(largest(expected), floor)


def same_to_rounding(actual, expected, roundings: float | None = None, floor: float = 0.0, what: str = "") -> None:
    """Asserts that two tensors, numbers, or sequences of these are equal but for rounding: nowhere are they farther
    apart than so many roundings of their type (`REORDERED`, or `HALF`), of the largest value expected (or of `floor`,
    if that is larger).

    Not of each value for itself: one that is 0 in truth is a sum of larger ones that cancel. So too in a mapping, the
    gradients of a step by name: the largest of all of them counts. What is expected in float64 is compared in the type
    that was computed in; Python's numbers count as float32. Which order a library sums in, with which instructions,
    depends on the processor, the number of threads and where a tensor lies in memory: bits are promised by none.
    """
    if isinstance(expected, Mapping):
        assert sorted(actual) == sorted(expected), what
        floor = max([floor, *map(largest, expected.values())])
        for name, tensor in expected.items():
            same_to_rounding(actual[name], tensor, roundings, floor, f"{what} {name}".strip())
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected), what
        for place, (one, other) in enumerate(zip(actual, expected, strict=True)):
            same_to_rounding(one, other, roundings, floor, f"{what} {place}".strip())
    else:
        actual, expected = (t if torch.is_tensor(t) else torch.tensor(float(t)) for t in (actual, expected))
        if expected.dtype == torch.float64:
            expected = expected.to(actual.dtype)
        half = expected.dtype in (torch.bfloat16, torch.float16)
        apart = rounding(expected, roundings or (HALF if half else REORDERED), floor)
        torch.testing.assert_close(
            actual, expected, atol=apart, rtol=0, msg=lambda text: f"{what}: {text}".lstrip(": ")
        )


def same_as_stock(ours, stock, what: str = "") -> None:
    """Asserts what is promised beside stock: float32 to 1e-5, of the largest value where that is above 1."""
    same_to_rounding(ours, stock, PARITY, 1.0, what)


def same_gradients(ours: torch.nn.Module, stock: torch.nn.Module) -> None:
    """Asserts that each parameter of ours has the gradient of its namesake in the stock model, as `same_as_stock`."""
    theirs = to_own_names(ours, {name: p.grad for name, p in stock.named_parameters() if p.grad is not None})
    tied = ours.all_tied_weights_keys  # of one parameter with two names stock may give either
    theirs = {tied.get(name, name): gradient for name, gradient in theirs.items()}
    mine = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    assert sorted(mine) == sorted(theirs)
    for name, gradient in mine.items():
        same_as_stock(gradient, theirs[name], name)


def loop_attention(q, k, v, visible) -> torch.Tensor:
    """softmax(q k^T / sqrt(D)) v in float64, one query at a time. q [B, H, T, D], k and v [B, H, S, D],
    visible(b, i, j): whether query i of row b may see key j. Returns [B, T, H, D]; a query that sees nothing gets 0."""
    q, k, v = q.double(), k.double(), v.double()
    out = torch.zeros(q.shape[0], q.shape[2], q.shape[1], q.shape[3], dtype=torch.float64)
    for b in range(q.shape[0]):
        for i in range(q.shape[2]):
            seen = [j for j in range(k.shape[2]) if visible(b, i, j)]
            for h in range(q.shape[1] if seen else 0):
                weights = torch.softmax(k[b, h, seen] @ q[b, h, i] / q.shape[3] ** 0.5, 0)
                out[b, i, h] = weights @ v[b, h, seen]
    return out


def squad_script(gold: list[str], given: str | None) -> tuple[float, float]:
    """Exact match and F1 of one question, as the second script of SQuAD (evaluate-v2.0.py) defines them."""

    def words(text: str) -> list[str]:
        text = re.sub(f"[{re.escape(string.punctuation)}]", "", text.lower())
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    def f1(a: list[str], b: list[str]) -> float:
        if not a or not b:
            return float(a == b)
        left = list(b)
        same = sum(1 for one in a if one in left and (left.remove(one) or True))
        if not same:
            return 0.0
        precision, recall = same / len(b), same / len(a)
        return 2 * precision * recall / (precision + recall)

    there = [words(one) for one in gold if words(one)] or [[]]
    found = words(given or "")
    return max(float(one == found) for one in there), max(f1(one, found) for one in there)


def cmrc_script(gold: list[str], given: str) -> tuple[float, float]:
    """The same as CMRC 2018's script defines it, words between Chinese characters split at white space alone."""
    dropped = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"

    def bare(text: str) -> str:
        return re.sub(f"[{re.escape(dropped)}]", "", text.lower().strip())

    def f1(a: list[str], b: list[str]) -> float:
        spans = {tuple(a[i:j]) for i in range(len(a)) for j in range(i + 1, len(a) + 1)}
        runs = [j - i for i in range(len(b)) for j in range(i + 1, len(b) + 1) if tuple(b[i:j]) in spans]
        if not runs:
            return 0.0
        precision, recall = max(runs) / len(b), max(runs) / len(a)
        return 2 * precision * recall / (precision + recall)

    def segments(text: str) -> list[str]:
        return re.findall("[\u4e00-\u9fa5]|[^\u4e00-\u9fa5\\s]+", bare(text))

    exact = max(float(bare(one) == bare(given)) for one in gold)
    return exact, max(f1(segments(one), segments(given)) for one in gold)


_BLOCKER = """
import sys
class _NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_xfmr":
            raise ModuleNotFoundError("No module named 'hf_xfmr'", name=name)
sys.meta_path.insert(0, _NotInstalled())
"""


def fresh_process(code: str, *, without_package: bool = False, timeout: float = 120) -> str:
    """Runs Python code in a new process, another folder and a new, offline Hugging Face home (so that code which a
    model folder carries is copied anew); returns what it printed. `without_package` makes hf_xfmr impossible to import.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("HF_MODULES_CACHE", None)
        done = subprocess.run(
            [sys.executable, "-c", (_BLOCKER if without_package else "") + code],
            cwd=home,
            stdin=subprocess.DEVNULL,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
