"""What a file, a flag or a keyword says, as its setting takes it."""

import argparse
import difflib
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..plain import is_unicode
from . import yaml_text

NAMES = ("dataset", "model", "output_dir", "text_column", "label_column", "text_pair_column", "tokenizer")


def plain(value: Any, taken: set, key: str) -> Any:
    """A value of YAML as its setting takes it."""
    if isinstance(value, str) and taken & {int, float} and str not in taken:
        for kind in (one for one in (int, float) if one in taken):  # YAML reads 1e-4 as text
            with suppress(ValueError):
                return kind(value)
    elif isinstance(value, float) and value.is_integer() and int in taken and float not in taken:
        return int(value)
    elif isinstance(value, int) and not isinstance(value, bool) and float in taken and int not in taken:
        return float(value)
    elif value is False and str in taken and bool not in taken and key not in NAMES:
        return "no"  # eval_strategy: no, which YAML reads as false
    return _numbers(value) if isinstance(value, dict) else value


def check_texts(values: Any, config: Path | None = None, key: str = "") -> None:
    """Raises `UserError` for a text that no file, column or label can be called."""
    if isinstance(values, dict):
        for name, value in values.items():
            check_texts(value, config, key or str(name))
    elif isinstance(values, list):
        for value in values:
            check_texts(value, config, key)
    elif isinstance(values, str) and config is not None and not is_unicode(values):
        raise UserError(f"{config}: {key} holds half a character (a lone surrogate): mend it")
    elif isinstance(values, str) and "\0" in values:
        raise UserError(f"{config or 'the flags'}: {key} holds a NUL, a character that no name has: take it out")


def _numbers(mapping: dict) -> dict:
    """1e-4 and the like as numbers, inside a mapping too, where no type says so."""
    exponent = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+")
    return {
        key: float(value) if isinstance(value, str) and exponent.fullmatch(value) else value
        for key, value in mapping.items()
    }


def mapping(text: str) -> dict:
    """The value of a flag such as --model_config '{hidden_size: 128, num_hidden_layers: 2}'."""
    try:
        value = yaml_text.read(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"'{text}' is no {{key: value, …}}")
    return _numbers(value)


def mapping_or_name(text: str) -> dict | str:
    """A mapping, or the name of the file that holds it."""
    return mapping(text) if text.lstrip().startswith(("{", "[")) else text


MEANT = {  # what others call it
    **dict.fromkeys(("epochs", "num_epochs", "n_epochs", "train_epochs"), "num_train_epochs"),
    **dict.fromkeys(("lr", "rate"), "learning_rate"),
    **dict.fromkeys(("batch_size", "train_batch_size", "batch", "bs"), "per_device_train_batch_size"),
    **dict.fromkeys(("eval_batch_size",), "per_device_eval_batch_size"),
    **dict.fromkeys(("data", "file", "train_file", "dataset_name", "input"), "dataset"),
    **dict.fromkeys(("model_name", "model_name_or_path", "checkpoint", "base_model"), "model"),
    **dict.fromkeys(("out", "output", "out_dir", "save_dir"), "output_dir"),
    **dict.fromkeys(("label", "target", "labels", "target_column"), "label_column"),
    **dict.fromkeys(("text", "texts", "sentence_column"), "text_column"),
    **dict.fromkeys(("max_len", "max_seq_length", "max_seq_len", "seq_len"), "max_length"),
    **dict.fromkeys(("warmup", "warmup_ratio"), "warmup_steps"),
    **dict.fromkeys(("steps", "num_steps", "iterations"), "max_steps"),
    **dict.fromkeys(("test_size", "test_split"), "test_fraction"),
    **dict.fromkeys(("val_size", "validation_split", "dev_size"), "validation_fraction"),
}


def nearest(key: str, known: Iterable[str], *, listed: str = "--help lists them") -> str:
    """`; did you mean 'model'?`, or where the known ones are listed."""
    known = list(known)
    meant = MEANT.get(str(key).replace("-", "_").casefold())
    near = [meant] if meant in known else difflib.get_close_matches(str(key), known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; {listed}"
