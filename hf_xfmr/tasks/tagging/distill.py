"""Distillation of a tagger: a small one learns what a large one says of each piece, on texts without tags too.

The student is the teacher with fewer of its blocks, or another checkpoint or a new model with the teacher's tokenizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset, concatenate_datasets
from torch.nn.utils.rnn import pad_sequence

from ...engines.pytorch import Rows
from ...models.bert import XfmrBertConfig
from ...models.losses import IGNORE
from ...run import encoders, loading, side_by_side, teaching
from ...run.console import say
from ...run.starting_point import new_config
from ...tokenizer.long_texts import tokens_of
from ...training import XfmrTrainer, XfmrTrainingArguments
from ...training.distilling import LOGITS, TAUGHT, DistillTrainer
from . import data, run
from .data import TaggingData
from .encode import TaggingCollator
from .metrics import entity_counts, tagging_metrics
from .settings import TaggingSettings
from .teacher import Teacher, run_over

TIMED = 256  # rows
NO_SENTENCE = -1  # what a text without tags has in the column `sentence`


@dataclass(kw_only=True)
class DistillSettings(TaggingSettings, run.ModelSettings, teaching.UnlabelledSettings):
    """Who teaches whom, and what."""


def check(settings: DistillSettings, args: XfmrTrainingArguments) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    teaching.check(settings, args, "lora_rank")
    run.check(settings)


def load_parts(settings: DistillSettings, teacher: Teacher) -> tuple[Any, Any]:
    """The student's config, and the tokenizer, which is the teacher's. Raises `UserError` for a teacher that can't lend
    its blocks, and for a checkpoint with other tokens."""
    if settings.model_config:
        return new_config(XfmrBertConfig, settings.model_config), teacher.tokenizer
    if teaching.of_teacher(settings):
        encoders.check_lends(settings.teacher, teacher.model.config.model_type)
        config, tokenizer = encoders.load_parts(settings.teacher)
        teaching.check_layers(settings, config)
        return config, tokenizer
    config, own = encoders.load_parts(str(settings.model))
    teaching.check_words(settings, teacher.tokenizer, own)
    return config, own


def build_model(settings: DistillSettings, config: Any, corpus: TaggingData, teacher: Teacher) -> Any:
    """The student. Of the teacher's blocks which are its own is kept as `layers_of_teacher` on it."""
    if not teaching.of_teacher(settings):
        return run.build_model(settings, config, corpus)
    names = corpus.label_names
    made = encoders.model_class(config, "AutoModelForTokenClassification")
    whole = loading.to_train(made, settings.teacher, whole=True)
    config.update({"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}})
    student = teaching.made_of(settings, made, config, whole)
    teaching.reorder(student.classifier, teacher.order(names))
    return student


def prepare(dataset: str, settings: DistillSettings, teacher: Teacher) -> tuple[TaggingData, Any]:
    """The data, of which is said what was done to them, and the student."""
    config, tokenizer = load_parts(settings, teacher)
    corpus = data.tagging(
        dataset,
        tokenizer,
        settings,
        max_positions=min(config.longest_row, teacher.positions),
        vocab_size=None if settings.model_config else config.vocab_size,
    )
    say(*corpus.report)
    teacher.order(corpus.label_names)
    return corpus, build_model(settings, config, corpus, teacher)


def make_trainer(
    settings: DistillSettings, args: XfmrTrainingArguments, model: Any, corpus: TaggingData, teacher: Teacher
) -> XfmrTrainer:
    """A trainer of the student on train sentences and texts without tags, each with what the teacher says of it."""
    trainer = run.make_trainer(args, model, corpus, made=DistillTrainer)
    assert isinstance(trainer, DistillTrainer)
    rows = corpus.splits["train"]
    if settings.unlabelled:
        rows = concatenate_datasets([rows, _unlabelled(settings, corpus)])
    answers = teacher.logits(rows["input_ids"][:], corpus.label_names, bf16=bool(args.bf16))
    flat = pa.array([one.ravel() for one in answers], pa.list_(pa.float32()))
    say(*teacher.answers.lines())
    trainer.train_dataset = rows.add_column(LOGITS, flat)
    trainer.data_collator = _Collator(corpus.tokenizer, len(corpus.label_names))
    trainer.settings, trainer.teacher = settings, teacher.model.float()
    return trainer


def _unlabelled(settings: DistillSettings, corpus: TaggingData) -> Dataset:
    """Rows of the texts without tags, none of them held out; a long one goes on in another row."""
    held = {text for rows in corpus.sentences.values() for text in rows["text"][:]}
    texts = teaching.unlabelled(settings, settings.text_column, held)
    cls, sep, room = corpus.tokenizer.cls_token_id, corpus.tokenizer.sep_token_id, corpus.max_length - 2
    made = []
    for tokens in tokens_of(texts, corpus.tokenizer):
        for start in range(0, len(tokens.ids), room):
            ids = [cls, *tokens.ids[start : start + room], sep]
            made.append({"input_ids": ids, "labels": [IGNORE] * len(ids), "word": [], "sentence": NO_SENTENCE})
    return Dataset.from_list(made, features=corpus.splits["train"].features)


class _Collator:
    """The task's, with `teacher_logits` (B, T, K) float32, and `taught` (B, T) bool: the tokens that have a label, of a
    text without tags all but the special ones; never padding."""

    def __init__(self, tokenizer: Any, labels: int):
        self.collate, self.labels = TaggingCollator(tokenizer), labels

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        batch = self.collate(rows)
        if LOGITS not in rows[0]:
            return batch
        said = [torch.tensor(np.asarray(row[LOGITS], np.float32).reshape(-1, self.labels)) for row in rows]
        padded = pad_sequence([torch.nn.functional.pad(one, (0, 0, 1, 1)) for one in said], batch_first=True)
        taught = batch["labels"] != IGNORE
        for place, row in enumerate(rows):
            if row["sentence"] == NO_SENTENCE:
                taught[place, 1 : len(row["input_ids"]) - 1] = True
        return {**batch, LOGITS: padded, TAUGHT: taught}


def beside_teacher(trainer: Any, model: Any, corpus: TaggingData, teacher: Teacher) -> dict[str, Any] | None:
    """What run.json keeps as `distilled` (see `side_by_side.beside`): entity F1, and rows a second, tokenized already;
    None where nothing is held out."""
    split = next((name for name in ("test", "validation") if name in corpus.splits), None)
    if split is None:
        return None
    rows, gold = corpus.splits[split], corpus.sentences[split]["tags"][:]
    ids = rows["input_ids"][:]
    said = teacher.logits(ids, corpus.label_names, bf16=bool(trainer.args.bf16))
    by_teacher: Any = [np.pad(one.argmax(-1), 1) for one in said]
    callback, trainer.compute_metrics = trainer.compute_metrics, None
    answers = {"student": np.asarray(trainer.predictions(rows)), "teacher": by_teacher}
    trainer.compute_metrics = callback
    tags = {who: run.sentence_tags(one, corpus, split) for who, one in answers.items()}
    scores = {who: tagging_metrics(gold, one)["f1"] for who, one in tags.items()}
    counts = [np.array([entity_counts(*pair) for pair in zip(gold, tags[who], strict=True)]) for who in scores]

    def f1(weights: np.ndarray, one: np.ndarray) -> np.ndarray:
        right, given, there = (weights @ one).T
        return 2 * right / np.maximum(given + there, 1)

    was = model.training
    student, timed = Rows.of(model.eval(), corpus.tokenizer), ids[:TIMED]
    teacher.model.float()
    found = side_by_side.beside(
        {"name": teacher.name, "split": split, "rows": len(gold), "figure": "f1"},
        scores,
        {"student": model, "teacher": teacher.model},
        {"student": lambda: run_over(student, timed), "teacher": lambda: run_over(teacher.engine, timed)},
        len(timed),
        drawn=lambda weights: (f1(weights, counts[0]), f1(weights, counts[1])),
    )
    model.train(was)
    return found
