"""Run a script that was written for stock BERT (RoBERTa, DistilBERT), GPT-2 or Marian on these models instead; no file
is changed.

`adopt()` makes `AutoModel…` and the names in `transformers` (`BertForSequenceClassification`, `GPT2LMHeadModel`,
`MarianMTModel`, …) give our classes for stock configs in this process, and `release()` takes that back. Configs stay
stock's, and so do saved folders. What cannot be served is loaded by stock, with a line saying why.
"""

import functools
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

import transformers
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.models.auto import modeling_auto

from ..hub.dual import kinds
from ..models.stock import CheckpointError
from ..registration import config_classes

logger = logging.getLogger(__name__)

_KINDS = [kind for config_class in config_classes() for kind in kinds(config_class)]
SERVED: dict[str, type] = {
    kind.stock_class: getattr(sys.modules[kind.config_class.__module__], kind.own_class) for kind in _KINDS
}  # stock's name -> our class
_FAMILIES = [kind.stock_class for kind in _KINDS if kind.auto_class == "AutoModel"]  # BertModel and the like

# Arguments of from_pretrained that go by the names of stock's modules, or replace them.
_NOT_SERVED = ("quantization_config", "load_in_8bit", "load_in_4bit", "gguf_file", "tp_plan", "device_mesh")

_undo: list[Callable] = []  # what puts back what stood there, newest last; empty: nothing is adopted
_absent = object()
_loading: ContextVar[bool] = ContextVar("loading", default=False)


class _NotServed(ValueError):
    """Why a model is left to stock."""


class _Adopted:
    """Mixin for an adopted class: ours, for stock's config, that saves what stock saves."""

    stock_class: type[PreTrainedModel]
    our_class: type[PreTrainedModel]
    _auto_class = None  # a saved folder carries no code

    def __new__(cls, config=None, *args, **kwargs):
        reason = _why_not(cls, config)
        if reason and not _loading.get():
            return _left_to_stock(cls.stock_class, reason)(config, *args, **kwargs)
        return super().__new__(cls)

    def __init__(self, config, *args, **kwargs):
        reason = _why_not(type(self), config)
        if reason:
            raise _NotServed(reason)
        super().__init__(config, *args, **kwargs)  # type: ignore[call-arg]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        given = [name for name in _NOT_SERVED if kwargs.get(name)]
        token = _loading.set(True)
        try:
            if given:
                raise _NotServed(f"{given[0]} goes by the names of its modules")
            return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)  # type: ignore[misc]
        except (_NotServed, CheckpointError) as error:
            reason = str(error)
        finally:
            _loading.reset(token)
        return _left_to_stock(cls.stock_class, reason).from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def save_pretrained(self, save_directory, is_main_process: bool = True, *args, push_to_hub=False, **kwargs):
        super().save_pretrained(save_directory, is_main_process, *args, **kwargs)  # type: ignore[misc]
        self.config.architectures = [self._get_name()]  # type: ignore[attr-defined]
        # an adapter alone is no model: beside a config, a loader would look for a whole one
        if is_main_process and not getattr(self, "_hf_peft_config_loaded", False):
            self.config.save_pretrained(save_directory)  # type: ignore[attr-defined]
        if push_to_hub:  # only now: what was saved first names a class that no other machine knows
            hub = {name: kwargs[name] for name in ("commit_message", "token", "private", "create_pr") if name in kwargs}
            self.push_to_hub(kwargs.get("repo_id", Path(save_directory).name), **hub)  # type: ignore[attr-defined]

    def _get_name(self) -> str:  # by which Trainer knows whose labels are shifted
        return self.stock_class.__name__


def _why_not(cls, config) -> str | None:
    """What our class can't do of what a stock config asks for."""
    if config is None:
        return None  # being copied or unpickled
    if getattr(config, "quantization_config", None):
        return "the checkpoint is quantised"
    try:
        cls.our_class.config_class.from_dict(config.to_dict())
    except ValueError as error:
        return " ".join(str(error).split())
    return None


def _left_to_stock(stock_class: type[PreTrainedModel], reason: str) -> type[PreTrainedModel]:
    logger.warning("%s is left to transformers: %s", stock_class.__name__, reason)
    return stock_class


def _adopted(stock_class: type[PreTrainedModel], our_class) -> type:
    # A name of its own, because transformers finds a class's key table by its name: under stock's name the table would
    # be applied to stock's class too, which what is not served needs.
    name = f"Adopted{stock_class.__name__}"
    table = get_checkpoint_conversion_mapping(our_class.config_class.model_type)
    register_checkpoint_conversion_mapping(name, table, overwrite=True)
    attributes = {
        "__doc__": our_class.__doc__,
        "__module__": __name__,
        "stock_class": stock_class,
        "our_class": our_class,
        "config_class": stock_class.config_class,
    }
    cls = type(name, (_Adopted, our_class), attributes)
    globals()[name] = cls  # where pickle looks for it
    return cls


def _put(mapping: dict, key, value) -> None:
    before = mapping.get(key, _absent)
    _undo.append(lambda: mapping.pop(key) if before is _absent else mapping.__setitem__(key, before))
    mapping[key] = value


def _without_counterpart(stock_class: type[PreTrainedModel]) -> list[type[PreTrainedModel]]:
    """Stock's models beside `stock_class` that no class of ours stands for: GPT2DoubleHeadsModel and the like."""
    module = sys.modules[stock_class.__module__]
    classes = [getattr(module, name) for name in module.__all__ if name not in SERVED]
    return [one for one in classes if issubclass(one, PreTrainedModel) and not one.__name__.endswith("PreTrainedModel")]


def _tell_of(stock_class: type[PreTrainedModel]) -> None:
    """Have a class that stays stock's say so when the first model of it is made."""
    init = stock_class.__init__

    @functools.wraps(init)
    def told(self, *args, **kwargs):
        setattr(stock_class, "__init__", init)  # noqa: B010
        _left_to_stock(stock_class, "hf_xfmr has no such head")
        init(self, *args, **kwargs)

    _undo.append(lambda: setattr(stock_class, "__init__", init))
    setattr(stock_class, "__init__", told)  # noqa: B010


def adopt() -> None:
    """Make `AutoModel…` and the names in `transformers` give our classes for stock configs, until `release()`.

    Call it before `from transformers import BertModel` and the like: a name that a module already has stays as it is.
    A second call does nothing.
    """
    if _undo:
        return
    stock_classes = {name: getattr(transformers, name) for name in SERVED}
    for family in _FAMILIES:
        for stock_class in _without_counterpart(stock_classes[family]):
            _tell_of(stock_class)
    for name, our_class in SERVED.items():
        stock_class = stock_classes[name]
        cls = globals().get(f"Adopted{name}") or _adopted(stock_class, our_class)
        for auto_class in vars(modeling_auto).values():
            mapping = getattr(auto_class, "_model_mapping", None)
            if mapping is not None and mapping.get(stock_class.config_class, None) is stock_class:
                _put(mapping._extra_content, stock_class.config_class, cls)
        # transformers puts another module in its own place when its first model is imported
        for module in {id(module): module for module in (transformers, sys.modules["transformers"])}.values():
            _put(vars(module), name, cls)


def release() -> None:
    """Undo `adopt()`: stock's classes stand where they stood. Models made meanwhile stay ours, and can be saved."""
    while _undo:
        _undo.pop()()
