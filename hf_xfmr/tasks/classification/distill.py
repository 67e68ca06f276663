"""Distillation: a small classifier learns from a large one's answers (Hinton et al., 2015), on rows without labels too.

The student is the teacher with fewer of its blocks, another checkpoint, or new; of the first the states of the blocks
are taught too (Jiao et al., 2020).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset, concatenate_datasets

from ...data.columns import find_text_column
from ...data.kept_columns import Kept
from ...data.sources import load_dataset_dict
from ...errors import UserError
from ...models.losses import IGNORE, cross_entropy
from ...run import encoders, loading
from ...run.console import say
from ...training import XfmrTrainer
from ...training.distillation import evenly, soft_loss, states_loss, take_layers
from . import run
from .data import ClassificationData
from .encode import encode_rows
from .overlong import Encoder
from .settings import ClassificationSettings
from .teacher import Teacher

TAUGHT = "teacher_logits"


@dataclass(kw_only=True)
class DistillSettings(ClassificationSettings, run.ModelSettings):
    """Who teaches whom, and what."""

    teacher: str = field(metadata={"help": "The trained classifier: a run's folder, any stock checkpoint, a Hub name"})
    student_layers: int = field(
        default=2, metadata={"help": "The student is the teacher with so many of its blocks, spread evenly"}
    )
    unlabelled: str | None = field(
        default=None, metadata={"help": "More texts to learn from, without labels: a file, a folder, a sample:"}
    )
    temperature: float = field(default=2.0, metadata={"help": "Softens the answers of both before they are compared"})
    label_share: float = field(
        default=0.1, metadata={"help": "Share of the rows' own labels in the loss; the rest is the teacher's answers"}
    )
    hidden_weight: float = field(
        default=1.0,
        metadata={"help": "Weight of the blocks' states in the loss, where the student is of the teacher's; 0: none"},
    )


def check(settings: DistillSettings) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    for name in ("freeze_encoder", "few_labels", "lora_rank", "class_weights", "folds"):
        if getattr(settings, name):
            raise UserError(f"distill has no {name}: leave it out")
    if not settings.temperature > 0:
        raise UserError(f"temperature is {settings.temperature}; it must be above 0")
    if not 0 <= settings.label_share <= 1:
        raise UserError(f"label_share is {settings.label_share}; it must be from 0 to 1")
    if not settings.hidden_weight >= 0:
        raise UserError(f"hidden_weight is {settings.hidden_weight}; it must be at least 0")
    run.check(settings)


def of_teacher(settings: DistillSettings) -> bool:
    """Whether the student is the teacher with fewer blocks."""
    return not settings.model and not settings.model_config


def load_parts(settings: DistillSettings, teacher: Teacher) -> tuple[Any, Any]:
    """The student's config and tokenizer, as `run.load_parts`. Raises `UserError` for a teacher that can't lend its
    blocks."""
    if not of_teacher(settings):
        return run.load_parts(settings)
    kind = teacher.model.config.model_type
    if not any(one.reads(kind) for one in encoders._CONFIGS):
        raise UserError(
            f"teacher: {settings.teacher} is of kind '{kind}', whose blocks no student here can be made of: give the "
            "student's checkpoint, as --model sample:minilm, or its sizes, as --model_config '{num_hidden_layers: 2}'"
        )
    config, tokenizer = encoders.load_parts(settings.teacher)
    if not 1 <= settings.student_layers < config.num_hidden_layers:
        raise UserError(
            f"student_layers is {settings.student_layers}; the teacher has {config.num_hidden_layers}, so it must be "
            f"from 1 to {config.num_hidden_layers - 1}"
        )
    return config, tokenizer


def build_model(settings: DistillSettings, config: Any, corpus: ClassificationData, teacher: Teacher) -> Any:
    """The student. Of the teacher's blocks which are its own is kept as `layers_of_teacher` on it."""
    if not of_teacher(settings):
        return run.build_model(settings, config, corpus)
    made = encoders.model_class(config, "AutoModelForSequenceClassification")
    whole = loading.to_train(made, settings.teacher, whole=True)
    layers = evenly(config.num_hidden_layers, settings.student_layers)
    names = corpus.problem.label_names
    told = {"num_hidden_layers": len(layers), "id2label": dict(enumerate(names)), "class_weights": None}
    told |= {"label2id": {name: number for number, name in enumerate(names)}, "text_window": corpus.text_window}
    config.update(told | {"problem_type": corpus.problem.problem_type})
    student = made(config)
    take_layers(student, whole, layers)
    order, last = teacher.order(corpus.problem), _last(student)
    with torch.no_grad():
        last.weight.copy_(last.weight[order].clone())
        last.bias.copy_(last.bias[order].clone())
    student.layers_of_teacher = layers
    shown = " and ".join([", ".join(str(one + 1) for one in layers[:-1]), str(layers[-1] + 1)] if layers[1:] else ["1"])
    say(f"student: blocks {shown} of the teacher's {len(whole.base_model.blocks)}, its embeddings and its head")
    return student


