"""Distillation of a GPT-2: a small one learns what a large one says of each next token (Hinton et al., 2015).

What is said of a token is a number for each word of the vocabulary, 200 KB with GPT-2's: nothing of it is kept on disk.
The teacher runs along, and of both models' scores some rows are held at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ...errors import UserError
from ...models.gpt2 import XfmrGPT2Config, XfmrGPT2ForCausalLM
from ...models.losses import IGNORE, next_tokens
from ...models.vocabulary import vocabulary_loss
from ...run import loading, side_by_side, teaching
from ...run.console import say
from ...run.starting_point import of_checkpoint
from ...training import XfmrTrainer, XfmrTrainingArguments
from ...training.distilling import DistillTrainer
from . import data, run
from .data import LanguageModelingData, LanguageModelingSettings
from .ending import Measured, measured
from .metrics import Losses

HELD = 2**23  # scores of one model at a time, 32 MiB in float32
TIMED = 8  # blocks


@dataclass(kw_only=True)
class DistillSettings(LanguageModelingSettings, run.ModelSettings, teaching.TeachingSettings):
    """Who teaches whom, and what."""


class Teacher:
    """A trained GPT-2 by a folder's or a Hub name, stock's or ours. Raises `UserError` for another architecture."""

    def __init__(self, name: str):
        self.name = name
        with teaching.naming_teacher():
            self.config, tokenizer = of_checkpoint(XfmrGPT2Config, name)
            model = loading.to_train(XfmrGPT2ForCausalLM, name, whole=True)
        self.tokenizer = run.for_documents(tokenizer)
        self.model = model.eval().requires_grad_(False)


def check(settings: DistillSettings, args: XfmrTrainingArguments) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    teaching.check(settings, args, "lora_rank", "add_words", "tokenizer")
    run.check(settings, settings, args)


def prepare(dataset: str, settings: DistillSettings, teacher: Teacher) -> tuple[LanguageModelingData, Any]:
    """The data, of which is said what was done to them, and the student: of the teacher's blocks, a checkpoint with the
    teacher's tokens, or new. Raises `UserError` for a checkpoint with others."""
    tokenizer = teacher.tokenizer
    positions = teacher.config.n_positions
    if teaching.of_teacher(settings):
        teaching.check_layers(settings, teacher.config)
    elif settings.model:
        config, own = run.load_parts(settings)
        teaching.check_words(settings, tokenizer, own)
        positions = min(positions, config.n_positions)
    else:
        config = run.load_parts(settings)[0]
        positions = min(positions, config.n_positions)
    corpus = data.language_modeling(dataset, tokenizer, settings, max_positions=positions)
    say(*corpus.report)
    if teaching.of_teacher(settings):
        config = loading.from_pretrained(XfmrGPT2Config, settings.teacher)
        config.update(run.special(corpus.tokenizer))
        return corpus, teaching.made_of(settings, XfmrGPT2ForCausalLM, config, teacher.model)
    student = run.build_model(settings, config, corpus)
    if student.config.vocab_size != teacher.config.vocab_size:
        if settings.model:
            raise UserError(
                f"model: {settings.model} has an embedding of {student.config.vocab_size:,} rows, and the teacher "
                f"{teacher.config.vocab_size:,}: leave model out, or give a checkpoint of the same size"
            )
        student.resize_token_embeddings(teacher.config.vocab_size)
    return corpus, student


def make_trainer(
    settings: DistillSettings, args: XfmrTrainingArguments, model: Any, corpus: LanguageModelingData, teacher: Teacher
) -> XfmrTrainer:
    """A trainer of the student, whose teacher reads each batch too."""
    trainer = run.make_trainer(settings, args, model, corpus, made=StudentTrainer)
    assert isinstance(trainer, StudentTrainer)
    trainer.settings, trainer.teacher = settings, teacher.model
    return trainer


