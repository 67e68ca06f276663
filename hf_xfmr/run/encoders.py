"""What an encoder's recipe is given: a BERT or one of its kin, by the checkpoint's own word, and its classes."""

import sys
from dataclasses import dataclass, field
from typing import Any

from transformers import AutoConfig

from .. import tokenizer
from ..errors import UserError
from ..models.bert import XfmrBertConfig
from ..models.distilbert import XfmrDistilBertConfig
from ..models.roberta import XfmrRobertaConfig
from . import loading, lora
from .starting_point import new_config, of_checkpoint

NAMES = "a BERT, RoBERTa, XLM-RoBERTa, CamemBERT or DistilBERT"
_CONFIGS = (XfmrBertConfig, XfmrRobertaConfig, XfmrDistilBertConfig)


def load_parts(name: str) -> tuple[Any, Any]:
    """The config and tokenizer of an encoder's checkpoint. Raises `UserError` for a checkpoint of another kind, and for
    a tokenizer without a padding token, or with another than a model counts its positions from."""
    kind = loading.from_pretrained(AutoConfig, name).model_type
    config_class = next((one for one in _CONFIGS if one.reads(kind)), None)
    if config_class is None:
        raise UserError(f"model: {name} is a checkpoint of kind '{kind}'; this recipe takes {NAMES}")
    config, tokenizer = of_checkpoint(config_class, name)
    padding = tokenizer.pad_token_id
    if padding is None:
        raise UserError(
            f'model: the tokenizer of {name} has no padding token: add one of its tokens as "pad_token" to its '
            "tokenizer_config.json"
        )
    if config.first_position and padding != config.pad_token_id:
        raise UserError(
            f"model: {name} pads with {config.pad_token_id} by its config.json and with {padding} by its tokenizer, "
            f"and a {config.stock_model_type} counts its positions from that number on: use the tokenizer that the "
            f'model was trained with, or, if it is this one, set "pad_token_id": {padding} in config.json'
        )
    if not has_segments(config) and "token_type_ids" in tokenizer.model_input_names:  # as a BERT's tokenizer gives them
        names = [one for one in tokenizer.model_input_names if one != "token_type_ids"]
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = names
    return config, tokenizer


@dataclass(kw_only=True)
class EncoderSettings(lora.LoraSettings):
    """Which encoder a task begins with."""

    model: str | None = field(
        default=None,
        metadata={
            "help": "BERT, RoBERTa or DistilBERT checkpoint: a folder, a name on the Hub or a sample:; none: from "
            "scratch"
        },
    )
    model_config: dict | None = field(
        default=None,
        metadata={"help": "From scratch: {field: value, …} of XfmrBertConfig, with a WordPiece vocabulary of train"},
    )


def parts_of(settings: EncoderSettings) -> tuple[Any, Any]:
    """The config and tokenizer of the checkpoint; from scratch, in its place what makes one from the train texts."""
    if settings.model:
        return load_parts(settings.model)
    config = new_config(XfmrBertConfig, settings.model_config)

    def train_tokenizer(texts: list[str]):
        return tokenizer.train(
            texts,
            "wordpiece",
            vocab_size=config.vocab_size,
            model_max_length=config.max_position_embeddings,
            length=len(texts),
        )

    return config, train_tokenizer


def check_lends(teacher: str, kind: str) -> None:
    """Raises `UserError` for a teacher of a kind that no student here can be made of."""
    if not any(one.reads(kind) for one in _CONFIGS):
        raise UserError(
            f"teacher: {teacher} is of kind '{kind}', whose blocks no student here can be made of: give the "
            "student's checkpoint, as --model sample:minilm, or its sizes, as --model_config '{num_hidden_layers: 2}'"
        )


def has_segments(config: Any) -> bool:
    """Whether the model tells a second text from the first by a vector of its own."""
    return getattr(config, "type_vocab_size", 1) > 1


def model_class(config: Any, auto_class: str) -> Any:
    """Our class of this config for an Auto class, as AutoModelForMaskedLM. Raises `UserError` where there is none."""
    path = config.auto_classes.get(auto_class)
    if path is None:
        raise UserError(f"model: {type(config).__name__} has no head for {auto_class.removeprefix('AutoModelFor')}")
    return getattr(sys.modules[type(config).__module__], path.split(".")[-1])