def _last(model: Any) -> torch.nn.Linear:
    return [one for one in model.classifier.modules() if isinstance(one, torch.nn.Linear)][-1]


def make_trainer(
    settings: DistillSettings, args: Any, model: Any, corpus: ClassificationData, teacher: Teacher
) -> tuple[XfmrTrainer, dict[str, Dataset]]:
    """A trainer of the student on train rows and those without labels, each with what the teacher says of it; and the
    splits it reads."""
    teacher.check(corpus.problem)
    trainer, splits = run.make_trainer(settings, args, model, corpus, made=DistillTrainer)
    rows = [corpus.splits["train"]]
    if settings.unlabelled:
        rows.append(_unlabelled(settings, corpus))
    taught = []
    for some in rows:
        pairs = some["text_pair"][:] if "text_pair" in some.column_names else None
        logits = teacher.logits(some["text"][:], pairs, corpus.problem, bf16=bool(args.bf16))
        taught.append(some.add_column(TAUGHT, pa.array(logits.tolist(), pa.list_(pa.float32()))))
    say(*teacher.lines())
    trainer.train_dataset = concatenate_datasets([one.with_format(None) for one in taught]) if taught[1:] else taught[0]
    trainer.data_collator = _Collator(trainer.data_collator)
    assert isinstance(trainer, DistillTrainer)
    trainer.settings, trainer.teacher = settings, teacher.model
    return trainer, splits


def _unlabelled(settings: DistillSettings, corpus: ClassificationData) -> Dataset:
    """The rows of the texts without labels, with `IGNORE` for one; none that is held out."""
    if "text_pair" in corpus.splits["train"].column_names:
        raise UserError("unlabelled is for single texts, and the data are pairs: leave unlabelled out")
    loaded = load_dataset_dict(settings.unlabelled, table=settings)
    split = "train" if "train" in loaded else next(iter(loaded))
    told = settings.text_column if settings.text_column in loaded[split].column_names else None  # another's, else
    column = find_text_column(loaded[split], told)
    held = {text for name, rows in corpus.splits.items() for text in rows["text"][:]}
    given = loaded[split][column][:]
    texts = list(dict.fromkeys(text for text in given if text and text.strip() and text not in held))
    if not texts:
        raise UserError(f"unlabelled: {settings.unlabelled} has no text that the data do not have: leave it out")
    say(f"unlabelled: {len(texts):,} of {len(given):,} texts, without empty ones, doubles and those of the data")
    window = corpus.text_window
    encoder = Encoder(corpus.tokenizer, **window)
    names = [f"unlabelled-{number}" for number in range(len(texts))]
    made = Dataset.from_dict({"text": texts, "id": names, "row": list(range(len(texts)))})
    found = encode_rows(
        made,
        [IGNORE] * len(texts),
        corpus.splits["train"].features["labels"],
        encoder,
        split="unlabelled",
        source="unlabelled",
        kept=Kept(settings.keep_tokenized),
    )
    return found.remove_columns(["tokens", "kept"]).cast(corpus.splits["train"].features)


class _Collator:
    """The task's, with `teacher_logits` (B, K) float32 where the rows have them."""

    def __init__(self, collate: Any):
        self.collate = collate

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        batch = self.collate(rows)
        if TAUGHT in rows[0]:
            batch[TAUGHT] = torch.tensor(np.array([row[TAUGHT] for row in rows], np.float32))
        return batch


class DistillTrainer(XfmrTrainer):
    """Trains by the teacher's answers, the labels, and the states of the teacher's blocks. The mean of a batch."""

    settings: DistillSettings
    teacher: Any

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        inputs = dict(inputs)
        wanted = inputs.pop(TAUGHT, None)
        if not model.training or wanted is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs.pop("labels")
        layers = getattr(getattr(model, "module", model), "layers_of_teacher", None)
        states = layers if self.settings.hidden_weight else None
        out = model(**inputs, output_hidden_states=bool(states))
        share = self.settings.label_share
        loss = (1 - share) * soft_loss(out.logits, wanted, self.settings.temperature)
        if share:
            loss = loss + share * cross_entropy(out.logits, labels)
        if states:
            self.teacher.to(out.logits.device)
            with torch.no_grad():
                taught = self.teacher.base_model(
                    **{name: one for name, one in inputs.items() if name != "window_row"}, output_hidden_states=True
                )
            other = states_loss(out.hidden_states, taught.hidden_states, states, inputs.get("attention_mask"))
            loss = loss + self.settings.hidden_weight * other
        if self.args.gradient_accumulation_steps > 1:  # Trainer leaves that to a loss that counts its items
            loss = loss / self.args.gradient_accumulation_steps
        return (loss, out) if return_outputs else loss
