"""A model's folder before anything of it is loaded: files that are files, a config that makes sense, room for it."""

import dataclasses
import functools
import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import transformers

from .. import machine
from ..data.regular import check_regular, fault_of, read_json
from ..errors import UserError
from ..registration import config_classes
from . import kinds, sizes, weight_files

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json")
VOCABULARIES = (*TOKENIZERS[:1], "vocab.txt", "vocab.json", "*.model", "*.spm", "tokenizer_config.json")
WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
ADAPTER = "adapter_config.json"
BYTES = 4  # of a weight in float32


def check_folder(name: str | Path, *, words_only: bool = False, adapters: bool = False) -> None:
    """Raises `UserError` for a local folder that no model can be loaded from; what is not here is the Hub's. One
    that is asked for a tokenizer, `words_only`, need hold no model. An adapter's is none, unless `adapters` are
    meant."""
    folder = Path(name)
    if not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        fault = fault_of(folder, "model")
        raise UserError(f"model: {fault}" if fault else f"model: {folder} is a file; give the folder that it lies in")
    if not adapters:
        check_no_adapter(folder)
    if not words_only or os.path.lexists(folder / "config.json"):
        check_config(folder, read_config(folder))
    for path in (path for pattern in WEIGHTS for path in sorted(folder.glob(pattern))):
        check_regular(path, "file of weights")
        if path.name.endswith(".index.json"):
            weight_files.check_index(path, read_json(path, "index"))
        elif path.suffix == ".safetensors":
            weight_files.check_floating(path)


def check_tokenizer(name: str | Path) -> None:
    """Raises `UserError` for a local folder without a tokenizer, or with one whose files are damaged."""
    folder = Path(name)
    if not os.path.isdir(folder):
        return
    if not any(path for pattern in VOCABULARIES for path in folder.glob(pattern)):
        raise UserError(
            f"model: {folder} holds no tokenizer (tokenizer.json, vocab.txt, …): copy its files there, as from the "
            "checkpoint that it was trained from"
        )
    for file in TOKENIZERS:
        if os.path.lexists(folder / file):
            read_json(folder / file, "tokenizer")


def check_ids(name: str | Path, tokenizer: Any, target: Any = None) -> None:
    """Raises `UserError` for a tokenizer with ids beyond the rows of the embedding in the same local folder."""
    folder = Path(name)
    if not os.path.isdir(folder) or not os.path.isfile(folder / "config.json"):
        return
    config = read_config(folder)
    sides = [(tokenizer, config.get("vocab_size"))]
    if target is not None and target is not tokenizer:
        sides.append((target, config.get("decoder_vocab_size") or config.get("vocab_size")))
    for one, rows in sides:
        largest = max(one.get_vocab().values(), default=0)
        if isinstance(rows, int) and largest >= rows:
            word = one.convert_ids_to_tokens(largest)
            raise UserError(
                f"model: the tokenizer in {folder} has the id {largest:,} ({word!r}) and the embedding only {rows:,} "
                "rows (vocab_size): use the checkpoint's own tokenizer, or enlarge the embedding by "
                "model.resize_token_embeddings(len(tokenizer))"
            )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model folder."""
    path = folder / "config.json"
    if os.path.isdir(folder) and not os.path.lexists(path):
        check_no_adapter(folder)
        raise UserError(f"{folder} holds no config.json: give a folder that a recipe or save_pretrained made")
    try:
        about = path.stat()
    except (OSError, ValueError):
        return read_json(path, "config")  # which says what it is
    return deepcopy(_read_once(path, about.st_ino, about.st_mtime_ns, about.st_size))


@functools.lru_cache(maxsize=16)
def _read_once(path: Path, *_: int) -> dict[str, Any]:
    """A config is asked for with its model, its tokenizer and its ids: it is read anew where the file is another."""
    return read_json(path, "config")


def check_no_adapter(name: str | Path) -> None:
    """Raises `UserError` for an adapter's folder, in whose place transformers would load the base model it names."""
    if os.path.lexists(os.path.join(name, ADAPTER)):
        raise UserError(holds_adapter(name))


def holds_adapter(name: str | Path) -> str:
    """What is said of an adapter."""
    return (
        f"model: {name} holds an adapter ({ADAPTER}), not a model: give the folder of the run that trained it, whose "
        "model has it merged, or merge it with peft: merge_and_unload(), then save_pretrained()"
    )


