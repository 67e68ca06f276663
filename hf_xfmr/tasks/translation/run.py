"""The parts of a translation run: its tokenizers and model, its trainer, and what it ends with."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset

from ... import tokenizer
from ...drawing import attention, files
from ...errors import UserError
from ...models.transformer import XfmrConfig, XfmrForConditionalGeneration
from ...report.figures import of_figures
from ...report.verdict.lines import lines
from ...run import loading, lora, ranges
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...run.starting_point import check_origin, new_config
from ...training.many_processes import is_spread
from ...writing import whole
from . import verdict
from .averaging import checkpoints, load_average
from .contest import headline
from .data import TranslationData
from .metrics import translation_metrics
from .token_batches import TranslationCollator
from .tokenizer_pair import TokenizerPair, ends_texts
from .trainer import XfmrSeq2SeqArguments, XfmrSeq2SeqTrainer

KINDS = ("unigram", "bpe", "char")
EXAMPLES = 20  # translations shown in the report


@dataclass(kw_only=True)
class ModelSettings(lora.LoraSettings):
    """Which model and which tokenizers."""

    model: str | None = field(
        default=None,
        metadata={
            "help": "checkpoint: an opus-mt model on the Hub or any of Marian's, or a folder; none: from scratch"
        },
    )
    model_config: dict | None = field(
        default=None, metadata={"help": "from scratch: fields of XfmrConfig, sizes above all; none: the paper's base"}
    )
    tokenizer_kind: str = field(
        default="unigram", metadata={"help": f"from scratch: kind of the tokenizers trained: {', '.join(KINDS)}"}
    )
    vocab_size: int = field(default=37_000, metadata={"help": "from scratch: most tokens of a vocabulary"})
    shared_vocabulary: bool = field(
        default=True,
        metadata={"help": "from scratch: one tokenizer and one embedding for both languages, as in the paper; or two"},
    )
    label_smoothing: float = field(
        default=0.1, metadata={"help": "share of a target spread over all tokens (paper: 0.1)"}
    )
    num_beams: int | None = field(
        default=None, metadata={"help": "beams of the search; none: the checkpoint's own, from scratch 4 (paper)"}
    )
    length_penalty: float | None = field(
        default=None, metadata={"help": "exponent of the length in a beam's score; none: the checkpoint's own, or 0.6"}
    )


def check(settings: ModelSettings, args: XfmrSeq2SeqArguments) -> None:
    """Refuse settings that contradict one another, and fill in what follows from others. Raises `UserError`."""
    check_origin(settings, "model_config")
    lora.check(settings)
    if settings.tokenizer_kind not in KINDS:
        raise UserError(f'tokenizer_kind is "{settings.tokenizer_kind}"; it can be {", ".join(KINDS)}')
    if not 0 <= settings.label_smoothing < 1:
        raise UserError(f"label_smoothing is {settings.label_smoothing}; it must be at least 0 and less than 1")
    if args.label_smoothing_factor:
        raise UserError("label_smoothing_factor is for models of which Trainer sees all logits: use label_smoothing")
    best = (args.metric_for_best_model or "loss").removeprefix("eval_")
    ranges.check_best(args, ("bleu", "chrf", "exact_match"))
    if best != "loss" and not args.eval_sentences:
        raise UserError(f"metric_for_best_model {best} needs translations at each evaluation: set eval_sentences")
    if args.average_checkpoints < 1:
        raise UserError(f"average_checkpoints is {args.average_checkpoints}; it must be at least 1 (no averaging)")
    if args.average_checkpoints > 1 and settings.lora_rank:
        raise UserError("average_checkpoints is for whole models, not for lora_rank: give --average_checkpoints 1")
    if args.average_checkpoints > 1 and args.save_total_limit is not None:  # the best one may be older than the last
        args.save_total_limit = max(args.save_total_limit, args.average_checkpoints + 1)


def load_parts(settings) -> tuple[XfmrConfig, TokenizerPair | Callable]:
    """The config and tokenizers of the checkpoint; from scratch, in their place what makes them of the train texts."""
    if settings.model:
        config = loading.from_pretrained(XfmrConfig, settings.model)
        _check_length(settings, config)
        return config, loading.from_pretrained(TokenizerPair, settings.model, config=config)
    sizes = {"share_encoder_decoder_embeddings": settings.shared_vocabulary, **(settings.model_config or {})}
    config = new_config(XfmrConfig, sizes)
    _check_length(settings, config)

    def train(texts: list[str]):
        return ends_texts(
            tokenizer.train(
                texts,
                settings.tokenizer_kind,
                vocab_size=settings.vocab_size,
                model_max_length=config.max_position_embeddings,
                length=len(texts),
            )
        )

    def train_tokenizers(sources: list[str], targets: list[str]) -> TokenizerPair:
        if settings.shared_vocabulary:
            shared = train(sources + targets)
            return TokenizerPair(shared, shared)
        return TokenizerPair(train(sources), train(targets))

    return config, train_tokenizers


def _check_length(settings, config: XfmrConfig) -> None:
    if settings.max_length > config.max_position_embeddings:
        raise UserError(
            f"max_length {settings.max_length} is more than the model's {config.max_position_embeddings} positions; "
            "lower it"
        )


def build_model(settings: ModelSettings, config: XfmrConfig, corpus: TranslationData):
    """The checkpoint's model, or a new one for the corpus's tokenizers; it knows how it is to search."""
    config.label_smoothing = settings.label_smoothing
    if settings.model:
        model = loading.to_train(XfmrForConditionalGeneration, settings.model, config=config, whole=True)
    else:
        source, target = corpus.tokenizers.source, corpus.tokenizers.target
        # Marian's convention: the padding token also begins a target, so that no token serves for that alone.
        config = XfmrConfig(
            **{
                **config.to_dict(),
                "vocab_size": len(source),
                "decoder_vocab_size": len(target),
                "pad_token_id": target.pad_token_id,
                "bos_token_id": None,
                "eos_token_id": target.eos_token_id,
                "decoder_start_token_id": target.pad_token_id,
            }
        )
        model = XfmrForConditionalGeneration(config)
        # what begins and pads a target stands nowhere in it
        model.generation_config.update(num_beams=4, length_penalty=0.6, suppress_tokens=[target.pad_token_id])
    search = model.generation_config
    if settings.num_beams is not None:
        search.num_beams = settings.num_beams
    if settings.length_penalty is not None:
        search.length_penalty = settings.length_penalty
    elif search.num_beams == 1:
        search.length_penalty = None  # of beams alone
    return lora.adapt(model, settings, targets=("q_proj", "k_proj", "v_proj"), task="SEQ_2_SEQ_LM")


def make_trainer(
    settings: ModelSettings, args: XfmrSeq2SeqArguments, model, corpus: TranslationData
) -> XfmrSeq2SeqTrainer:
    """A trainer with the learning rate settled. Raises `UserError` where none is given and none follows."""
    if args.learning_rate is None:
        if settings.model or args.lr_scheduler_type != "inverse_sqrt" or args.warmup_steps < 1:
            raise UserError(
                "learning_rate is not given, and the paper's is for a model from scratch with lr_scheduler_type "
                "inverse_sqrt and warmup_steps: add learning_rate (for a checkpoint, 2e-5 is usual)"
            )
        args.learning_rate = (model.config.d_model * args.warmup_steps) ** -0.5
        say(f"learning rate: up to {args.learning_rate:.3g} at step {args.warmup_steps:g}, as in the paper")
    args.remove_unused_columns = False  # the collator leaves behind what the model does not read
    trainer = XfmrSeq2SeqTrainer(
        model,
        args,
        train_dataset=corpus.splits["train"],
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=TranslationCollator(corpus.tokenizers),
        tokenizers=corpus.tokenizers,
        score=lambda translations, references: translation_metrics(
            translations, references, language=corpus.target_lang
        )[0],
    )
    trainer.held_out = corpus.held_out()
    batches = trainer.get_train_dataloader()
    say(
        f"batches: {len(batches):,} an epoch of at most {args.tokens_per_batch:,} tokens a side, "
        f"{len(corpus.splits['train']) / len(batches) / args.world_size:.0f} pairs on average"
    )
    return trainer


def average_last(trainer: XfmrSeq2SeqTrainer) -> None:
    """Give the model the mean of the last `average_checkpoints` checkpoints' weights, if that is more than one."""
    folders = checkpoints(str(trainer.args.output_dir))[-trainer.args.average_checkpoints :]
    if trainer.args.average_checkpoints > 1 and folders:
        load_average(trainer.accelerator.unwrap_model(trainer.model), folders)
        say(f"averaged: the weights of {len(folders)} checkpoints, {folders[0].name} to {folders[-1].name}")


