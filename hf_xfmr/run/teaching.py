"""What every distillation is given, whatever the task: who teaches, the student that is made of it, and the teacher's
answers on disk. What it ends with: `side_by_side.py`."""

import hashlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig

from .. import keeping
from ..data.columns import find_text_column
from ..data.sources import load_dataset_dict
from ..errors import UserError
from ..models.stock import CheckpointError
from ..training.distillation import evenly, take_layers
from . import help, loading, yaml_text
from .call import Call
from .console import say
from .settings import Given


@dataclass(kw_only=True)
class TeachingSettings:
    """Who teaches whom, and what."""

    teacher: str = field(
        metadata={
            "help": "The trained classifier (of one label, several or a rating), tagger or GPT-2: a run's folder, any "
            "stock checkpoint, a Hub name"
        }
    )
    student_layers: int = field(
        default=2, metadata={"help": "The student is the teacher with so many of its blocks, spread evenly"}
    )
    temperature: float = field(
        default=2.0,
        metadata={"help": "Softens the answers of both before they are compared; not of ratings, which have none"},
    )
    label_share: float = field(
        default=0.1, metadata={"help": "Share of the rows' own labels in the loss; the rest is the teacher's answers"}
    )
    hidden_weight: float = field(
        default=1.0,
        metadata={"help": "Weight of the blocks' states in the loss, where the student is of the teacher's; 0: none"},
    )


@dataclass(kw_only=True)
class UnlabelledSettings(TeachingSettings):
    """The same, where texts without labels can be learned from too."""

    unlabelled: str | None = field(
        default=None, metadata={"help": "More texts to learn from, without labels: a file, a folder, a sample:"}
    )


def check(settings: Any, args: Any, *without: str) -> None:
    """Refuse numbers that can't be, the settings that distilling is `without`, and what would go unread. Raises
    `UserError`."""
    for name in without:
        if getattr(settings, name):
            raise UserError(f"distill has no {name}: leave it out")
    if args.label_smoothing_factor:
        raise UserError("distill has no label_smoothing_factor, since the teacher's answers are soft: leave it out")
    if not 0 < settings.temperature < math.inf:
        raise UserError(f"temperature is {settings.temperature}; it must be above 0, and finite")
    if not 0 <= settings.label_share <= 1:
        raise UserError(f"label_share is {settings.label_share}; it must be from 0 to 1")
    if not 0 <= settings.hidden_weight < math.inf:
        raise UserError(f"hidden_weight is {settings.hidden_weight}; it must be at least 0, and finite")
    told = "model" if settings.model else "model_config"
    for name in ("student_layers", "hidden_weight") if not of_teacher(settings) else ():
        if name in (args.given or ()) and (name == "student_layers" or settings.hidden_weight):
            raise UserError(
                f"{name} is of a student that is made of its teacher's blocks, and {told} says another: leave one of "
                "them out"
            )


TASKS = {"ForTokenClassification": "tagging", "LMHeadModel": "language_modeling", "ForCausalLM": "language_modeling"}


def task_of(given: Given) -> str:
    """The task of the teacher that is named among a recipe's words, its call or its file, by the architectures in its
    config.json: classification where that is not among `TASKS`, and where none is named, which `parse` says."""
    words = list(sys.argv[1:] if given is None else () if isinstance(given, Call) else given)
    file = given.config if isinstance(given, Call) else next((one for one in words[:1] if one[:1] != "-"), None)
    name = given.settings.get("teacher") if isinstance(given, Call) else _flag(words, "--teacher")
    if name is None and file is not None:
        values = yaml_text.read_file(Path(file))
        name = values.get("teacher") if isinstance(values, dict) else None
    if not isinstance(name, str) or help.asked_for(words) is not None:
        return "classification"
    try:
        classes = loading.from_pretrained(AutoConfig, name).architectures or []
    except UserError:  # said where the teacher is loaded, behind what is wrong with the flags
        return "classification"
    return next((task for end, task in TASKS.items() if any(one.endswith(end) for one in classes)), "classification")


def _flag(words: Sequence[str], flag: str) -> str | None:
    for word, value in zip(words, [*words[1:], None], strict=True):
        if word == flag or word.startswith(f"{flag}="):
            return value if word == flag else word.partition("=")[2]
    return None


@contextmanager
def naming_teacher() -> Iterator[None]:
    """What is wrong with the checkpoint that is loaded within is said of the flag that named it, as `teacher: …`."""
    try:
        yield
    except (UserError, CheckpointError) as error:
        raise UserError(f"teacher: {str(error).removeprefix('model: ')}") from error


def of_teacher(settings: Any) -> bool:
    """Whether the student is the teacher with fewer blocks."""
    return not settings.model and not settings.model_config


