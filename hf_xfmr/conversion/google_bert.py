"""A TensorFlow checkpoint of google-research's BERT: its own file format, its names, and kernels [in, out]."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import BertTokenizer

from ..data.regular import read_json, read_small
from ..errors import UserError
from . import bundle, reference
from .foreign import Foreign, Outputs, nothing

CONFIG = "bert_config.json"
INDEX = ".index"
LEFT = re.compile(r"(^|/)(adam_[mv](_\d+)?|global_step|good_steps|bad_steps|loss_scale|.*_power)$")  # the optimizer's
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size")
NAMES = {  # google-research's parts of a name, and stock's
    "/": ".",
    "layer_": "layer.",
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
    "_embeddings": "_embeddings.weight",
    ".kernel": ".weight",
    "cls.predictions.output_bias": "cls.predictions.bias",
    "cls.seq_relationship.output_": "cls.seq_relationship.",
    "cls.squad.output_": "qa_outputs.",
    "^output_": "classifier.",
    "weights$": "weight",
}
HEADS = {  # what tells the class: heads of run_pretraining.py, run_classifier.py and run_squad.py
    "cls/seq_relationship/output_weights": "BertForPreTraining",
    "output_weights": "BertForSequenceClassification",
    "cls/squad/output_weights": "BertForQuestionAnswering",
    "cls/predictions/output_bias": "BertForMaskedLM",
}
SIDE = "a forward pass written from google-research's published layout"


def prefix_of(source: Path) -> Path | None:
    """A checkpoint's path without `.index`, of that path itself, of one of its files, or of a folder that holds one;
    None: there is none. Raises `UserError` for a folder with several."""
    if source.is_dir():
        found = sorted(source.glob(f"*{INDEX}"))
        if len(found) > 1:
            raise UserError(f"{source} holds {len(found)} checkpoints: give one, as {found[-1].with_suffix('')}")
        return found[0].with_suffix("") if found else None
    bare = source.with_name(re.sub(rf"({re.escape(INDEX)}|\.meta|\.data-\d+-of-\d+)$", "", source.name))
    return bare if bare.with_name(bare.name + INDEX).is_file() else None


def read(prefix: Path, *, activation: str | None = None) -> Foreign:
    """Raises `UserError` for files that are missing or damaged, and tensors that are no BERT's of that config."""
    config = _config(prefix.with_name(CONFIG))
    tensors = _tensors(bundle.read(prefix))
    _check(prefix, config, tensors)
    architecture = next((one for name, one in HEADS.items() if name in tensors), "BertModel")
    act = activation or config.get("hidden_act", "gelu")
    what = f"{prefix}: a {architecture} of google-research's, {config['num_hidden_layers']} layers of"
    notes = [f"{what} {config['hidden_size']}"]
    if activation is None and act == "gelu":
        notes.append(
            "activation: gelu by the error function, as BERT was released and as its ports have it; google-research's "
            "own code computes it by tanh since February 2019: --activation gelu_new"
        )
    words, said = _vocabulary(prefix, config["vocab_size"])
    written = config | {"model_type": "bert", "architectures": [architecture], "hidden_act": act}
    written["layer_norm_eps"] = 1e-12
    if architecture == "BertForSequenceClassification":
        written["id2label"] = {str(i): f"LABEL_{i}" for i in range(len(tensors["output_weights"]))}
    sides: dict[str, Outputs] = {}
    if act in reference.ACTIVATIONS:
        sides[SIDE] = partial(_reference, tensors, config["num_attention_heads"], act, architecture)
    return Foreign(written, _stock(tensors, architecture), sides, words, [*notes, said])


def _config(file: Path) -> dict[str, Any]:
    config = read_json(file, "config of BERT's")
    for name in SIZES:
        value = config.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{file}: {name} is {str(value)[:40]}; it must be a whole number above 0: mend it")
    if config["hidden_size"] % config["num_attention_heads"]:
        raise UserError(f"{file}: hidden_size is no multiple of num_attention_heads, which share it: mend it")
    return config


def _tensors(held: dict[str, np.ndarray]) -> dict[str, Tensor]:
    kept = {name: one for name, one in held.items() if not LEFT.search(name) and one.dtype.kind == "f" and one.size}
    return {name: torch.from_numpy(np.array(one, np.float32)) for name, one in kept.items()}


