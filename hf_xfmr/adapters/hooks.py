"""Where PEFT and transformers ask for modules, tensors and configs of adapters: there stock's names are made ours.

PEFT has no registry for any of the three, so its functions are wrapped, for models of ours alone.
"""

import functools
import logging
import sys
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import peft
from peft import PeftModel
from peft.config import PeftConfigMixin
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.lora import LoraModel
from peft.tuners.tuners_utils import BaseTuner
from peft.utils import constants, hotswap, save_and_load
from peft.utils.error import NoMatchingPeftModuleError
from transformers.integrations.peft import PeftAdapterMixin

from ..models.packing import rows_as_given
from ..registration import config_classes
from . import conversion, words
from .fused import Untranslatable
from .names import Names
from .shared import beginning_plain, share_inputs
from .targets import in_our_words

logger = logging.getLogger(__name__)
_apart: ContextVar[bool] = ContextVar("apart", default=False)  # whether each part of a fused matrix has an A of its own


def install() -> None:
    """Wrap PEFT's functions; once."""
    if hasattr(BaseTuner.inject_adapter, "__wrapped__"):
        return
    _enter_defaults()
    _wrap(BaseTuner, "inject_adapter", _inject)
    for cls in {cls for tuner in PEFT_TYPE_TO_TUNER_MAPPING.values() for cls in tuner.__mro__}:
        for name in {"_pre_injection_hook", "_post_injection_hook"} & vars(cls).keys():
            _wrap(cls, name, _beside_injection)
    _wrap(LoraModel, "add_weighted_adapter", _weighted)
    _wrap(PeftModel, "_enable_peft_forward_hooks", _while_forward)
    _wrap(PeftConfigMixin, "save_pretrained", _save_config)
    _wrap(PeftAdapterMixin, "load_adapter", _load_adapter)
    for module, name, wrapper in (
        (save_and_load, "get_peft_model_state_dict", _get),
        (save_and_load, "set_peft_model_state_dict", _set),
        (hotswap, "hotswap_adapter_from_state_dict", _hotswap),
    ):
        before = getattr(module, name)
        after = functools.wraps(before)(functools.partial(wrapper, before))
        for holder in list(sys.modules.values()):  # whoever has it by name already
            if getattr(holder, "__dict__", {}).get(name) is before:
                setattr(holder, name, after)


def _wrap(cls: type, name: str, wrapper: Any) -> None:
    before = getattr(cls, name)

    @functools.wraps(before)
    def after(*args, **kwargs):
        return wrapper(before, *args, **kwargs)

    setattr(cls, name, after)


def _enter_defaults() -> None:
    """What PEFT targets where a config says nothing: for each architecture what it targets of stock's."""
    for config_class in config_classes():
        for table in vars(constants).values():
            if isinstance(table, dict) and config_class.stock_model_type in table:
                table.setdefault(config_class.model_type, table[config_class.stock_model_type])
    ours = "xfmr"  # PEFT knows no Marian: what it targets of BART, whose names these are
    for table in vars(constants).values():
        if isinstance(table, dict) and "bart" in table:
            table.setdefault(ours, table["bart"])


def _inject(before, self, model, adapter_name, *args, **kwargs):
    names = Names(model)
    if not names.places:
        return before(self, model, adapter_name, *args, **kwargs)
    config = self.peft_config[adapter_name]
    if kwargs.get("state_dict"):
        kwargs["state_dict"] = conversion.to_own(names, config, kwargs["state_dict"])
    with in_our_words(self, config, names) as found, beginning_plain(config) as way:
        try:
            result = before(self, model, adapter_name, *args, **kwargs)
        except NoMatchingPeftModuleError as error:
            raise NoMatchingPeftModuleError(f"{error} {_what_there_is(names)}") from None
    if not _apart.get():
        share_inputs(model, names, config, adapter_name, found, way)
    return result