def finish(
    trainer: XfmrSeq2SeqTrainer, settings, corpus: TranslationData, seconds: float
) -> dict[str, dict[str, float]]:
    """Translate validation and test, print the result, and save translations, model and report. Returns the metrics."""
    folder = Path(str(trainer.args.output_dir))
    results: dict[str, dict[str, float]] = {}
    translations: list[str] = []
    signatures: list[str] = []
    for name in [name for name in ("validation", "test") if name in corpus.splits]:
        rows = corpus.splits[name]
        loss = (trainer.predict(rows).metrics or {})["test_loss"]  # type: ignore[arg-type]
        translations = trainer.translations(rows)
        figures, signatures = translation_metrics(translations, rows["target"][:], language=corpus.target_lang)
        results[name] = figures | {"loss": loss}
        if trainer.is_world_process_zero():
            _write(folder / f"translations-{name}.tsv", rows, translations)
    shown = next(reversed(results), None)
    log, arguments = trainer.state.log_history, trainer.args.to_dict()
    judged = verdict.of_run(corpus.splits, shown, translations, corpus.target_lang, log, arguments)
    say(*lines(judged), f"trained in {seconds:.0f} s")
    for name, figures in results.items():
        say(f"{name}, {len(corpus.splits[name]):,} pairs:", *of_figures(figures))
    say(*signatures)
    record: dict[str, Any] = {"verdict": judged}
    if shown:
        rows = corpus.splits[shown]
        estimates = headline(translations, rows["target"][:], language=corpus.target_lang)
        record |= {"split": shown, "rows": len(rows), "headline": estimates}
    examples = _examples(rows, translations) if translations else []
    if examples and is_spread(trainer.accelerator.unwrap_model(trainer.model)):
        say("attention-cross.svg is left out: no process holds the whole model")
    elif examples and trainer.is_world_process_zero():
        _draw(trainer, corpus.tokenizers, examples, folder)
    save_and_report(
        trainer,
        settings,
        tokenizer=corpus.tokenizers,
        metrics=results,
        seconds=seconds,
        data=[*corpus.report, *signatures],
        translations=examples,
        **record,
    )
    if examples:
        say_how_to_try("translate", str(folder), examples[0]["source"])
    return results


