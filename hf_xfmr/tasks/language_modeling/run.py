"""The parts of a language-modelling run: the model its settings ask for, its trainer, and what it ends with."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from tokenizers import Tokenizer
from tqdm.auto import tqdm
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    TrainerCallback,
)

from ...errors import UserError
from ...models.gpt2 import XfmrGPT2Config, XfmrGPT2ForCausalLM
from ...plain import harmless
from ...report.figures import of_figures
from ...report.verdict.lines import lines
from ...run import loading, lora, ranges
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...run.starting_point import check_end, check_origin, new_config, of_checkpoint
from ...tokenizer import train as train_tokenizer
from ...tokenizer.kinds import KINDS
from ...training import XfmrTrainer, XfmrTrainingArguments
from ...training.many_processes import in_parts, is_spread
from ...writing import whole
from . import verdict
from .data import LanguageModelingData, LanguageModelingSettings
from .metrics import Document, Losses, evaluate_in_detail
from .pack import LanguageModelingCollator

SAMPLE_TOKENS = 100
PROMPT_CHARACTERS = 16


@dataclass(kw_only=True)
class ModelSettings(lora.LoraSettings):
    """Which model, and what is looked at while and after it is trained."""

    model: str | None = field(
        default=None, metadata={"help": "GPT-2 checkpoint: a folder or a name on the Hub; none: from scratch"}
    )
    model_config: dict | None = field(
        default=None, metadata={"help": "From scratch: {field: value, …} of XfmrGPT2Config, sizes above all"}
    )
    tokenizer: str | None = field(
        default=None,
        metadata={
            "help": f"From scratch: one of {', '.join(KINDS)}, trained on the train split with model_config's "
            "vocab_size; or a tokenizer's folder or name on the Hub; none: bpe"
        },
    )
    stride: int | None = field(
        default=None, metadata={"help": "At the end, also evaluate in windows that begin so many tokens apart"}
    )
    sample_every: int = field(default=500, metadata={"help": "Print a sample every so many steps; 0: never"})
    sample_prompt: str | None = field(
        default=None, metadata={"help": "What the samples continue; none: how the first held-out text begins"}
    )


def check(settings: ModelSettings, data: LanguageModelingSettings, args: XfmrTrainingArguments) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    check_origin(settings, "model_config", "tokenizer")
    lora.check(settings)
    check_end(data.streaming, args.max_steps)
    ranges.check_best(args, [])


def load_parts(settings: ModelSettings):
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts."""
    if settings.model:
        config, own_tokenizer = of_checkpoint(XfmrGPT2Config, settings.model, grows=True)
        return config, for_documents(own_tokenizer)
    # The ids of special tokens are the tokenizer's, which is made later: GPT-2's own lie beyond a smaller vocabulary.
    unknown = {"bos_token_id": None, "eos_token_id": None}
    config = new_config(XfmrGPT2Config, unknown | (settings.model_config or {}))
    kind = settings.tokenizer or "bpe"
    if kind not in KINDS:
        return config, for_documents(loading.from_pretrained(AutoTokenizer, kind))

    def train(texts: Iterable[str]) -> PreTrainedTokenizerBase:
        size = (settings.model_config or {}).get("vocab_size", None if kind == "char" else config.vocab_size)
        return for_documents(train_tokenizer(texts, kind, vocab_size=size, model_max_length=config.n_positions))

    return config, train


