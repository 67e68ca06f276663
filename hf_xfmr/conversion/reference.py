"""Forward passes written from the papers, on tensors as others' files hold them: what a conversion is held beside.

Plain functions of plain operations, and nothing of models/: a fault there must not be on both sides.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Tensors = dict[str, Tensor]


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def gelu_new(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": gelu,
    "gelu_new": gelu_new,
    "relu": torch.relu,
    "tanh": torch.tanh,
}


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor) -> Tensor:
    """Section 3.2 of "Attention Is All You Need": (B, T, E) each, mask (…, T, T) bool, True where it may look."""

    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, T, E / H)

    scores = split(query) @ split(key).transpose(-1, -2) / math.sqrt(query.size(-1) // heads)
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    return (weights @ split(value)).transpose(1, 2).flatten(2)


def gpt2(tensors: Tensors, heads: int, act: str, ids: Tensor) -> Tensor:
    """nanoGPT's names and layout, a matrix [out, in]; what is not there is no bias. ids (B, T) to logits (B, T, V)."""

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, tensors[f"{name}.weight"].float(), _float(tensors.get(f"{name}.bias")))

    def norm(name: str, x: Tensor) -> Tensor:
        weight = tensors[f"{name}.weight"].float()
        return F.layer_norm(x, weight.shape, weight, _float(tensors.get(f"{name}.bias")), 1e-5)

    length = ids.size(1)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    x = tensors["transformer.wte.weight"].float()[ids] + tensors["transformer.wpe.weight"].float()[:length]
    layer = 0
    while f"transformer.h.{layer}.ln_1.weight" in tensors:
        block = f"transformer.h.{layer}"
        query, key, value = linear(f"{block}.attn.c_attn", norm(f"{block}.ln_1", x)).chunk(3, -1)
        x = x + linear(f"{block}.attn.c_proj", attention(query, key, value, heads, causal))
        inner = ACTIVATIONS[act](linear(f"{block}.mlp.c_fc", norm(f"{block}.ln_2", x)))
        x = x + linear(f"{block}.mlp.c_proj", inner)
        layer += 1
    return F.linear(norm("transformer.ln_f", x), tensors["lm_head.weight"].float())


def bert(tensors: Tensors, heads: int, act: str, given: Tensors) -> Tensors:
    """google-research's names and layout, a kernel [in, out]; returns what its heads say of `given`, or without heads
    the encoder's own outputs, as the model classes name them."""

    def dense(name: str, x: Tensor) -> Tensor:
        return x @ tensors[f"{name}/kernel"] + tensors[f"{name}/bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + 1e-12)
        return scaled * tensors[f"{name}/gamma"] + tensors[f"{name}/beta"]

    ids, places = given["input_ids"], "bert/embeddings"
    words = tensors[f"{places}/word_embeddings"]
    x = words[ids] + tensors[f"{places}/token_type_embeddings"][given["token_type_ids"]]
    x = norm(f"{places}/LayerNorm", x + tensors[f"{places}/position_embeddings"][: ids.size(1)])
    mask = given["attention_mask"].bool()[:, None, None]  # (B, 1, 1, T)
    layer = 0
    while f"bert/encoder/layer_{layer}/attention/self/query/kernel" in tensors:
        block = f"bert/encoder/layer_{layer}"
        query, key, value = (dense(f"{block}/attention/self/{name}", x) for name in ("query", "key", "value"))
        mixed = dense(f"{block}/attention/output/dense", attention(query, key, value, heads, mask))
        x = norm(f"{block}/attention/output/LayerNorm", x + mixed)
        inner = ACTIVATIONS[act](dense(f"{block}/intermediate/dense", x))
        x = norm(f"{block}/output/LayerNorm", x + dense(f"{block}/output/dense", inner))
        layer += 1
    pooled = torch.tanh(dense("bert/pooler/dense", x[:, 0]))
    said: Tensors = {}
    if "cls/predictions/output_bias" in tensors:
        hidden = ACTIVATIONS[act](dense("cls/predictions/transform/dense", x))
        hidden = norm("cls/predictions/transform/LayerNorm", hidden)
        said["prediction_logits"] = hidden @ words.T + tensors["cls/predictions/output_bias"]
    if "cls/seq_relationship/output_weights" in tensors:
        weight, bias = tensors["cls/seq_relationship/output_weights"], tensors["cls/seq_relationship/output_bias"]
        said["seq_relationship_logits"] = pooled @ weight.T + bias
    if "output_weights" in tensors:  # run_classifier.py's
        said["logits"] = pooled @ tensors["output_weights"].T + tensors["output_bias"]
    if "cls/squad/output_weights" in tensors:
        both = x @ tensors["cls/squad/output_weights"].T + tensors["cls/squad/output_bias"]
        said["start_logits"], said["end_logits"] = both.unbind(-1)
    return said or {"last_hidden_state": x, "pooler_output": pooled}


def _float(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.float()
