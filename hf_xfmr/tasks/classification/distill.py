"""Distillation: a small classifier learns from a large one's answers (Hinton et al., 2015), of one label a row, of
several or of ratings, on rows without labels too.

The student is the teacher with fewer of its blocks, another checkpoint, or new; of the first the states of the blocks
are taught too (Jiao et al., 2020).
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from datasets import Dataset, concatenate_datasets

from ...data.kept_columns import Kept
from ...errors import UserError
from ...run import encoders, loading, teaching
from ...run.console import say
from ...run.teaching import UnlabelledSettings
from ...training import XfmrTrainer
from ...training.distilling import LABELLED, LOGITS
from . import data, run
from .averaging import last_layer
from .data import ClassificationData
from .encode import encode_rows
from .many_labels import ManyLabels
from .overlong import Encoder
from .problem import Problem
from .settings import ClassificationSettings
from .student_trainer import ManyStudentTrainer, StudentCollator, StudentTrainer
from .teacher import Teacher


@dataclass(kw_only=True)
class DistillSettings(ClassificationSettings, run.ModelSettings, UnlabelledSettings):
    """Who teaches whom, and what."""


def check(settings: DistillSettings, args: Any) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    teaching.check(settings, args, "freeze_encoder", "few_labels", "lora_rank", "class_weights", "folds")
    run.check(settings)


def load_parts(settings: DistillSettings, teacher: Teacher) -> tuple[Any, Any]:
    """The student's config and tokenizer, as `run.load_parts`. Raises `UserError` for a teacher that can't lend its
    blocks."""
    if not teaching.of_teacher(settings):
        return run.load_parts(settings)
    encoders.check_lends(settings.teacher, teacher.model.config.model_type)
    config, tokenizer = encoders.load_parts(settings.teacher)
    teaching.check_layers(settings, config)
    return config, tokenizer


def build_model(settings: DistillSettings, config: Any, corpus: ClassificationData, teacher: Teacher) -> Any:
    """The student. Of the teacher's blocks which are its own is kept as `layers_of_teacher` on it."""
    if not teaching.of_teacher(settings):
        return run.build_model(settings, config, corpus)
    made = encoders.model_class(config, "AutoModelForSequenceClassification")
    whole = loading.to_train(made, settings.teacher, whole=True)
    names = corpus.problem.label_names or ["value"]
    told: dict[str, Any] = {"id2label": dict(enumerate(names)), "class_weights": None}
    told |= {"label2id": {name: number for number, name in enumerate(names)}, "text_window": corpus.text_window}
    config.update(told | {"problem_type": corpus.problem.problem_type})
    student = teaching.made_of(settings, made, config, whole)
    teaching.reorder(last_layer(student), teacher.order(corpus.problem))
    return student


def prepare(dataset: str, settings: DistillSettings, teacher: Teacher, seed: int) -> tuple[ClassificationData, Any]:
    """The data, of which is said what was done to them, and the student."""
    config, tokenizer = load_parts(settings, teacher)
    corpus = data.classification(
        dataset,
        tokenizer,
        settings,
        max_positions=config.longest_row,
        vocab_size=config.vocab_size if settings.model or teaching.of_teacher(settings) else None,
        seed=seed,
    )
    say(*corpus.report)
    teacher.check(corpus.problem)
    return corpus, build_model(settings, config, corpus, teacher)


def make_trainer(
    settings: DistillSettings, args: Any, model: Any, corpus: ClassificationData, teacher: Teacher
) -> tuple[XfmrTrainer, dict[str, Dataset]]:
    """A trainer of the student on train rows and those without labels, each with what the teacher says of it; and the
    splits it reads."""
    _check(settings, args, corpus.problem)
    teacher.check(corpus.problem)
    made = ManyStudentTrainer if isinstance(corpus.problem, ManyLabels) else StudentTrainer
    trainer, splits = run.make_trainer(settings, args, model, corpus, made=made)
    rows = [corpus.splits["train"]]
    if settings.unlabelled:
        rows.append(_unlabelled(settings, corpus))
    taught = []
    for some, labelled in zip(rows, (True, False), strict=False):
        pairs = some["text_pair"][:] if "text_pair" in some.column_names else None
        logits = teacher.logits(some["text"][:], pairs, corpus.problem, bf16=bool(args.bf16))
        said = some.add_column(LOGITS, pa.array(list(logits), pa.list_(pa.float32())))
        taught.append(said.add_column(LABELLED, pa.array([labelled] * len(some))))
    say(*teacher.answers.lines())
    trainer.train_dataset = concatenate_datasets([one.with_format(None) for one in taught]) if taught[1:] else taught[0]
    trainer.data_collator = StudentCollator(trainer.data_collator)
    assert isinstance(trainer, StudentTrainer)
    trainer.settings, trainer.teacher = settings, teacher.model
    return trainer, splits


def _check(settings: DistillSettings, args: Any, problem: Problem) -> None:
    """Raises `UserError` for a temperature that ratings can't have."""
    if not problem.has_names and "temperature" in (args.given or ()):
        raise UserError(
            f"temperature is {settings.temperature:g}, and ratings are learned as the numbers they are, which no "
            "temperature softens: leave it out"
        )


def _unlabelled(settings: DistillSettings, corpus: ClassificationData) -> Dataset:
    """The rows of the texts without labels; none that is held out."""
    if "text_pair" in corpus.splits["train"].column_names:
        raise UserError("unlabelled is for single texts, and the data are pairs: leave unlabelled out")
    held = {text for rows in corpus.splits.values() for text in rows["text"][:]}
    texts = teaching.unlabelled(settings, settings.text_column, held)
    window = corpus.text_window
    encoder = Encoder(corpus.tokenizer, **window)
    names = [f"unlabelled-{number}" for number in range(len(texts))]
    made = Dataset.from_dict({"text": texts, "id": names, "row": list(range(len(texts)))})
    found = encode_rows(
        made,
        [corpus.problem.no_label()] * len(texts),
        corpus.splits["train"].features["labels"],
        encoder,
        split="unlabelled",
        source="unlabelled",
        kept=Kept(settings.keep_tokenized),
    )
    return found.remove_columns(["tokens", "kept"]).cast(corpus.splits["train"].features)