def _stock(tensors: dict[str, Tensor], architecture: str) -> dict[str, Tensor]:
    found = {}
    for name, one in tensors.items():
        stock = name
        for theirs, ours in NAMES.items():
            stock = re.sub(theirs.replace(".", r"\."), ours, stock)
        stock = stock.removeprefix("bert.") if architecture == "BertModel" else stock
        found[stock] = (one.t() if name.endswith("/kernel") else one).contiguous().clone()
    return found


def _check(prefix: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Raises `UserError` for a tensor that is not there, too many, or of another shape than the config says."""
    known = set()
    for name, shape in _shapes(config, tensors):
        known.add(name)
        if name not in tensors:
            raise UserError(f"{prefix} lacks {name}, which {CONFIG} asks for: it is of another model, or incomplete")
        if tuple(tensors[name].shape) != shape:
            raise UserError(
                f"{prefix}: {name} is {list(tensors[name].shape)}, and {list(shape)} by {CONFIG}: one of the two is of "
                "another model"
            )
    if strange := sorted(tensors.keys() - known):
        raise UserError(f"{prefix} holds {strange[0]}, which no class here takes: it is of another model")


def _shapes(config: dict[str, Any], tensors: dict[str, Tensor]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a BERT has by its config, with the heads that there are. One by one: sizes that are wrong may be huge."""
    width, inner, words = config["hidden_size"], config["intermediate_size"], config["vocab_size"]

    def dense(name: str, *sizes: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}/kernel", sizes
        yield f"{name}/bias", sizes[1:]

    def norm(name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}/LayerNorm/gamma", (width,)
        yield f"{name}/LayerNorm/beta", (width,)

    yield "bert/embeddings/word_embeddings", (words, width)
    yield "bert/embeddings/position_embeddings", (config.get("max_position_embeddings", 512), width)
    yield "bert/embeddings/token_type_embeddings", (config.get("type_vocab_size", 2), width)
    yield from norm("bert/embeddings")
    for layer in range(config["num_hidden_layers"]):
        block = f"bert/encoder/layer_{layer}"
        for name in ("query", "key", "value"):
            yield from dense(f"{block}/attention/self/{name}", width, width)
        yield from dense(f"{block}/attention/output/dense", width, width)
        yield from norm(f"{block}/attention/output")
        yield from dense(f"{block}/intermediate/dense", width, inner)
        yield from dense(f"{block}/output/dense", inner, width)
        yield from norm(f"{block}/output")
    yield from dense("bert/pooler/dense", width, width)
    if "cls/predictions/output_bias" in tensors:
        yield from dense("cls/predictions/transform/dense", width, width)
        yield from norm("cls/predictions/transform")
        yield "cls/predictions/output_bias", (words,)
    for head in ("", "cls/seq_relationship/", "cls/squad/"):
        if (weight := tensors.get(f"{head}output_weights")) is not None:
            labels = 2 if head or not weight.dim() else len(weight)
            yield f"{head}output_weights", (labels, width)
            yield f"{head}output_bias", (labels,)


def _vocabulary(prefix: Path, rows: int) -> tuple[Any, str]:
    """vocab.txt as a tokenizer; google-research tells by a folder's name whether it lowers letters. Raises `UserError`
    for one of another model."""
    file = prefix.with_name("vocab.txt")
    if not file.is_file():
        return nothing, "tokenizer: no vocab.txt lies beside the checkpoint, and none is written: copy it in"
    told = set(read_small(file, "vocabulary").splitlines())
    if lacking := next((one for one in SPECIAL if one not in told), None):
        raise UserError(f"{file} has no line {lacking}: it is no vocabulary of BERT's; copy it again")
    name = prefix.absolute().parent.name.lower()
    lower = "cased" not in name or "uncased" in name
    made = BertTokenizer(vocab=str(file), do_lower_case=lower, model_max_length=512)
    if (largest := max(made.get_vocab().values())) >= rows:
        raise UserError(f"{file} has {largest + 1:,} words, and the checkpoint {rows:,} rows: it is of another model")
    how = "letters lowered" if lower else "letters as they are, by the folder's name"
    return made.save_pretrained, f"tokenizer: {len(made):,} words of vocab.txt, {how}"


def _reference(
    tensors: dict[str, Tensor], heads: int, act: str, architecture: str, given: dict[str, Tensor]
) -> dict[str, Tensor]:
    said = reference.bert(tensors, heads, act, given)
    if architecture == "BertForPreTraining":
        return said
    if architecture == "BertForMaskedLM":
        return {"logits": said["prediction_logits"]}
    if architecture == "BertForQuestionAnswering":
        return {name: said[name] for name in ("start_logits", "end_logits")}
    return {"logits": said["logits"]} if "logits" in said else said
