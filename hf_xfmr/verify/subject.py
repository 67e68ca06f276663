"""The checkpoint under test, as our class and as the stock one, and how much of this machine it may take."""

import logging
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, PreTrainedModel

from .. import machine
from ..errors import UserError
from ..models import bert, distilbert, gpt2, roberta, transformer
from ..run import loading
from .outcome import Inapplicable

# where our classes are, how their names begin, and how those of stock do
FAMILIES = {
    "bert": (bert, "XfmrBert", "Bert"),
    "roberta": (roberta, "XfmrRoberta", "Roberta"),
    "xlm-roberta": (roberta, "XfmrRoberta", "XLMRoberta"),
    "camembert": (roberta, "XfmrRoberta", "Camembert"),
    "distilbert": (distilbert, "XfmrDistilBert", "DistilBert"),
    "gpt2": (gpt2, "XfmrGPT2", "GPT2"),
    "marian": (transformer, "Xfmr", "Marian"),
}
OTHER_NAMES = {"LMHeadModel": "ForCausalLM", "MTModel": "ForConditionalGeneration"}  # GPT2LMHeadModel, MarianMTModel
# What a checkpoint without a head is verified with; of these only the first is new.
USUAL_HEADS = {
    **dict.fromkeys(FAMILIES, "ForSequenceClassification"),
    "gpt2": "ForCausalLM",
    "marian": "ForConditionalGeneration",
}
SHARE = 0.8  # of the memory and disk that are free


@dataclass
class Subject:
    """A model class with the checkpoint's weights. `family` is one of `FAMILIES`, `task` the end of the class's
    name; `scratch` an empty folder of its own."""

    name: str
    model_class: Any
    family: str
    task: str
    source: str
    scratch: Path
    is_stock: bool
    is_bare: bool = False  # a checkpoint without a head, so that this class's is new
    twin: "Subject | None" = field(default=None, repr=False)

    def load(self, *, dropout: bool = True) -> PreTrainedModel:
        """The model in float32, in evaluation mode. The same each time, a new head too."""
        torch.manual_seed(0)
        config_class = self.model_class.config_class
        fields, _ = config_class.get_config_dict(self.source)
        if self.is_stock:
            fields.pop("model_type", None)  # ours would be kept, and stock's tensors saved as if they were ours
        config = config_class(**fields)
        if config.pad_token_id is None:
            end = first(config.eos_token_id)  # as everyone sets it; a smaller vocabulary may lack GPT-2's own
            config.pad_token_id = end if end is not None and end < config.vocab_size else 0
        if not dropout:
            for field_name in [one for one in vars(config) if "drop" in one]:
                if isinstance(getattr(config, field_name), float | int):
                    setattr(config, field_name, 0.0)
            config.classifier_dropout = 0.0  # left out, some heads have one of 0.1
        loggers = [logging.getLogger(one) for one in ("transformers", "hf_xfmr") if dropout or self.is_stock]
        levels = [one.level for one in loggers]
        try:
            for one in loggers:  # what loading has to say is said once
                one.setLevel(logging.ERROR)
            load = loading.from_pretrained if self.is_bare else loading.to_use  # a new head only where there is none
            return load(self.model_class, self.source, config=config, dtype=torch.float32).eval()
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)

    @cached_property
    def model(self) -> PreTrainedModel:
        """One that is kept, without dropout; nothing changes its weights."""
        self.needs(copies=1)
        return self.load(dropout=False)

    @cached_property
    def config(self):
        return self.model.config

    @cached_property
    def parameters(self) -> int:
        return sum(one.numel() for one in self.model.parameters())

    @property
    def positions(self) -> int:
        return self._own_config.longest_row

    @property
    def first_position(self) -> int:
        """The number of a text's first position, as position_ids give it."""
        return self._own_config.first_position

    @cached_property
    def _own_config(self):
        return _config_class(self.family).from_dict(self.config.to_dict())

    def saved(self) -> Path:
        """A folder with the kept model, saved by its own class."""
        folder = self.scratch / "saved"
        if not folder.exists():
            self.needs(disk=1)
            self.model.save_pretrained(folder)
        return folder

    def needs(self, *, copies: float = 0, disk: float = 0) -> None:
        """Raises `Inapplicable` if so many more copies of the weights have no room in memory, or on the disk."""
        size = 4 * (self.parameters if "model" in vars(self) else 0)
        room = {"memory": machine.free_memory(), "disk space": shutil.disk_usage(self.scratch).free}
        for what, wanted in (("memory", copies * size), ("disk space", disk * size)):
            if wanted > SHARE * room[what]:
                raise Inapplicable(
                    f"{what} for {wanted / 1e9:,.1f} GB of weights and gradients; {room[what] / 1e9:,.1f} GB are free"
                )


def first(value):
    return value[0] if isinstance(value, list) else value


def _config_class(family: str) -> Any:
    module, prefix, _ = FAMILIES[family]
    return getattr(module, f"{prefix}Config")


def find_class(name: str) -> Any:
    """Our class for a checkpoint; for one without a head, that with the usual head. Raises `UserError` if it is of no
    architecture we have."""
    module, own_prefix, _ = FAMILIES[_family(name)]
    return getattr(module, own_prefix + _task(name)[0])


def _family(name: str) -> str:
    config = loading.from_pretrained(AutoConfig, name)
    family = getattr(config, "stock_model_type", config.model_type)
    if family not in FAMILIES:
        raise UserError(f"{name} is of kind '{family}'; known are {', '.join(FAMILIES)} and what we saved")
    return family


def _task(name: str) -> tuple[str, bool]:
    """How the name of our class ends, and whether the checkpoint has no head."""
    family = _family(name)
    module, own_prefix, stock_prefix = FAMILIES[family]
    architecture = (loading.from_pretrained(AutoConfig, name).architectures or [f"{own_prefix}Model"])[0]
    task = architecture.removeprefix(own_prefix).removeprefix(stock_prefix)
    if not hasattr(transformers, architecture) and not hasattr(module, architecture):
        # a class of somebody's own: what its name ends in, and else the encoder without a head
        heads = [one.removeprefix(own_prefix) for one in dir(module) if one.startswith(f"{own_prefix}For")]
        task = next((head for head in heads if architecture.endswith(head)), "Model")
    elif task == architecture:  # of another family, on tensors of this one
        task = f"For{architecture.rpartition('For')[2]}"
    task = OTHER_NAMES.get(task, task)
    is_bare = task == "Model"
    task = USUAL_HEADS[family] if is_bare else task
    if not hasattr(module, own_prefix + task):
        raise UserError(f"{name} was saved as {architecture}, which has no counterpart here")
    return task, is_bare


def find(name: str, scratch: Path) -> tuple[Subject, Subject]:
    """A checkpoint as our class, and as the stock one. Raises `UserError` if it is of no architecture we have."""
    source, family, own_class = loading.checkpoint(name), _family(name), find_class(name)
    task, is_bare = _task(name)
    stock_task = next((stock for stock, own in OTHER_NAMES.items() if own == task), task)
    stock_class = getattr(transformers, FAMILIES[family][2] + stock_task)
    subjects = []
    for model_class, is_stock in ((own_class, False), (stock_class, True)):
        folder = scratch / model_class.__name__
        folder.mkdir()
        subjects.append(Subject(model_class.__name__, model_class, family, task, source, folder, is_stock, is_bare))
    ours, theirs = subjects
    ours.twin, theirs.twin = theirs, ours
    if is_bare and USUAL_HEADS[family] == "ForSequenceClassification":  # the head is new: stock takes ours
        theirs.source = str(ours.saved())
    return ours, theirs
