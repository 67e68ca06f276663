"""The parts of a language-modelling run: the model its settings ask for, and its trainer."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tokenizers import Tokenizer
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    TrainerCallback,
)

from ...models.gpt2 import XfmrGPT2Config, XfmrGPT2ForCausalLM
from ...run import loading, lora, own_words, ranges
from ...run.starting_point import check_end, check_origin, new_config, of_checkpoint
from ...tokenizer import train as train_tokenizer
from ...tokenizer.kinds import KINDS
from ...training import XfmrTrainer, XfmrTrainingArguments
from .data import LanguageModelingData, LanguageModelingSettings
from .pack import LanguageModelingCollator
from .sampling import SampleCallback, prompt


@dataclass(kw_only=True)
class ModelSettings(lora.LoraSettings, own_words.OwnWordsSettings):
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
    own_words.check(settings)
    lora.check(settings)
    check_end(data.streaming, args.max_steps)
    ranges.check_best(args, [])


def load_parts(settings: ModelSettings):
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts."""
    if settings.model:
        config, own_tokenizer = of_checkpoint(XfmrGPT2Config, settings.model, grows=True)
        tokenizer = for_documents(own_tokenizer)
        return config, tokenizer if settings.add_words is None else own_words.Growing(tokenizer, settings)
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


def special(tokenizer: PreTrainedTokenizerBase) -> dict[str, int | None]:
    """The ids of a config that are its tokenizer's."""
    end = tokenizer.eos_token_id
    return {
        "bos_token_id": end if tokenizer.bos_token_id is None else tokenizer.bos_token_id,
        "eos_token_id": end,  # generation stops where texts ended in training
        "pad_token_id": tokenizer.pad_token_id,
    }


def build_model(settings: ModelSettings, config: XfmrGPT2Config, corpus: LanguageModelingData):
    """`XfmrGPT2ForCausalLM` for the corpus's tokenizer, from the checkpoint or from scratch."""
    tokenizer, ids = corpus.tokenizer, special(corpus.tokenizer)
    if not settings.model:
        config.update({"vocab_size": len(tokenizer), **ids})
        return XfmrGPT2ForCausalLM(config)
    model = loading.to_train(XfmrGPT2ForCausalLM, settings.model, whole=True)
    lora.refuse_new_words(settings, len(tokenizer) - config.vocab_size)
    own_words.grow(model, tokenizer, config.vocab_size)
    model.config.update(ids)
    model.generation_config.update(**ids)
    return lora.adapt(model, settings, targets=("c_attn",), task="CAUSAL_LM")


def make_trainer(
    settings: ModelSettings,
    args: XfmrTrainingArguments,
    model,
    corpus: LanguageModelingData,
    made: type[XfmrTrainer] = XfmrTrainer,
) -> XfmrTrainer:
    """A trainer whose evaluation keeps no logits, and which prints samples. Raises `UserError` for evaluations with
    nothing held out."""
    ranges.check_held_out(args, corpus.splits)
    args.remove_unused_columns = False
    args.prediction_loss_only = True
    callbacks: list[TrainerCallback] = []
    if settings.sample_every:
        callbacks.append(
            SampleCallback(corpus.tokenizer, prompt(settings.sample_prompt, corpus), settings.sample_every)
        )
    trainer = made(
        model,
        args,
        train_dataset=corpus.splits["train"],
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=LanguageModelingCollator(corpus.tokenizer),
        callbacks=callbacks,
    )
    trainer.held_out = corpus.held_out()
    return trainer
