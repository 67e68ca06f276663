"""The parts of a classification run: the model its settings ask for, its trainer, and what it ends with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset

from ... import tokenizer
from ...data.wording import listed, opening
from ...errors import UserError
from ...models.bert import XfmrBertConfig
from ...report.figures import of_figures
from ...report.names import is_lower
from ...report.verdict.lines import lines
from ...run import defaults, encoders, loading, lora, ranges
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...run.starting_point import check_origin, naming_model_config, new_config
from ...training import XfmrTrainer, XfmrTrainingArguments
from . import (
    baseline,
    calibration,
    deciding,
    few,
    fit_decision,
    measure,
    predictions,
    probe,
    report,
    verdict,
    worst_words,
)
from .collate import ClassificationCollator
from .data import ClassificationData
from .folds import figures, left
from .many_labels import ManyLabels
from .many_trainer import ManyLabelsTrainer


@dataclass(kw_only=True)
class ModelSettings(few.FewLabelsSettings, lora.LoraSettings):
    """Which model, and how much of it is trained."""

    model: str | None = field(
        default=None,
        metadata={
            "help": "BERT, RoBERTa or DistilBERT checkpoint: sample:minilm, a folder, or a name on the Hub; none: from "
            "scratch"
        },
    )
    model_config: dict | None = field(
        default=None,
        metadata={
            "help": "From scratch: {field: value, …} of XfmrBertConfig, sizes above all; with a model: its dropout"
        },
    )
    tokenizer: str | None = field(
        default=None,
        metadata={
            "help": "From scratch: wordpiece, as BERT's, where Chinese characters stand alone (left out: this); or "
            "unigram, whose pieces are words in Chinese too"
        },
    )
    freeze_encoder: bool = field(
        default=False,
        metadata={"help": "Train the layers on [CLS] only, on features computed once (dropout off)"},
    )
    class_weights: str | None = field(
        default=None,
        metadata={"help": "auto: rare labels count more, so that all labels weigh the same in sum; or {label: weight}"},
    )


DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
DISTILBERT_DROPOUT = ("dropout", "attention_dropout", "seq_classif_dropout")


def check(settings: ModelSettings) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    check_origin(settings, "tokenizer")
    if settings.model and (
        told := [name for name in settings.model_config or {} if name not in DROPOUT + DISTILBERT_DROPOUT]
    ):
        raise UserError(
            f"model and model_config are both given: a checkpoint has its own {told[0]}, and only {', '.join(DROPOUT)} "
            "can be others, so leave one of them out"
        )
    if settings.tokenizer not in (None, "wordpiece", "unigram"):
        raise UserError(f"tokenizer is '{settings.tokenizer}'; it can be wordpiece or unigram")
    if settings.freeze_encoder and not settings.model:
        raise UserError("freeze_encoder needs a checkpoint: an encoder made from scratch has learned nothing to freeze")
    if settings.freeze_encoder and settings.lora_rank:
        raise UserError("freeze_encoder and lora_rank exclude one another: leave one of them out")
    lora.check(settings)
    fit_decision.wish(settings)


def load_parts(settings: ModelSettings):
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts."""
    if settings.model:
        config, own_tokenizer = encoders.load_parts(settings.model)
        ranges.check_model_config(settings.model_config or {})
        if told := [name for name in settings.model_config or {} if not hasattr(config, name)]:
            own = ", ".join(name for name in DROPOUT + DISTILBERT_DROPOUT if hasattr(config, name))
            raise UserError(f"model_config: {settings.model} has no {told[0]}; its dropout is {own}")
        with naming_model_config():
            config.update(settings.model_config or {})
        return config, own_tokenizer
    config = new_config(XfmrBertConfig, settings.model_config)
    if not settings.model_config:
        say(
            "model: none is named, so a BERT-base with random weights learns from these rows alone, which is slow and "
            "seldom good; --model sample:minilm (English) or another checkpoint begins from a trained one"
        )

    def train_tokenizer(texts: list[str]):
        kind = settings.tokenizer or "wordpiece"
        size = config.vocab_size if kind == "wordpiece" else config.vocab_size - len(tokenizer.ENCODER_TOKENS)
        trained = tokenizer.train(
            texts,
            kind,
            vocab_size=size,
            model_max_length=config.max_position_embeddings,
            lowercase=True,
            length=len(texts),
            keep=getattr(settings, "keep_tokenized", False),
        )
        return trained if kind == "wordpiece" else tokenizer.for_encoder(trained)

    return config, train_tokenizer