def _beside_injection(before, self, model, config, adapter_name):
    """Several methods measure what they will target."""
    names = Names(model)
    if not names.places:
        return before(self, model, config, adapter_name)
    with in_our_words(self, config, names):
        return before(self, model, config, adapter_name)


@contextmanager
def _while_forward(before, self, *args, **kwargs):
    """Where each row of a batch has an adapter of its own, rows have to stay rows."""
    by_row = kwargs.get("adapter_names") or kwargs.get("alora_offsets") or self.peft_type == "XLORA"
    with rows_as_given() if by_row else nullcontext(), before(self, *args, **kwargs):
        yield


def _what_there_is(names: Names) -> str:
    ends = {place.stock.rpartition(".")[2]: place.own.rpartition(".")[2] for place in names.places.values()}
    pairs = ", ".join(stock if stock == own else f"{stock} ({own})" for stock, own in ends.items())
    return f"{type(names.model).__name__} has, by stock's names and ours: {pairs}."


def _weighted(before, self, *args, **kwargs):
    """A combination that is no sum of the three matrices, as of singular vectors, needs three inputs."""
    token = _apart.set(True)
    try:
        return before(self, *args, **kwargs)
    finally:
        _apart.reset(token)


def _base(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _get(before, model, state_dict=None, adapter_name="default", **kwargs):
    state = before(model, state_dict, adapter_name, **kwargs)
    config, base = model.peft_config[adapter_name], _base(getattr(model, "_orig_mod", model))
    names = Names(base)
    if not names.places or config.is_prompt_learning:
        return state
    words.forget(config)
    try:
        stock, ranks = conversion.to_stock(names, config, adapter_name, state)
    except Untranslatable as error:
        logger.warning("adapter %s is kept under hf_xfmr's names, which stock can't load: %s", adapter_name, error)
        return state
    words.remember(PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type], config, names, ranks)
    return stock


def _set(before, model, peft_model_state_dict, adapter_name="default", **kwargs):
    state = _own(_base(model), model.peft_config[adapter_name], peft_model_state_dict)
    return before(model, state, adapter_name, **kwargs)


def _hotswap(before, model, state_dict, adapter_name, config, *args, **kwargs):
    return before(model, _own(_base(model), config, state_dict), adapter_name, config, *args, **kwargs)


def _own(model: Any, config: Any, state: dict) -> dict:
    names = Names(model)
    if not names.places or config.is_prompt_learning:
        return state
    try:
        return conversion.to_own(names, config, state)
    except Untranslatable as error:
        raise ValueError(
            f"this adapter can't be loaded into {type(model).__name__}: {error}. Merge it into stock's model "
            "(merge_and_unload), save that, and load it here"
        ) from None


def _save_config(before, self, *args, **kwargs):
    return before(words.in_stocks_words(self), *args, **kwargs)


def _load_adapter(before, self, peft_model_id=None, adapter_name=None, peft_config=None, adapter_state_dict=None, **kw):
    """transformers renames a file's tensors by its own tables, which know nothing of adapters' parts."""
    names = Names(self)
    if names.places and peft_model_id is None and "load_config" in kw:
        peft_model_id = kw["load_config"].pretrained_model_name_or_path
    if names.places and adapter_state_dict is None and peft_model_id is not None:
        hub = _hub_options(kw)
        peft_config = peft_config or peft.PeftConfig.from_pretrained(peft_model_id, **hub)
        adapter_state_dict = peft.load_peft_weights(peft_model_id, device="cpu", **hub)
    if names.places and adapter_state_dict is not None:
        adapter_state_dict = _own(self, peft_config, adapter_state_dict)
    return before(self, peft_model_id, adapter_name, peft_config, adapter_state_dict, **kw)


def _hub_options(kwargs: dict) -> dict:
    given = {**getattr(kwargs.get("load_config"), "download_kwargs", {}), **(kwargs.get("adapter_kwargs") or {})}
    return {name: given[name] for name in ("revision", "subfolder", "cache_dir", "token") if given.get(name)}
