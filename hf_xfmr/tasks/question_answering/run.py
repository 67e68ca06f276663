"""The parts of a run that answers questions: the model its settings ask for, and its trainer."""

from dataclasses import dataclass, field
from typing import Any

from ...errors import UserError
from ...run import encoders, loading, lora, ranges
from ...run.starting_point import check_origin
from ...training import XfmrTrainer, XfmrTrainingArguments
from . import baseline, metrics, read
from .answerer import HEAD
from .answers import during_training
from .data import AnsweringData
from .encode import AnsweringCollator


@dataclass(kw_only=True)
class ModelSettings(encoders.EncoderSettings):
    """Which model, and what it is compared with."""

    baseline: str = field(
        default="sentence",
        metadata={
            "help": "What the figures stand beside: sentence (that of the context with most words of the question) or "
            "none"
        },
    )


def check(settings: Any) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    check_origin(settings, "model_config")
    lora.check(settings)
    read.check(settings)
    if settings.baseline not in baseline.BASELINES:
        raise UserError(f"baseline is '{settings.baseline}'; it can be {', '.join(baseline.BASELINES)}")


def build_model(settings: ModelSettings, config: Any, corpus: AnsweringData):
    """A model of the config's kind with a start and an end for each token, from the checkpoint or from scratch. Its
    config keeps how contexts are read (`text_window`)."""
    names = {0: "LABEL_0", 1: "LABEL_1"}  # a start and an end, whatever labels the checkpoint had
    config.update({"id2label": names, "label2id": {name: number for number, name in names.items()}})
    config.update({"text_window": corpus.text_window})
    answerer = encoders.model_class(config, HEAD)
    if settings.model:
        model = loading.to_train(answerer, settings.model, config=config, head="qa_outputs")
        return lora.adapt(model, settings, targets=("query", "key", "value"), task="QUESTION_ANS")
    config.update({"vocab_size": len(corpus.tokenizer), "pad_token_id": corpus.tokenizer.pad_token_id})
    return answerer(config)


def make_trainer(args: XfmrTrainingArguments, model, corpus: AnsweringData) -> XfmrTrainer:
    """A trainer that evaluates whole contexts, not windows."""
    args.remove_unused_columns = False  # the collator leaves behind what the model does not read
    args.label_names = ["start_positions", "end_positions"]
    ranges.check_best(args, {"f1": 0.0, "exact_match": 0.0})
    ranges.check_held_out(args, corpus.splits)
    trainer = XfmrTrainer(
        model,
        args,
        train_dataset=corpus.splits["train"],
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=AnsweringCollator(corpus.tokenizer),
        compute_metrics=lambda outcome: during_training(outcome.predictions, corpus),
    )
    trainer.held_out = corpus.held_out()
    return trainer


def fit_baseline(settings: ModelSettings, corpus: AnsweringData) -> dict | None:
    """The baseline's name and its figures on the test questions; None without these."""
    if settings.baseline == "none" or "test" not in corpus.questions:
        return None
    rows = corpus.questions["test"]
    gold = rows["answers"][:]
    each = metrics.scores(corpus.metric, gold, baseline.predict(rows["text"][:], rows["text_pair"][:]))
    return {"name": baseline.NAME, "test": dict(metrics.answer_metrics(gold, each))}
