"""What answers with a model takes an adapter's folder too: the base model that it names, with the adapter merged in."""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from safetensors import safe_open
from transformers import AutoConfig

from ..data.regular import read_json
from ..errors import UserError
from ..hub.folder import ADAPTER, VOCABULARIES
from ..plain import one_line, some
from ..registration import config_classes
from . import loading, lora

_AUTO = {  # of adapters without a config beside them, as PEFT saves them
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
}


def find(name: str) -> Path | None:
    """The folder with the files of an adapter: `name` itself, the one in a run's folder that holds no model, or what
    was downloaded of a repository; None where `name` is no adapter's."""
    folder = Path(name)
    if os.path.isdir(folder):
        if os.path.lexists(folder / ADAPTER):
            return folder
        alone = folder / lora.FOLDER
        return alone if not os.path.lexists(folder / "config.json") and os.path.lexists(alone / ADAPTER) else None
    return _downloaded(name) if name and loading.is_adapter_on_hub(name) else None


@lru_cache(maxsize=16)
def _downloaded(name: str) -> Path:
    try:
        return Path(snapshot_download(name, ignore_patterns=["checkpoint-*", "*.pt", "*.pth"]))
    except Exception as error:  # each kind of an absence has its own
        raise UserError(f"model: the adapter {name} can't be had from the Hub: {one_line(error)}") from error


def from_pretrained(auto_class: Any, name: str, **kwargs: Any) -> Any:
    """As `loading.from_pretrained`, of a tokenizer or config that lies with an adapter, or else with its base model."""
    folder = find(name)
    if folder is None:
        return loading.from_pretrained(auto_class, name, **kwargs)
    if "Config" in auto_class.__name__:
        return _config(name, folder)
    own = any(path for pattern in VOCABULARIES for path in folder.glob(pattern))
    if own:
        return loading.from_pretrained(auto_class, str(folder), adapters=True, **kwargs)
    return _of_base(name, folder, lambda base: loading.from_pretrained(auto_class, base, **kwargs))


def to_use(auto_class: Any, name: str, **kwargs: Any) -> Any:
    """As `loading.to_use`, of an adapter too. Raises `UserError` where its base model can't be had, is another than it
    was trained on, or has not all that the adapter does not bring."""
    folder = find(name)
    if folder is None:
        return loading.to_use(auto_class, name, **kwargs)
    try:
        import peft
    except ImportError:
        raise UserError(f"model: {name} is an adapter, which {lora.NEEDS_PEFT}") from None
    base = _base_name(name, folder)
    kwargs = {"config": _config(name, folder), **kwargs}
    model, info = _of_base(name, folder, lambda base: loading.with_info(auto_class, base, **kwargs))
    try:
        with lora.without_warnings():
            around: Any = peft.PeftModel(model, peft.PeftConfig.from_pretrained(str(folder)))
            found = peft.set_peft_model_state_dict(around, peft.load_peft_weights(str(folder), device="cpu"))
    except Exception as error:  # each kind of damage has its own
        raise UserError(f"model: the adapter {name} can't be loaded on {base}: {one_line(error)}") from error
    _check_updates(name, base, found)
    _check_base(name, base, folder, around, info)
    if (folder / "generation_config.json").exists():
        model.generation_config = type(model.generation_config).from_pretrained(folder)
    return around.merge_and_unload().eval()


def _check_updates(name: str, base: str, found: Any) -> None:
    """Raises `UserError` for updates that are missing, or that nothing in the model takes. Of a head that the model has
    not, as of next sentences where words are filled in, no use is made."""
    lost = sorted(key for key in found.missing_keys if "lora_" in key or ".modules_to_save." in key)
    over = sorted(key for key in found.unexpected_keys if "lora_" in key)
    if lost or over:
        odd = f"lacks {some(lost, 3)}" if lost else f"holds {some(over, 3)}, which nothing in {base} takes"
        raise UserError(f"model: the adapter {name} {odd}: copy it again, or give the base model it was trained on")


def _check_base(name: str, base: str, folder: Path, around: Any, info: dict) -> None:
    """Raises `UserError` for tensors that neither base nor adapter has, so that they are random."""
    model = lora.within(around)
    brought = {path for path, module in model.named_modules() if hasattr(module, "modules_to_save")}
    needed = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    needed -= set(getattr(model, "all_tied_weights_keys", {})) | set(_left_at_0(model, needed))
    if random := sorted(key for key in needed if key.rpartition(".")[0] not in brought):
        raise UserError(
            f"model: {base} lacks {some(random, 3)}, and so does the adapter {name}: give the base model that it was "
            f"trained on, as base_model_name_or_path in {folder / ADAPTER}"
        )


def _left_at_0(model: Any, names: set[str]) -> list[str]:
    """Parameters that began anew, at 0, and were not trained: see `lora.adapt`."""
    return [name for name, value in model.named_parameters() if name in names and not value.any()]


def _of_base(name: str, folder: Path, load: Any) -> Any:
    base = _base_name(name, folder)
    try:
        return load(base)
    except (UserError, OSError) as error:
        reason = one_line(error).removeprefix("model: ")
        raise UserError(
            f"model: {name} is an adapter of the model {base}, which can't be had ({reason}): "
            f"put it there, or write where it is as base_model_name_or_path into {folder / ADAPTER}"
        ) from error


def _base_name(name: str, folder: Path) -> str:
    base = _fields(folder).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UserError(
            f"model: the adapter {name} names no base model: write its folder or its name on the Hub as "
            f"base_model_name_or_path into {folder / ADAPTER}"
        )
    return base


def _fields(folder: Path) -> dict[str, Any]:
    return read_json(folder / ADAPTER, "adapter's config")


def _config(name: str, folder: Path) -> Any:
    """The config of the model that base and adapter make: the one beside the adapter, or else of its base model with
    the class and the number of labels that follow from the adapter."""
    if os.path.lexists(folder / "config.json"):
        own = _own_class(name, read_json(folder / "config.json", "config").get("model_type"))
        return loading.from_pretrained(own, str(folder), adapters=True)
    kind = _of_base(name, folder, lambda base: loading.from_pretrained(AutoConfig, base)).model_type
    own = _own_class(name, kind)
    config = loading.from_pretrained(own, _base_name(name, folder))
    path = own.auto_classes.get(_AUTO.get(str(_fields(folder).get("task_type")), ""))
    if path:
        config.architectures = [path.split(".")[-1]]
    if labels := _count_labels(folder):
        config.num_labels = labels
    return config


def _own_class(name: str, kind: Any) -> Any:
    for one in config_classes():
        if one.reads(kind):
            return one
    raise UserError(
        f"model: {name} is an adapter of a {kind!r}; give one of a BERT, RoBERTa, DistilBERT, GPT-2 or Marian"
    )


def _count_labels(folder: Path) -> int | None:
    for file in folder.glob("adapter_model.safetensors"):
        with safe_open(file, "pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118  no mapping
                if re.search(r"(^|\.)classifier(\.out_proj)?\.weight$", key):
                    return tensors.get_slice(key).get_shape()[0]
    return None