def build_model(settings: ModelSettings, config: Any, corpus: ClassificationData):
    """A sequence classifier of the config's kind with the corpus's labels, from the checkpoint or from scratch."""
    classifier = encoders.model_class(config, "AutoModelForSequenceClassification")
    names = corpus.problem.label_names or ["value"]
    config.update(
        {
            "id2label": dict(enumerate(names)),
            "label2id": {name: i for i, name in enumerate(names)},
            "problem_type": corpus.problem.problem_type,
            "class_weights": _class_weights(settings, corpus),
            "text_window": corpus.text_window,
        }
    )
    if settings.model:
        # A head for other labels than these is no use here: it starts anew, which the loader says in its line.
        model = loading.to_train(classifier, settings.model, config=config, head="classifier")
    else:
        config.update({"vocab_size": len(corpus.tokenizer), "pad_token_id": corpus.tokenizer.pad_token_id})
        model = classifier(config)
    return lora.adapt(model, settings, targets=("query", "key", "value"), task="SEQ_CLS")


def _class_weights(settings: ModelSettings, corpus: ClassificationData) -> list[float] | None:
    if settings.class_weights is None:
        return None
    if settings.class_weights == "auto":
        return corpus.problem.class_weights(corpus.splits["train"]["labels"][:])
    told = yaml.safe_load(settings.class_weights) if isinstance(settings.class_weights, str) else settings.class_weights
    if not isinstance(told, dict) or not all(isinstance(weight, int | float) for weight in told.values()):
        raise UserError(f"class_weights is '{settings.class_weights}'; it can be auto or {{label: weight, …}}")
    weights = {str(name): weight for name, weight in told.items()}
    names = corpus.problem.label_names
    if unknown := sorted(set(weights) - set(names)):
        raise UserError(f"class_weights names the label '{unknown[0]}', but the labels are {listed(names)}")
    return [float(weights.get(name, 1.0)) for name in names]


def make_trainer(
    settings: ModelSettings,
    args: XfmrTrainingArguments,
    model,
    corpus: ClassificationData,
    made: type[XfmrTrainer] = XfmrTrainer,
) -> tuple[XfmrTrainer, dict[str, Dataset]]:
    """A trainer for the model (`made`: of this class), or for its head alone on the features of the frozen encoder; and
    the splits it reads."""
    fit_decision.check(settings, corpus.problem, corpus.splits)
    splits: dict[str, Dataset] = dict(corpus.splits)
    indicators = corpus.problem.indicators
    collate: Callable = ClassificationCollator(corpus.tokenizer, indicators)
    args.remove_unused_columns = False  # the collator leaves behind what the model does not read
    if not settings.few_labels:  # which has defaults of its own
        defaults.settle(args, model, len(splits["train"]), lora=bool(settings.lora_rank))
    if "validation" in splits and not settings.few_labels:
        gold = corpus.problem.gold_of(corpus.problem.array(splits["validation"]["labels"][:]))
        judged_by = corpus.problem.judged_by(gold)
        defaults.best_by(args, judged_by, lower=is_lower(judged_by))
    if args.eval_strategy != "no" and (args.metric_for_best_model or "loss").removeprefix("eval_") != "loss":
        labels = corpus.splits["validation"]["labels"][:]  # on which it depends what figures there are
        outputs = corpus.problem.example_outputs(labels)
        ranges.check_best(args, corpus.problem.figures(outputs, corpus.problem.array(labels)))
    if settings.freeze_encoder:
        probe.check(model, corpus)
        model.requires_grad_(False)
        for layer in probe.head_of(model).values():
            layer.requires_grad_(True)
        say("frozen encoder: computing its features, once for all epochs")
        model.to(args.device)
        splits = {name: probe.features(model, rows, collate, args) for name, rows in splits.items()}
        collate = partial(probe.collate_features, indicators=indicators)
        args.include_num_input_tokens_seen = "no"
        model = probe.Probe(model)
    problem = corpus.problem
    kind = few.prepare(settings, model, corpus) or (
        ManyLabelsTrainer if isinstance(problem, ManyLabels) and made is XfmrTrainer else made
    )
    trainer = kind(
        model,
        args,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=collate,
        compute_metrics=lambda outcome: problem.figures(problem.outputs(outcome.predictions), outcome.label_ids),
    )
    trainer.held_out = corpus.held_out()
    return trainer, splits