def check_config(folder: Path, config: dict[str, Any]) -> None:
    """Raises `UserError` for a config of which no model can be made, or none that the memory has room for."""
    path = folder / "config.json"
    kind = config.get("model_type")
    if kinds.is_gpt1(config):
        raise UserError(f"{path} {kinds.GPT1}")
    if not isinstance(kind, str):
        meant = kinds.meant(config)
        if meant is None:
            raise UserError(
                f'{path} has no model_type: add "model_type": "bert" ("roberta", "distilbert", "gpt2", "marian"), '
                "whichever the checkpoint is of"
            )
        raise UserError(
            f'{path} has no model_type, and is of a {meant} by what it holds: add "model_type": "{meant}" there, or '
            f"run hf_xfmr convert {folder} NEW_FOLDER, which writes it with the rest"
        )
    if kind not in transformers.CONFIG_MAPPING and not any(one.reads(kind) for one in config_classes()):
        code = ", and code that comes with a checkpoint (auto_map) is not run" if "auto_map" in config else ""
        raise UserError(
            f"{path} is of the model_type {kind!r}, which neither hf_xfmr nor transformers {transformers.__version__} "
            f"knows{code}: give a BERT, RoBERTa, DistilBERT, GPT-2 or Marian"
        )
    read = {name: config[name] for name in sorted(config.keys() & _fields(kind).keys())}
    for name in (name for name in sizes.ALL if name in read):
        value = read[name]
        if value == 0 == _fields(kind)[name] and value is not False:  # as the segments of a DeBERTa, which has none
            continue
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise UserError(f"{path}: {name} is {json.dumps(value)[:40]}; it must be a whole number above 0: mend it")
    for name, value in read.items():
        if "drop" not in name or value is None or isinstance(value, bool):
            continue
        if not isinstance(value, int | float) or not 0 <= value < 1:
            raise UserError(
                f"{path}: {name} is {json.dumps(value)[:40]}; it must be a share, at least 0 and under 1: mend it"
            )
    named = config.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(one, str) for one in named)):
        raise UserError(f"{path}: architectures is {json.dumps(named)[:40]}; it must be a list of names: mend it")
    labels = config.get("id2label")
    if labels is not None and not (isinstance(labels, dict) and all(str(one).isdecimal() for one in labels)):
        raise UserError(f"{path}: id2label is {json.dumps(labels)[:40]}; it must give a name to each number: mend it")
    count = config.get("num_labels")
    if count is not None and (not isinstance(count, int) or count < 1 or (labels and count != len(labels))):
        raise UserError(
            f"{path}: num_labels is {json.dumps(count)[:40]}; it must count the labels of id2label: mend it"
        )
    if labels is not None:
        _check_labels(path, labels)
    window = config.get("text_window")
    if window and not (isinstance(window, dict) and isinstance(window.get("max_length"), int)):
        raise UserError(f"{path}: text_window is {json.dumps(window)[:40]}; its max_length must be a number: mend it")
    if config.get("return_dict", True) is not True:
        raise UserError(f"{path}: return_dict is {json.dumps(config['return_dict'])[:40]}; take it out of the config")
    for width, heads in sizes.uneven(read):
        raise UserError(
            f"{path}: {width} {config[width]} is no multiple of {heads} {config[heads]}, which share it: mend it"
        )
    _check_memory(path, config)


@functools.cache
def _fields(kind: str) -> dict[str, Any]:
    """What a config of this model_type is read for, by either name, each with its default: another field, though it
    may be another architecture's, says nothing of it."""
    known = next((one for one in config_classes() if one.reads(kind)), None)
    if known is None:
        known = transformers.CONFIG_MAPPING[kind]
    fields = {field.name: field.default for field in dataclasses.fields(known)}
    return fields | {other: fields.get(name) for other, name in known.attribute_map.items()}


def _check_labels(path: Path, labels: dict[str, Any]) -> None:
    names = [str(name) for name in labels.values()]
    if sorted(map(int, labels)) != list(range(len(labels))) or not labels:
        raise UserError(f"{path}: id2label numbers its labels {', '.join(labels)[:40]}; count them from 0: mend it")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{path}: id2label names {twice!r} twice; give each number a name of its own: mend it")
    if odd := [one for one in labels.values() if not isinstance(one, str | int | float)]:
        raise UserError(f"{path}: id2label names a label {json.dumps(odd[0])[:40]}; it must be a text: mend it")


def _check_memory(path: Path, config: dict[str, Any]) -> None:
    weights, room = sizes.parameters(config), machine.free_memory()
    if BYTES * weights > room:
        named = (*sizes.WIDTHS, *sizes.LAYERS, *sizes.ROWS[:2])
        told = ", ".join(f"{name} {config[name]:,}" for name in named if config.get(name))
        raise UserError(
            f"{path} is of a model with {weights:.1e} weights ({told}), {BYTES * weights / 2**30:,.0f} GiB, and "
            f"{room / 2**30:,.1f} GiB of memory are free: mend the config, or take a machine with more"
        )