def check_layers(settings: Any, config: Any) -> None:
    """Raises `UserError` for more blocks than a teacher of this config can lend."""
    if config.num_hidden_layers < 2:
        raise UserError(
            f"student_layers is {settings.student_layers}; the teacher has one block, and a student of its blocks has "
            "less: give the student's checkpoint by --model"
        )
    if not 1 <= settings.student_layers < config.num_hidden_layers:
        raise UserError(
            f"student_layers is {settings.student_layers}; the teacher has {config.num_hidden_layers}, so it must be "
            f"from 1 to {config.num_hidden_layers - 1}"
        )


def check_words(settings: Any, tokenizer: Any, own: Any) -> None:
    """Raises `UserError` for a student whose tokenizer is not its teacher's, whose answers are of its own tokens."""
    if own.get_vocab() != tokenizer.get_vocab():
        raise UserError(
            f"model: {settings.model} has other tokens than the teacher {settings.teacher}, which answers for each "
            "of its own: leave model out, or give a checkpoint with the teacher's tokenizer"
        )


def made_of(settings: Any, made: Any, config: Any, whole: Any) -> Any:
    """A student of class `made` that is the teacher `whole` with fewer of its blocks: which is its
    `layers_of_teacher`. `config` is the teacher's, and becomes the student's."""
    layers = evenly(config.num_hidden_layers, settings.student_layers)
    config.update({"num_hidden_layers": len(layers)})
    student = made(config)
    take_layers(student, whole, layers)
    student.layers_of_teacher = layers
    *before, last = (str(one + 1) for one in layers)
    shown = f"blocks {', '.join(before)} and {last}" if before else f"block {last}"
    say(f"student: {shown} of the teacher's {len(whole.base_model.blocks)}, its embeddings and its head")
    return student


@torch.no_grad()
def reorder(head: torch.nn.Linear, order: Sequence[int]) -> None:
    """A head's rows in the order of the student's labels."""
    head.weight.copy_(head.weight[order].clone())
    head.bias.copy_(head.bias[order].clone())


def unlabelled(settings: Any, column: str | None, held: set[str]) -> list[str]:
    """The texts without labels, each once, none of them empty or `held` by the data. Raises `UserError` if none is
    left."""
    loaded = load_dataset_dict(settings.unlabelled, table=settings)
    split = "train" if "train" in loaded else next(iter(loaded))
    told = column if column in loaded[split].column_names else None  # another's, else
    try:
        given = loaded[split][find_text_column(loaded[split], told)][:]
    except UserError as error:
        raise UserError(f"unlabelled: {settings.unlabelled}: {error}") from None
    texts = list(dict.fromkeys(text for text in given if text and text.strip() and text not in held))
    if not texts:
        raise UserError(f"unlabelled: {settings.unlabelled} has no text that the data do not have: leave it out")
    say(f"unlabelled: {len(texts):,} of {len(given):,} texts, without empty ones, doubles and those of the data")
    return texts


class Answers:
    """A teacher's logits, kept on disk by its weights and by what it read."""

    def __init__(self, name: str, model: Any):
        self.name, self.model = name, model
        self.computed = self.found = 0
        self.not_kept: str | None = None
        self._known: str | None = None

    def of(self, read: Mapping[str, Any], count: int, shape: tuple, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Of `count` rows, which are `read`, [shape] float32: from the disk, or computed and kept. Raises `UserError`
        for logits that are not finite."""
        about = {"weights": self._hash(), "torch": torch.__version__}
        name = keeping.key({"teacher": about, **read}) + ".npy"
        if (path := keeping.find(name)) is not None:
            try:
                found = np.load(path, allow_pickle=False)
            except (OSError, ValueError):
                found = None
            if found is not None and found.shape == shape:
                self.found += count
                return found
            keeping.drop(name)
        logits = compute()
        self.computed += count
        if not np.isfinite(logits).all():
            raise UserError(f"teacher: {self.name} gives logits that are not finite: choose another checkpoint of it")
        if self.not_kept is None:
            self.not_kept = keeping.keep(name, lambda aside: _save(aside, logits))
        return logits

    def _hash(self) -> str:
        if self._known is None:
            found = hashlib.sha256(str(type(self.model)).encode())
            for name, tensor in sorted(self.model.state_dict().items()):
                found.update(name.encode())
                found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
            self._known = found.hexdigest()
        return self._known

    def lines(self) -> list[str]:
        """What became of them."""
        if self.not_kept:
            return [f"teacher: {self.computed:,} answers computed, and not kept: {self.not_kept}"]
        kept = f", {self.found:,} found on disk" if self.found else ""
        return [f"teacher: {self.computed:,} answers computed{kept} (`hf_xfmr cache` shows them)"]


def _save(path: Path, logits: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, logits, allow_pickle=False)