class StudentTrainer(DistillTrainer):
    """Trains by what the teacher says of each labelled token, by the labels, and by the states of its blocks: the mean
    over a batch's labelled tokens."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inputs, layers = dict(inputs), self.layers(model)
        targets = next_tokens(inputs.pop("labels"), inputs.get("attention_mask"))
        # One row's scores are asked for, so that all others are made here, some at a time.
        out = model(**inputs, output_hidden_states=True, logits_to_keep=1)
        said = self.taught(inputs, states=bool(layers))
        own, labelled = out.hidden_states[-1], targets != IGNORE
        head = getattr(model, "module", model).lm_head
        with self.autocast_smart_context_manager():
            softened = softened_loss(
                own[labelled],
                said.last_hidden_state[labelled],
                head.weight,
                self.teacher.lm_head.weight,
                self.settings.temperature,
            )
            loss = (1 - self.settings.label_share) * softened
            if self.settings.label_share:
                loss = loss + self.settings.label_share * vocabulary_loss(own, targets, head)
        if layers:
            loss = loss + self.of_states(out.hidden_states, said.hidden_states, layers, inputs)
        loss = self.part(loss)
        return (loss, out) if return_outputs else loss


def softened_loss(own: Any, wanted: Any, head: Any, theirs: Any, temperature: float) -> Any:
    """`distillation.soft_loss` of the scores own [N, E] @ head [V, E]^T and wanted [N, F] @ theirs [V, F]^T, without
    holding more than HELD of them; those of a part are made again on the way back."""
    rows = max(1, HELD // len(head))
    total = own.new_zeros((), dtype=torch.float32)
    for x, y in zip(own.split(rows), wanted.split(rows), strict=True):
        total = total + checkpoint(_divergence, x, y, head, theirs, temperature, use_reentrant=False)
    return total * temperature**2 / max(len(own), 1)


def _divergence(x: Any, y: Any, head: Any, theirs: Any, temperature: float) -> Any:
    own, wanted = (F.log_softmax((a @ b.t()).float() / temperature, -1) for a, b in ((x, head), (y, theirs)))
    return F.kl_div(own, wanted, reduction="sum", log_target=True)


def beside_teacher(
    trainer: Any,
    model: Any,
    settings: DistillSettings,
    corpus: LanguageModelingData,
    teacher: Teacher,
    found: Mapping[str, Measured],
) -> dict[str, Any] | None:
    """What run.json keeps as `distilled` (see `side_by_side.beside`): perplexity, and tokens a second of blocks as they
    are packed; None where nothing is held out. `found` is what the student makes of that (`ending.held_out`)."""
    split = next(reversed(list(found)), None)
    if split is None or settings.streaming:
        return None
    was, size = model.training, trainer.args.per_device_eval_batch_size
    models = {"student": model.eval(), "teacher": teacher.model.to(model.device)}
    figures, losses = found[split]
    by_teacher, theirs = measured(models["teacher"], settings, corpus, split, size)
    scores = {"student": figures["perplexity"], "teacher": by_teacher["perplexity"]}
    blocks = [
        trainer.data_collator([corpus.splits[split][place]]) for place in range(min(TIMED, len(corpus.splits[split])))
    ]
    read = [{name: value.to(model.device) for name, value in one.items() if name != "labels"} for one in blocks]

    @torch.inference_mode()
    def over(one: Any) -> None:
        for block in read:
            one(**block)

    def perplexity(weights: np.ndarray, of: Losses) -> np.ndarray:
        nats, tokens = (np.array([getattr(one, name) for one in of.documents], float) for name in ("nats", "tokens"))
        return np.exp(np.minimum(weights @ nats / np.maximum(weights @ tokens, 1), 700))

    told = side_by_side.beside(
        {"name": teacher.name, "split": split, "rows": len(losses.documents), "figure": "perplexity"},
        scores,
        models,
        {who: partial(over, one) for who, one in models.items()},
        sum(int(one["attention_mask"].sum()) for one in read),
        drawn=lambda weights: (perplexity(weights, losses), perplexity(weights, theirs)),
        unit="tokens",
        lower=True,
    )
    model.train(was)
    return told
