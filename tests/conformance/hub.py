"""A hub cache with tiny random models of the names that other libraries' tests ask for; nothing reaches a network."""

from collections.abc import Callable
from pathlib import Path

import torch
import transformers

from hf_xfmr import tokenizer

TEXTS = ["This is a great test.", "The film was long, and the rain had no end.", "Hello, my dog is cute."]
SIZES = {"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4, "max_position_embeddings": 512}
BERT = {**SIZES, "intermediate_size": 37, "vocab_size": 1124}
GPT2 = {"n_embd": 32, "n_layer": 5, "n_head": 4, "n_positions": 512, "vocab_size": 1000}
GPT2_TOKENS = {"bos_token_id": 98, "eos_token_id": 98}

Make = Callable[[Path], None]  # saves a model and its tokenizer in a folder


def lay_out(cache: Path, models: dict[str, Make]) -> None:
    """In `cache` what downloading each of `models`, by its name on the Hub, would leave there."""
    transformers.utils.logging.disable_progress_bar()
    for name, make in models.items():
        home = cache / f"models--{name.replace('/', '--')}"
        snapshot = home / "snapshots" / "0"
        snapshot.mkdir(parents=True)
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text("0")
        torch.manual_seed(0)
        make(snapshot)


def stock(class_name: str, sizes: dict, words: Make | None = None) -> Make:
    """Stock's class at `sizes`, with a tokenizer of its kind trained on TEXTS unless `words` saves another."""

    def make(folder: Path) -> None:
        model_class = getattr(transformers, class_name)
        kind = "bpe" if "GPT2" in class_name else "unigram" if "Marian" in class_name else "wordpiece"
        special = GPT2_TOKENS if kind == "bpe" and words is None else {}
        model_class(model_class.config_class(**{**special, **sizes})).save_pretrained(folder)
        if words is not None:
            words(folder)
        else:
            tokenizer.train(TEXTS, kind, model_max_length=512, vocab_size=300).save_pretrained(folder)

    return make
