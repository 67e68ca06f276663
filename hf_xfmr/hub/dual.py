"""The dual repository: stock `model_type`, class and tensor names, and our model files beside them.

Plain `AutoModel…` reads it as a stock checkpoint, `trust_remote_code=True` runs the files it carries, and
`Xfmr….from_pretrained` our installed classes.
"""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import transformers
from transformers.dynamic_module_utils import get_relative_import_files

from ..errors import UserError
from ..registration import config_classes
from . import folder as check

_MODEL = ("generation_config.json", "*.safetensors", "*.safetensors.index.json")
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.txt", "vocab.json", "merges.txt", "*.spm", "*.model", "target_tokenizer/*", "target_vocab.json"),
)
_RECORD = ("README.md", "report.html", "report.json", "images/*.png")
_PUSHED = (*_MODEL, *TOKENIZER, *_RECORD)


@dataclass(frozen=True)
class Kind:
    """What a model folder holds: its config class, and one model class under its three names."""

    config_class: Any  # one of registration.py's
    stock_model_type: str  # bert
    auto_class: str  # AutoModelForSequenceClassification
    own_class: str  # XfmrBertForSequenceClassification
    stock_class: str  # BertForSequenceClassification


def kind(folder: Path) -> Kind:
    """Raises `UserError` if `folder` holds no config, or one of a model that is not ours."""
    config = read_config(folder)
    architecture = (config.get("architectures") or [None])[0]
    for config_class in config_classes():
        if config_class.reads(config.get("model_type")):
            # Of a name that stock has for the same architecture, first those of the checkpoint's own.
            named = config.get("stock_model_type", config["model_type"])
            for one in sorted(kinds(config_class), key=lambda one: one.stock_model_type != named):
                if architecture in (one.own_class, one.stock_class):
                    return one
    raise UserError(
        f"{folder}/config.json is of a {config.get('model_type')!r} model, class {architecture!r}: what can be pushed "
        "or exported is a BERT, RoBERTa, DistilBERT, GPT-2 or Transformer that hf_xfmr saved"
    )


def kinds(config_class: Any) -> list[Kind]:
    """Our model classes of an architecture, each with its stock counterpart, under each name that stock has for it."""
    found = []
    for stock_model_type in (config_class.stock_model_type, *config_class.stock_kinds):
        stock_config = transformers.CONFIG_MAPPING[stock_model_type]
        for auto_class, path in config_class.auto_classes.items():
            if auto_class != "AutoConfig":
                stock = getattr(transformers, auto_class)._model_mapping[stock_config]
                own = path.split(".")[-1]
                found.append(Kind(config_class, stock_model_type, auto_class, own, stock.__name__))
    return found


def read_config(folder: Path) -> dict:
    """config.json of a model folder. Raises `UserError` for one that no model can be made of."""
    config = check.read_config(folder)
    check.check_config(folder, config)
    return config


def stage(folder: Path, into: Path) -> list[str]:
    """Lay out in `into` what a push of `folder` uploads; files are linked where they can be, else copied.

    Returns what stays behind, as names in `folder`. Raises `UserError` as `kind`, and if there are no tensors.
    """
    what, config = kind(folder), read_config(folder)
    config |= {"model_type": what.stock_model_type, "architectures": [what.stock_class]}
    config.pop("stock_model_type", None)
    config["auto_map"] = dict(what.config_class.auto_classes)
    into.mkdir(parents=True, exist_ok=True)
    (into / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    code = model_files(what.config_class)
    for file in code:
        shutil.copyfile(file, into / file.name)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    pushed = [name for name in files if any(fnmatch(name, pattern) and _depth(name, pattern) for pattern in _PUSHED)]
    if not any(name.endswith(".safetensors") for name in pushed):
        raise UserError(f"{folder} holds no *.safetensors: give a folder that a recipe or save_pretrained made")
    for name in pushed:
        link(folder / name, into / name)
    behind = set(files) - set(pushed) - {"config.json"} - {file.name for file in code}
    return sorted({name.split("/")[0] + "/" * ("/" in name) for name in behind})


def _depth(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/")  # fnmatch's * matches a slash too


def model_files(config_class: type) -> list[Path]:
    """The model's source and the siblings it imports: all that `trust_remote_code=True` needs."""
    main = Path(str(sys.modules[config_class.__module__].__file__))
    return [main, *sorted({Path(file) for file in get_relative_import_files(main)})]


def link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
