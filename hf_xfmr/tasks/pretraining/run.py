"""The parts of a pre-training run: the model its settings ask for, its trainer, and what it ends with."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from transformers import AutoTokenizer

from ...data.wording import opening
from ...errors import UserError
from ...models.bert import XfmrBertConfig
from ...report.figures import of_figures
from ...report.verdict.lines import lines
from ...run import encoders, loading, lora, own_words, ranges
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...run.starting_point import check_end, check_origin, new_config
from ...tokenizer import ENCODER_TOKENS, for_encoder
from ...tokenizer import train as train_tokenizer
from ...training import XfmrTrainer, XfmrTrainingArguments
from . import verdict
from .data import MaskedRows, PretrainingCollator, PretrainingData, PretrainingSettings
from .metrics import FIGURES, NSP_FIGURES, evaluate_in_detail
from .trainer import EpochOfRows, PretrainingTrainer

TOKENIZERS = ("wordpiece", "unigram")


@dataclass(kw_only=True)
class ModelSettings(lora.LoraSettings, own_words.OwnWordsSettings):
    """Which model is trained."""

    model: str | None = field(
        default=None,
        metadata={
            "help": "BERT, RoBERTa or DistilBERT checkpoint to go on from: a folder, a name on the Hub or a sample:; "
            "none: from scratch"
        },
    )
    model_config: dict | None = field(
        default=None, metadata={"help": "From scratch: {field: value, …} of XfmrBertConfig, sizes above all"}
    )
    tokenizer: str | None = field(
        default=None,
        metadata={
            "help": "From scratch: wordpiece (left out: this) or unigram, trained on the train split; or a tokenizer's "
            "folder or name on the Hub"
        },
    )


def check(settings: ModelSettings, data: PretrainingSettings, args: XfmrTrainingArguments) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    check_origin(settings, "model_config", "tokenizer")
    own_words.check(settings)
    lora.check(settings)
    check_end(data.streaming, args.max_steps)
    ranges.check_best(args, (*FIGURES, *NSP_FIGURES) if data.nsp else FIGURES)


def load_parts(settings: ModelSettings, *, nsp: bool):
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts.
    Raises `UserError` if next sentences (`nsp`) are to be learned by a model that has no head for them."""
    if settings.model:
        config, tokenizer = encoders.load_parts(settings.model)
        if nsp and "AutoModelForPreTraining" not in config.auto_classes:
            raise UserError(
                f"nsp: {settings.model} is a {config.stock_model_type}, which learns from masked words alone and has "
                "no head for next sentences: add --nsp false"
            )
        return config, tokenizer if settings.add_words is None else own_words.Growing(tokenizer, settings)
    config = new_config(XfmrBertConfig, settings.model_config)
    kind = settings.tokenizer or "wordpiece"
    if kind not in TOKENIZERS:
        return config, loading.from_pretrained(AutoTokenizer, kind)

    def train(texts: Iterable[str]):
        size = config.vocab_size - (len(ENCODER_TOKENS) if kind == "unigram" else 0)
        trained = train_tokenizer(
            texts, kind, vocab_size=size, model_max_length=config.max_position_embeddings, lowercase=True
        )
        return for_encoder(trained) if kind == "unigram" else trained

    return config, train


def build_model(settings: ModelSettings, config: Any, corpus: PretrainingData):
    """`XfmrBertForPreTraining`, or without nsp a masked language model of the config's kind, from the checkpoint or
    from scratch."""
    model_class = encoders.model_class(config, "AutoModelForPreTraining" if corpus.nsp else "AutoModelForMaskedLM")
    size = len(corpus.tokenizer)
    if not settings.model:
        config.update({"vocab_size": size, "pad_token_id": corpus.tokenizer.pad_token_id})
        return model_class(config)
    model = loading.to_train(model_class, settings.model)
    lora.refuse_new_words(settings, size - config.vocab_size)
    own_words.grow(model, corpus.tokenizer, config.vocab_size)
    return lora.adapt(model, settings, targets=("query", "key", "value"))


def make_trainer(args: XfmrTrainingArguments, model, corpus: PretrainingData) -> PretrainingTrainer:
    """A trainer for the rows. Raises `UserError` for evaluations with nothing held out."""
    ranges.check_held_out(args, corpus.splits)
    args.remove_unused_columns = False
    train = corpus.splits["train"]
    trainer = PretrainingTrainer(
        model,
        args,
        train_dataset=train,
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=PretrainingCollator(corpus.tokenizer),
        callbacks=[EpochOfRows(train)] if isinstance(train, MaskedRows) else None,
    )
    trainer.held_out = corpus.held_out()
    return trainer


def finish(trainer: XfmrTrainer, settings: ModelSettings, corpus: PretrainingData, seconds: float) -> dict:
    """Evaluate validation and test, print the result, and save model and report. Returns the metrics of each split."""
    args = trainer.args
    model = lora.within(trainer.accelerator.unwrap_model(trainer.model))
    surprise = verdict.surprise(corpus, model.config.vocab_size)
    results: dict[str, dict[str, float]] = {}
    detail = None
    for split, rows in corpus.splits.items():
        if split != "train":
            results[split], detail = evaluate_in_detail(
                model, rows, trainer.data_collator, batch_size=args.per_device_eval_batch_size, surprise=surprise
            )
    shown = next(reversed(results), None)
    log, arguments = trainer.state.log_history, args.to_dict()
    judged = verdict.of_run(shown, results.get(shown or "", {}), detail, log, arguments)
    say(*lines(judged))
    say(f"trained in {seconds:.0f} s, on {trainer.state.num_input_tokens_seen:,} tokens")
    for split, figures in results.items():
        say(f"{split}, {figures['masked']:,} masked tokens:", *of_figures(figures))
    folder = save_and_report(
        trainer,
        settings,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        verdict=judged,
    )
    say_how_to_try("fill", str(folder), _example(corpus))
    return results


def _example(corpus: PretrainingData) -> str:
    """A text with one of its words masked, to try; where words have no spaces between them, one of its characters."""
    text, mask = opening(next(iter(corpus.documents["train"])), 40), corpus.tokenizer.mask_token
    words = text.split(" ")
    if len(words) > 2:
        words[len(words) // 2] = mask
        return " ".join(words)
    middle = len(text) // 2
    return f"{text[:middle]}{mask}{text[middle + 1 :]}"