def finish(
    trainer: XfmrTrainer,
    settings: ModelSettings,
    model,
    corpus: ClassificationData,
    splits: dict[str, Dataset],
    seconds: float,
    against: dict | None,
    **record: Any,
) -> dict[str, dict[str, float]]:
    """Predict validation and test, print the result, and save predictions, model and report. Returns the metrics.
    `record` are further entries of run.json."""
    folder, problem = Path(str(trainer.args.output_dir)), corpus.problem
    together = left.of_run(folder, corpus)
    found = measure.of_splits(trainer, settings, corpus, splits, folder, together)
    shown, results, decided = found.shown, found.results, found.decided
    if trainer.is_world_process_zero() and shown:
        for file, table in problem.files(found.logits, found.labels, corpus.splits["train"]["labels"][:]).items():
            predictions.write_rows(folder / file, table)
    if together and shown == "validation":
        against = together.against
    if shown == "test":
        left.keep(folder, trainer, corpus, found.logits, against)
    history, arguments = trainer.state.log_history, trainer.args.to_dict()
    told = verdict.of_run(
        *(problem, found.rows, shown, found.logits, against, found.calibration, history, arguments, settings),
        decision=decided.record,
        folds=together.of if together else None,
    )
    rows = f"; on {shown}, {len(found.logits):,} rows:" if shown else ""
    # of rows that this very model answered
    decided_words = worst_words.of_worst(trainer, model, corpus, shown, folder) if shown in splits else None
    said = [*lines(told), f"trained in {seconds:.0f} s{rows}"]
    if shown:
        logits, labels, answers = deciding.answered(found.logits, found.labels, found.answers)
        said += problem.tables(labels, problem.decided(logits) if answers is None else answers)
        said += of_figures(results[shown], baseline.beside(against, shown))
    say(*said, *calibration.said(found.calibration), *decided.said)
    config = lora.within(model).config  # None too: the checkpoint it began with may have had them
    config.calibration_temperature = found.temperature
    config.calibration_folded = None  # what was exported, and trained on
    config.decision_thresholds = decided.decision.thresholds if decided.decision else None
    config.decision_costs = decided.decision.costs if decided.decision else None
    if longest := corpus.text_window["max_length"]:
        corpus.tokenizer.model_max_length = longest  # which is saved with it: others cut where the training did
    save_and_report(
        trainer,
        settings,
        model=model,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        columns=corpus.column_names,
        evaluate=report.evaluate,
        label_names=problem.label_names or None,
        problem_type=problem.problem_type,
        calibration=found.calibration,
        decision=decided.record,
        baseline=baseline.record(against),
        folds=figures.summary(folder, together.of) if together else None,
        verdict=told,
        decided_words=decided_words,
        **record,
    )
    if (
        shown and "text_pair" in corpus.splits["train"].column_names
    ):  # a command line takes single texts, a file pairs too
        columns = ("--text_column", "text", "--text_pair_column", "text_pair")
        say_how_to_try("predict", str(folder), "--file", str(folder / f"predictions-{shown}.csv"), *columns)
    elif "text_pair" not in corpus.splits["train"].column_names:
        say_how_to_try("predict", str(folder), opening(corpus.splits["train"][0]["text"]))
    return results | ({"baseline": against[shown]} if against and shown else {})