def for_documents(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A tokenizer that adds nothing to a text, since a prompt goes on, and has an end-of-text token.

    One made for BERT adds [CLS] and [SEP], and token types that a GPT-2 would take for words: what is made of it here
    adds neither, saved and loaded again too, and [SEP] ends a text.
    """
    if tokenizer.is_fast and tokenizer.num_special_tokens_to_add():
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        backend.post_processor = None
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            model_max_length=tokenizer.model_max_length,
            model_input_names=["input_ids", "attention_mask"],
            clean_up_tokenization_spaces=False,
            **tokenizer.special_tokens_map,
        )
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.sep_token
    if tokenizer.eos_token is None:  # characters alone, as nanoGPT's: a row is added for it
        tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"})
    return tokenizer


def build_model(settings: ModelSettings, config: XfmrGPT2Config, corpus: LanguageModelingData):
    """`XfmrGPT2ForCausalLM` for the corpus's tokenizer, from the checkpoint or from scratch."""
    tokenizer = corpus.tokenizer
    end = tokenizer.eos_token_id
    special = {
        "bos_token_id": end if tokenizer.bos_token_id is None else tokenizer.bos_token_id,
        "eos_token_id": end,  # generation stops where texts ended in training
        "pad_token_id": tokenizer.pad_token_id,
    }
    if not settings.model:
        config.update({"vocab_size": len(tokenizer), **special})
        return XfmrGPT2ForCausalLM(config)
    model = loading.to_train(XfmrGPT2ForCausalLM, settings.model, whole=True)
    lora.refuse_new_words(settings, len(tokenizer) - config.vocab_size)
    if len(tokenizer) > config.vocab_size:
        model.resize_token_embeddings(len(tokenizer))
        say(
            f"embeddings: {len(tokenizer) - config.vocab_size:,} rows added to the checkpoint's {config.vocab_size:,}, "
            "for tokens of the tokenizer that it has not; these start untrained"
        )
    model.config.update(special)
    model.generation_config.update(**special)
    return lora.adapt(model, settings, targets=("c_attn",), task="CAUSAL_LM")


class SampleCallback(TrainerCallback):
    """Every so many steps, prints how the model continues a prompt, and enters it in the log. Training's random numbers
    stay as they would be without. Where no process holds the whole model, all write the same, and one prints it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt: str, every: int):
        self.tokenizer, self.prompt, self.every = tokenizer, prompt, every

    def on_step_end(self, args, state, control, model=None, **kwargs):
        is_main = state.is_world_process_zero
        if state.global_step % self.every or not (is_main or is_spread(model)):
            return
        prompt, added = continuation(lora.within(model), self.tokenizer, self.prompt, seed=args.seed)
        if not is_main:
            return
        state.log_history.append({"step": state.global_step, "prompt": prompt, "sample": added})
        tqdm.write(f"sample at step {state.global_step:,}: {on_one_line(prompt)} | {on_one_line(added)}")


def on_one_line(text: str) -> str:
    """For a log: line breaks as they are written in code, and nothing that a terminal obeys."""
    return harmless(text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t"), kept="")


def continuation(model, tokenizer: PreTrainedTokenizerBase, prompt: str, *, seed: int) -> tuple[str, str]:
    """The prompt as the model read it, and what it, sampling among the 50 likeliest tokens, adds to it."""
    ids = tokenizer(prompt, add_special_tokens=False).input_ids or [tokenizer.eos_token_id]
    ids = ids[-(model.config.n_positions - 1) :]  # one place for something new, however long the prompt
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(), in_parts(model):
        torch.manual_seed(seed)
        out = model.generate(
            input_ids=torch.tensor([ids], device=model.device),
            attention_mask=torch.ones(1, len(ids), dtype=torch.int64, device=model.device),
            max_new_tokens=min(SAMPLE_TOKENS, model.config.n_positions - len(ids)),
            do_sample=True,
            top_k=50,
            synced_gpus=is_spread(model) or None,
            pad_token_id=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        )
    model.train(was_training)
    read, whole = (str(tokenizer.decode(one, skip_special_tokens=True)) for one in (ids, out[0]))
    # A character may lie across the end of the prompt's tokens: then the two are decoded apart.
    added = (
        whole[len(read) :] if whole.startswith(read) else tokenizer.decode(out[0][len(ids) :], skip_special_tokens=True)
    )
    return read, str(added)


def make_trainer(
    settings: ModelSettings, args: XfmrTrainingArguments, model, corpus: LanguageModelingData
) -> XfmrTrainer:
    """A trainer whose evaluation keeps no logits, and which prints samples. Raises `UserError` for evaluations with
    nothing held out."""
    if args.eval_strategy != "no" and "validation" not in corpus.splits:
        raise UserError("nothing is held out to evaluate on: give validation_fraction, or set eval_strategy to 'no'")
    args.remove_unused_columns = False
    args.prediction_loss_only = True
    callbacks: list[TrainerCallback] = []
    if settings.sample_every:
        callbacks.append(SampleCallback(corpus.tokenizer, prompt(settings, corpus), settings.sample_every))
    trainer = XfmrTrainer(
        model,
        args,
        train_dataset=corpus.splits["train"],
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=LanguageModelingCollator(corpus.tokenizer),
        callbacks=callbacks,
    )
    trainer.held_out = corpus.held_out()
    return trainer


def prompt(settings: ModelSettings, corpus: LanguageModelingData) -> str:
    """What samples continue."""
    if settings.sample_prompt is not None:
        return settings.sample_prompt
    held_out = corpus.documents.get("validation", corpus.documents["train"])
    return next(iter(held_out)).strip()[:PROMPT_CHARACTERS]


def finish(
    trainer: XfmrTrainer, settings: ModelSettings, corpus: LanguageModelingData, seconds: float
) -> dict[str, dict[str, float]]:
    """Evaluate validation and test, print the result, and save model and report. Returns the metrics of each split."""
    args, logs = trainer.args, trainer.state.log_history
    model = lora.within(trainer.accelerator.unwrap_model(trainer.model))
    results: dict[str, dict[str, float]] = {}
    losses: Losses | None = None  # of the last split: test, if there is one
    folder = Path(str(args.output_dir))
    for split, documents in corpus.documents.items():
        if split != "train":
            results[split], losses = evaluate_in_detail(
                model,
                corpus.tokenizer,
                documents,
                window=corpus.block_size,
                stride=settings.stride,
                batch_size=args.per_device_eval_batch_size,
            )
            if trainer.is_world_process_zero():
                _write(folder / f"documents-{split}.csv", losses.documents)
    samples: list[dict] = [
        {name: log[name] for name in ("step", "prompt", "sample")} for log in logs if "sample" in log
    ]
    step = trainer.state.global_step
    if settings.sample_every and not (samples and samples[-1]["step"] == step):
        read, added = continuation(model, corpus.tokenizer, prompt(settings, corpus), seed=args.seed)
        samples.append({"step": step, "prompt": read, "sample": added})
    shown = next(reversed(results), None)
    written = [one["sample"] for one in samples]
    judged = verdict.of_run(corpus, shown, losses, model.config.vocab_size, written, logs, args.to_dict())
    say(*lines(judged))
    speeds = [log["tokens_per_second"] for log in logs if "tokens_per_second" in log]
    speed = f", {median(speeds):,.0f} tokens/s" if speeds else ""
    say(f"trained in {seconds:.0f} s, on {trainer.state.num_input_tokens_seen:,} tokens{speed}")
    for split, figures in results.items():
        say(f"{split}, {figures['tokens']:,} tokens:", *of_figures(figures))
    save_and_report(
        trainer,
        settings,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        loss_by_position=losses.by_position if losses else [],
        samples=samples,
        verdict=judged,
    )
    say_how_to_try("generate", str(folder), prompt(settings, corpus))
    return results


def _write(path: Path, documents: list[Document]) -> None:
    """What each document cost, for `python -m hf_xfmr compare`."""
    with whole(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Document._fields)
        writer.writerows(documents)
