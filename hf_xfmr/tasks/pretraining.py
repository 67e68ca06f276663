"""The parts of a pre-training run: the model its settings ask for, its trainer, and what it ends with."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, TrainerCallback

from .. import recipe
from ..data.pretraining import MaskedRows, PretrainingCollator, PretrainingData, PretrainingSettings
from ..errors import UserError
from ..models.bert import XfmrBertConfig, XfmrBertForMaskedLM, XfmrBertForPreTraining
from ..models.losses import IGNORE
from ..tokenizer import ENCODER_TOKENS, for_encoder
from ..tokenizer import train as train_tokenizer
from ..training import XfmrTrainer, XfmrTrainingArguments
from ..training.many_processes import in_parts
from .starting_point import check_end, check_origin, new_config, of_checkpoint

TOKENIZERS = ("wordpiece", "unigram")


@dataclass(kw_only=True)
class ModelSettings:
    """Which model is trained."""

    model: str | None = field(
        default=None,
        metadata={
            "help": "BERT checkpoint to go on from: a folder, a name on the Hub or a sample:; none: from scratch"
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
    check_end(data.streaming, args.max_steps)


def load_parts(settings: ModelSettings):
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts."""
    if settings.model:
        return of_checkpoint(XfmrBertConfig, settings.model)
    config = new_config(XfmrBertConfig, settings.model_config)
    kind = settings.tokenizer or "wordpiece"
    if kind not in TOKENIZERS:
        return config, recipe.from_pretrained(AutoTokenizer, kind)

    def train(texts: Iterable[str]):
        size = config.vocab_size - (len(ENCODER_TOKENS) if kind == "unigram" else 0)
        trained = train_tokenizer(
            texts, kind, vocab_size=size, model_max_length=config.max_position_embeddings, lowercase=True
        )
        return for_encoder(trained) if kind == "unigram" else trained

    return config, train


def build_model(settings: ModelSettings, config: XfmrBertConfig, corpus: PretrainingData):
    """`XfmrBertForPreTraining`, or without nsp `XfmrBertForMaskedLM`, from the checkpoint or from scratch."""
    model_class = XfmrBertForPreTraining if corpus.nsp else XfmrBertForMaskedLM
    size = len(corpus.tokenizer)
    if not settings.model:
        config.update({"vocab_size": size, "pad_token_id": corpus.tokenizer.pad_token_id})
        return model_class(config)
    model = recipe.from_pretrained(model_class, settings.model)
    if size > config.vocab_size:
        model.resize_token_embeddings(size)
        recipe.say(f"embeddings: {size - config.vocab_size:,} rows added for tokens that the checkpoint has not")
    return model


class EpochOfRows(TrainerCallback):
    """Tells the rows which epoch begins. Trainer's loader does so too, but not where a run resumes within an epoch."""

    def __init__(self, rows: MaskedRows):
        self.rows = rows

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.rows.set_epoch(int(state.epoch + 1e-6))


class PretrainingTrainer(XfmrTrainer):
    """Evaluates by `evaluate`, which scores the masked words only and keeps no scores."""

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        model = self.accelerator.unwrap_model(self.model)
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        figures = evaluate(model, rows, self.data_collator, batch_size=self.args.eval_batch_size)
        logged = {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        self.log(logged)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, logged)
        return logged