def _write(path: Path, rows: Dataset, translations: list[str]) -> None:
    with whole(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["id", "source", "reference", "translation"])
        writer.writerows(zip(rows["id"], rows["source"], rows["target"], translations, strict=True))


def _examples(rows: Dataset, translations: list[str]) -> list[dict[str, str]]:
    """Rows spread evenly over the split."""
    places = range(0, len(rows), max(1, len(rows) // EXAMPLES))[:EXAMPLES]
    return [
        {"source": rows[row]["source"], "reference": rows[row]["target"], "translation": translations[row]}
        for row in places
    ]


def _draw(trainer: XfmrSeq2SeqTrainer, tokenizers: TokenizerPair, examples: list[dict[str, str]], folder: Path) -> None:
    """For the report: where the decoder looked while it wrote a translation, the first that makes a clear picture."""
    model = lora.within(trainer.accelerator.unwrap_model(trainer.model))
    for source, target in ((one["source"], one["translation"]) for one in examples):
        sizes = [len(tokenizers.source_ids([source])[0]), len(tokenizers.target_ids([target])[0])]
        if min(sizes) >= 4 and max(sizes) <= min(30, model.config.max_position_embeddings):
            across, down, weights = attention.pair_weights(model, tokenizers, source, target)
            files.write(attention.cross(weights["cross"], across, down), folder / "attention-cross.svg")
            return
