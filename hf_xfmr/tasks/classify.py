"""The parts of a classification run: the model its settings ask for, its trainer, and what it ends with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import yaml
from datasets import Dataset

from .. import recipe, tokenizer
from ..data import ClassificationCollator, ClassificationData
from ..errors import UserError
from ..models.bert import XfmrBertConfig, XfmrBertForSequenceClassification
from ..report import calibration
from ..training import XfmrTrainer, XfmrTrainingArguments
from ..training.many_processes import once
from . import baseline, metrics, predictions, probe
from .starting_point import check_origin, naming_model_config, new_config, of_checkpoint


@dataclass(kw_only=True)
class ModelSettings:
    """Which model, and how much of it is trained."""

    model: str | None = field(
        default=None,
        metadata={"help": "BERT checkpoint: sample:minilm, a folder, or a name on the Hub; none: from scratch"},
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
        metadata={"help": "Train the linear layer on [CLS] only, on features computed once (dropout off)"},
    )
    class_weights: str | None = field(
        default=None,
        metadata={"help": "auto: rare labels count more, so that all labels weigh the same in sum; or {label: weight}"},
    )
    lora_rank: int | None = field(
        default=None, metadata={"help": "Train low-rank updates of query, key and value only (needs hf_xfmr[lora])"}
    )
    lora_alpha: int = field(default=16, metadata={"help": "Scale of the LoRA updates, over lora_rank"})


DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")


def check(settings: ModelSettings) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    check_origin(settings, "tokenizer")
    if settings.model and (told := [name for name in settings.model_config or {} if name not in DROPOUT]):
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


def load_parts(settings: ModelSettings):
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts."""
    if settings.model:
        config, own_tokenizer = of_checkpoint(XfmrBertConfig, settings.model)
        with naming_model_config():
            config.update(settings.model_config or {})
        return config, own_tokenizer
    config = new_config(XfmrBertConfig, settings.model_config)

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
        )
        return trained if kind == "wordpiece" else tokenizer.for_encoder(trained)

    return config, train_tokenizer


def build_model(settings: ModelSettings, config: XfmrBertConfig, corpus: ClassificationData):
    """`XfmrBertForSequenceClassification` with the corpus's labels, from the checkpoint or from scratch."""
    names = corpus.label_names or ["value"]
    config.update(
        {
            "id2label": dict(enumerate(names)),
            "label2id": {name: i for i, name in enumerate(names)},
            "problem_type": corpus.problem_type,
            "class_weights": _class_weights(settings, corpus),
            "text_window": corpus.text_window,
        }
    )
    if settings.model:
        # A head for other labels than these is no use here: it starts anew, which the loader says in its line.
        model = recipe.from_pretrained(
            XfmrBertForSequenceClassification, settings.model, config=config, ignore_mismatched_sizes=True
        )
    else:
        config.update({"vocab_size": len(corpus.tokenizer), "pad_token_id": corpus.tokenizer.pad_token_id})
        model = XfmrBertForSequenceClassification(config)
    if settings.lora_rank:
        return _with_lora(model, settings)
    return model


def _class_weights(settings: ModelSettings, corpus: ClassificationData) -> list[float] | None:
    if settings.class_weights is None:
        return None
    if settings.class_weights == "auto":
        return corpus.class_weights()
    told = yaml.safe_load(settings.class_weights) if isinstance(settings.class_weights, str) else settings.class_weights
    if not isinstance(told, dict) or not all(isinstance(weight, int | float) for weight in told.values()):
        raise UserError(f"class_weights is '{settings.class_weights}'; it can be auto or {{label: weight, …}}")
    weights = {str(name): weight for name, weight in told.items()}
    names = corpus.label_names or []
    if unknown := sorted(set(weights) - set(names)):
        raise UserError(f"class_weights names the label '{unknown[0]}', but the labels are {', '.join(names)}")
    return [float(weights.get(name, 1.0)) for name in names]


def _with_lora(model, settings: ModelSettings):
    try:
        import peft
    except ImportError:
        raise UserError("lora_rank needs the peft package: pip install 'hf_xfmr[lora]'") from None
    assert settings.lora_rank is not None
    options = peft.LoraConfig(
        task_type="SEQ_CLS",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=0.1,
        target_modules=["query", "key", "value"],
    )
    return peft.get_peft_model(model, options)


def make_trainer(
    settings: ModelSettings, args: XfmrTrainingArguments, model, corpus: ClassificationData
) -> tuple[XfmrTrainer, dict[str, Dataset]]:
    """A trainer for the model, or for its head alone on the features of the frozen encoder; and the splits it reads."""
    splits: dict[str, Dataset] = dict(corpus.splits)
    collate: Callable = ClassificationCollator(corpus.tokenizer)
    args.remove_unused_columns = False  # the collator leaves behind what the model does not read
    if settings.freeze_encoder:
        model.requires_grad_(False)
        model.classifier.requires_grad_(True)
        recipe.say("frozen encoder: computing its features, once for all epochs")
        model.to(args.device)
        with torch.autocast(args.device.type, torch.bfloat16, enabled=bool(args.bf16)):
            splits = {name: probe.features(model, rows, collate) for name, rows in splits.items()}
        collate = probe.collate_features
        args.include_num_input_tokens_seen = "no"
        model = probe.Probe(model)
    trainer = XfmrTrainer(
        model,
        args,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=collate,
        compute_metrics=lambda outcome: figures(outcome.predictions, outcome.label_ids, corpus),
    )
    return trainer, splits


