"""Our classes in transformers' Auto classes and pipelines, entered when those are first imported.

`import transformers` is quick because it imports nothing before it is asked for. Entering our classes at once would
have `import hf_xfmr` import torch and all that models need; here that waits until somebody uses them.
"""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from functools import partial
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

# what is asked for by name: a config by its model type, the models by that config
CONFIGS = {
    "xfmr_bert": ("hf_xfmr.models.bert", "XfmrBertConfig"),
    "xfmr_gpt2": ("hf_xfmr.models.gpt2", "XfmrGPT2Config"),
    "xfmr": ("hf_xfmr.models.transformer", "XfmrConfig"),
}


def config_classes() -> list[Any]:
    """The config class of each architecture."""
    return [getattr(importlib.import_module(path), name) for path, name in CONFIGS.values()]


def register() -> None:
    """Have our configs, models, pipeline and names known as soon as there is anything to know them."""
    after_import("transformers.models.auto.configuration_auto", _enter_configs)
    for model_type, (path, _) in CONFIGS.items():
        after_import(path, partial(_enter_models, model_type))
    after_import("transformers.pipelines", lambda _: importlib.import_module("hf_xfmr.tasks.translation.pipeline"))
    after_import("peft", _enter_names)


def _enter_names(peft: ModuleType) -> None:
    """Have PEFT take stock's names for our models. Another version of it, with other inner parts, goes on without."""
    try:
        importlib.import_module("hf_xfmr.adapters.hooks").install()
    except (ImportError, AttributeError) as error:
        logging.getLogger(__name__).warning(
            "peft %s is not the version that hf_xfmr knows (%s): name our models' own modules, query and value, "
            "or pip install 'hf_xfmr[lora]'",
            getattr(peft, "__version__", ""),
            error,
        )


def after_import(name: str, call: Callable[[ModuleType], object]) -> None:
    """Call with a module right after it has been imported; now, if it has been."""
    if name in sys.modules:
        call(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Watch(name, call))


class _Watch(MetaPathFinder):
    """Lets the other finders find one module, and adds a call to its execution."""

    def __init__(self, name: str, call: Callable[[ModuleType], object]):
        self.name, self.call, self.asked = name, call, False

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name or self.asked:
            return None
        self.asked = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.asked = False  # who asks whether there is such a module need not import it
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                execute(module)
                self.call(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


class _Configs(dict):
    """transformers' table of registered configs, in which ours are imported when they are looked up."""

    def __getitem__(self, model_type):
        value = super().__getitem__(model_type)
        if isinstance(value, tuple):
            path, name = value
            value = getattr(importlib.import_module(path), name)
            self[model_type] = value
        return value

    def get(self, model_type, default=None):
        try:
            return self[model_type]
        except KeyError:
            return default

    def values(self):
        return [self[model_type] for model_type in self]

    def items(self):
        return [(model_type, self[model_type]) for model_type in self]


def _enter_configs(module: ModuleType) -> None:
    module.CONFIG_MAPPING._extra_content = _Configs({**module.CONFIG_MAPPING._extra_content, **CONFIGS})


def _enter_models(model_type: str, module: ModuleType) -> None:
    import transformers

    config_class = getattr(module, CONFIGS[model_type][1])
    transformers.AutoConfig.register(model_type, config_class, exist_ok=True)
    for auto_class, path in config_class.auto_classes.items():
        if auto_class != "AutoConfig":
            model_class = getattr(module, path.split(".")[-1])
            getattr(transformers, auto_class).register(config_class, model_class, exist_ok=True)