@torch.no_grad()
def evaluate(model, rows, collate, *, batch_size: int = 32) -> dict[str, float]:
    """Score every masked word and every pair once, without dropout; the figures do not depend on `batch_size`.

    Returns `loss` (of both tasks), `mlm_loss` (mean negative log-likelihood of a masked token, nats), `perplexity` (its
    exponential), `mlm_accuracy`, `masked` (tokens asked); with next sentences `nsp_loss`, `nsp_accuracy` and `pairs`.
    """
    sums = dict.fromkeys(("mlm", "right", "masked", "nsp", "nsp_right", "pairs"), 0.0)
    was_training = model.training
    model.eval()
    for batch in DataLoader(rows, batch_size=batch_size, collate_fn=collate):
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        with in_parts(model):
            _score(model, batch, sums)
    model.train(was_training)
    if not sums["masked"]:
        raise UserError("no token of the evaluation texts is masked: there are too few")
    loss = sums["mlm"] / sums["masked"]
    figures = {
        "loss": loss,
        "mlm_loss": loss,
        "perplexity": math.exp(min(loss, 700)),
        "mlm_accuracy": sums["right"] / sums["masked"],
        "masked": int(sums["masked"]),
    }
    if sums["pairs"]:
        figures |= {
            "loss": loss + sums["nsp"] / sums["pairs"],
            "nsp_loss": sums["nsp"] / sums["pairs"],
            "nsp_accuracy": sums["nsp_right"] / sums["pairs"],
            "pairs": int(sums["pairs"]),
        }
    return figures


def _score(model, batch: dict[str, torch.Tensor], sums: dict) -> None:
    labels, follows = batch.pop("labels"), batch.pop("next_sentence_label", None)
    out = model.bert(**batch)
    asked = labels != IGNORE  # (B, T)
    _add(sums, "mlm", "right", "masked", model.mlm_head(out.last_hidden_state[asked]), labels[asked])
    if follows is not None:
        asked = follows != IGNORE  # (B,)
        _add(sums, "nsp", "nsp_right", "pairs", model.nsp_head(out.pooler_output[asked]), follows[asked])


def _add(sums: dict, loss: str, right: str, count: str, logits: torch.Tensor, labels: torch.Tensor) -> None:
    sums[loss] += float(F.cross_entropy(logits.float(), labels, reduction="sum"))
    sums[right] += int((logits.argmax(-1) == labels).sum())
    sums[count] += len(labels)


def make_trainer(args: XfmrTrainingArguments, model, corpus: PretrainingData) -> PretrainingTrainer:
    """A trainer for the rows. Raises `UserError` for evaluations with nothing held out."""
    if args.eval_strategy != "no" and "validation" not in corpus.splits:
        raise UserError("nothing is held out to evaluate on: give validation_fraction, or set eval_strategy to 'no'")
    args.remove_unused_columns = False
    train = corpus.splits["train"]
    return PretrainingTrainer(
        model,
        args,
        train_dataset=train,
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=PretrainingCollator(corpus.tokenizer),
        callbacks=[EpochOfRows(train)] if isinstance(train, MaskedRows) else None,
    )


def finish(trainer: XfmrTrainer, settings: ModelSettings, corpus: PretrainingData, seconds: float) -> dict:
    """Evaluate validation and test, print the result, and save model and report. Returns the metrics of each split."""
    args = trainer.args
    model = trainer.accelerator.unwrap_model(trainer.model)
    results = {
        split: evaluate(model, rows, trainer.data_collator, batch_size=args.per_device_eval_batch_size)
        for split, rows in corpus.splits.items()
        if split != "train"
    }
    recipe.say(f"trained in {seconds:.0f} s, on {trainer.state.num_input_tokens_seen:,} tokens")
    for split, figures in results.items():
        shown = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in figures.items() if type(value) is float]
        recipe.say(f"{split}, {figures['masked']:,} masked tokens: {', '.join(shown)}")
    folder = recipe.finish(
        trainer, settings, tokenizer=corpus.tokenizer, metrics=results, seconds=seconds, data=corpus.report
    )
    recipe.say_how_to_try("fill", str(folder), _example(corpus))
    return results


def _example(corpus: PretrainingData) -> str:
    """A text with one of its words masked, to try."""
    text = " ".join(next(iter(corpus.documents["train"])).split())[:40]
    middle = len(text) // 2
    return f"{text[:middle]}{corpus.tokenizer.mask_token}{text[middle + 1 :]}"
