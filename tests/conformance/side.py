"""A pytest plugin: other libraries' tests on one side, `CONFORMANCE=stock` or `ours`."""

import dataclasses
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import datasets
import transformers

import hf_xfmr

OURS, OF = os.environ["CONFORMANCE"] == "ours", os.environ["CONFORMANCE_OF"]

if importlib.util.find_spec("diffusers") is None:  # PEFT's common tests import one class of it for all of them
    sys.modules["diffusers"] = ModuleType("diffusers")
    sys.modules["diffusers"].StableDiffusionPipeline = type("StableDiffusionPipeline", (), {})
    sys.modules["diffusers"].__spec__ = importlib.util.spec_from_loader("diffusers", None)


class _Everything(dict):
    """PEFT's record of models that were already fetched: all of them were."""

    def __contains__(self, _):
        return True

    def __getitem__(self, _):
        return 1


def _arguments() -> type:
    """Our arguments with stock's defaults: its tests are of what Trainer does with them."""
    names = {one.name for one in dataclasses.fields(transformers.TrainingArguments) if one.init}
    stock = {one.name: one for one in dataclasses.fields(transformers.TrainingArguments)}
    body = {"__annotations__": {}}
    for ours in dataclasses.fields(hf_xfmr.XfmrTrainingArguments):
        if ours.name in names and (ours.default, ours.default_factory) != (
            stock[ours.name].default,
            stock[ours.name].default_factory,
        ):
            body["__annotations__"][ours.name] = ours.type
            body[ours.name] = dataclasses.field(
                **{
                    key: getattr(stock[ours.name], key)
                    for key in ("default", "default_factory")
                    if getattr(stock[ours.name], key) is not dataclasses.MISSING
                }
            )
    return dataclasses.dataclass(type("TrainingArguments", (hf_xfmr.XfmrTrainingArguments,), body))


if OURS and OF == "trainer":
    transformers.TrainingArguments, transformers.Trainer = _arguments(), hf_xfmr.XfmrTrainer
elif OURS:
    hf_xfmr.adopt()

_load = datasets.load_dataset


def _load_local(path, name=None, *args, split=None, **kwargs):
    """A data set by its name on the Hub from those that were made for the tests; anything else as ever."""
    made = Path(os.environ["CONFORMANCE_DATA"], str(path).replace("/", "--"), name or "default")
    if not made.is_dir():
        return _load(path, name, *args, split=split, **kwargs)
    loaded = datasets.load_from_disk(made)
    return loaded if split is None else loaded[split]


datasets.load_dataset = _load_local


def pytest_collection_finish(session):
    common = sys.modules.get("tests.testing_utils")
    if OF == "peft" and common is not None:
        common._HUB_MODEL_ACCESSES = _Everything()