def figures(logits, labels, corpus: ClassificationData) -> dict[str, float]:
    """All metrics of a split's logits."""
    return metrics.classification_metrics(
        logits, labels, problem_type=corpus.problem_type, label_names=corpus.label_names or []
    )


MAIN = {"single_label_classification": "accuracy", "multi_label_classification": "f1_micro", "regression": "pearson"}


@once
def fit_baseline(corpus: ClassificationData) -> dict:
    """The baseline's name and its metrics on test, after fitting it on train."""
    train, test = corpus.splits["train"], corpus.splits["test"]
    name, scores = baseline.predict(
        _texts(train),
        np.asarray(train["labels"]),
        _texts(test),
        problem_type=corpus.problem_type,
        num_labels=corpus.num_labels,
    )
    return {"name": name, "test": figures(scores, np.asarray(test["labels"]), corpus)}


def _texts(rows: Dataset) -> list[str]:
    if "text_pair" not in rows.column_names:
        return rows["text"][:]
    return [f"{a} {b}" for a, b in zip(rows["text"], rows["text_pair"], strict=True)]


def finish(
    trainer: XfmrTrainer,
    settings: ModelSettings,
    model,
    corpus: ClassificationData,
    splits: dict[str, Dataset],
    seconds: float,
    against: dict | None,
) -> dict[str, dict[str, float]]:
    """Predict validation and test, print the result, and save predictions, model and report. Returns the metrics."""
    folder = Path(str(trainer.args.output_dir))
    results: dict[str, dict[str, float]] = {}
    fitted: dict | None = None
    for name in [name for name in ("validation", "test") if name in splits]:
        labels = np.asarray(corpus.splits[name]["labels"])
        logits = np.asarray(trainer.predict(splits[name]).predictions)
        results[name] = figures(logits, labels, corpus)
        if name == "validation" and "test" in splits and corpus.problem_type != "regression":
            fitted = _temperature(logits, labels, corpus.problem_type)
        if trainer.is_world_process_zero():
            predictions.write(
                folder / f"predictions-{name}.csv",
                corpus.splits[name],
                logits,
                problem_type=corpus.problem_type,
                label_names=corpus.label_names,
            )
    recipe.say(*_summary(name, logits, labels, results[name], corpus, seconds, against), *_say_temperature(fitted))
    if settings.lora_rank:
        if trainer.is_world_process_zero():
            model.save_pretrained(folder / "adapter")
        model = model.merge_and_unload()
    # None too: the checkpoint it began with may have had one.
    model.config.calibration_temperature = fitted["temperature"] if fitted and fitted["kept"] else None
    recipe.finish(
        trainer,
        settings,
        model=model,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        label_names=corpus.label_names,
        problem_type=corpus.problem_type,
        calibration=fitted,
        baseline=against,
    )
    if "text_pair" in corpus.splits["train"].column_names:  # a command line takes single texts, a file pairs too
        columns = ("--text_column", "text", "--text_pair_column", "text_pair")
        recipe.say_how_to_try("predict", str(folder), "--file", str(folder / f"predictions-{name}.csv"), *columns)
    else:
        recipe.say_how_to_try("predict", str(folder), corpus.splits["train"][0]["text"][:60])
    return results | ({"baseline": against["test"]} if against else {})


def _temperature(logits: np.ndarray, labels: np.ndarray, problem_type: str) -> dict:
    """What makes the probabilities of these rows likeliest when the logits are divided by it, and whether it is kept.
    Both None and False where there is none."""
    shares = predictions.probabilities(np.asarray(logits, float), problem_type)
    gold = labels.astype(bool) if labels.ndim == 2 else labels
    temperature = calibration.fit_temperature(shares, gold)
    return {
        "temperature": temperature,
        "kept": temperature is not None and calibration.helps(shares, gold, temperature),
    }


def _say_temperature(fitted: dict | None) -> list[str]:
    if fitted is None or fitted["temperature"] is None:
        return []
    if not fitted["kept"]:
        return [f"calibration: a temperature of {fitted['temperature']:.2f} helps no more than chance: left out"]
    return [f"calibration: temperature {fitted['temperature']:.2f}, fitted on validation and kept for `predict`"]


def _summary(split, logits, labels, result, corpus: ClassificationData, seconds: float, against) -> list[str]:
    lines = [f"trained in {seconds:.0f} s; on {split}, {len(labels):,} rows:"]
    if corpus.problem_type == "single_label_classification":
        guesses, names = logits.argmax(-1), corpus.label_names or []
        lines += metrics.per_class_table(labels, guesses, names)
        lines += _confusion_table(metrics.confusion(labels, guesses, len(names)), names)
    elif corpus.problem_type == "multi_label_classification":
        lines += metrics.per_class_table(labels, logits > 0, corpus.label_names or [])
    lines.append("  ".join(f"{name} {value:.4f}" for name, value in result.items()))
    if against and split == "test":
        main = MAIN[corpus.problem_type]
        ahead = result[main] - against["test"][main]
        lines.append(f"{main} {result[main]:.4f}, {ahead:+.4f} against {against['test'][main]:.4f} ({against['name']})")
    return lines


def _confusion_table(counts: np.ndarray, names: list[str]) -> list[str]:
    width = max(8, *(len(name) + 2 for name in names))
    head = "gold \\ predicted".ljust(width + 8) + "".join(name.rjust(width) for name in names)
    return [head] + [
        name.ljust(width + 8) + "".join(f"{count:,}".rjust(width) for count in row)
        for name, row in zip(names, counts, strict=True)
    ]
