"""Calls of the five functions that take seconds: rows, and settings of a model of a few weights."""

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
    "vocab_size": 100,
}
GPT2 = {"n_positions": 32, "n_layer": 1, "n_head": 2, "n_embd": 16}
XFMR = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 32,
}
QUICK = {"max_steps": 2, "bf16": False, "disable_tqdm": True, "report_to": "none"}


def in_a_thread(call: Callable[[], Any], seconds: float = 200) -> Any:
    """What a call gives or raises in a thread of its own; one that does not end fails, saying where it stands."""
    found: list[Any] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        frame = sys._current_frames()[thread.ident]  # type: ignore[index]
        raise AssertionError(f"not ended after {seconds} s:\n{''.join(traceback.format_stack(frame))}")
    if wrong:
        raise wrong[0]
    return found[0]


def reviews(n: int = 120) -> pd.DataFrame:
    """Texts in a column that no list of names knows, and stars, which one word decides."""
    draw = np.random.default_rng(0)
    good = [bool(one) for one in draw.integers(2, size=n)]
    texts = [" ".join([*draw.choice(list("abcdefgh"), 4), "good" if one else "bad"]) for one in good]
    rows = {"what they said": texts, "stars": [5 if one else 1 for one in good]}
    return pd.DataFrame(rows, index=range(1000, 1000 + n))


def texts() -> pd.DataFrame:
    draw, words = np.random.default_rng(1), ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"]
    lines = [". ".join(" ".join(draw.choice(words, 8)) for _ in range(3)) + "." for _ in range(60)]
    return pd.DataFrame({"text": lines})


def sentences() -> list[dict]:
    """A list of rows, which is a dataset too."""
    return [
        {"tokens": ["Mr", one, "is", "in", two, str(i)], "ner_tags": ["O", "B-PER", "O", "O", "B-LOC", "O"]}
        for i, (one, two) in enumerate([("Li", "Rome"), ("Wang", "Paris"), ("Zhao", "Rome"), ("Li", "Oslo")] * 20)
    ]


def pairs() -> dict[str, pd.DataFrame]:
    """A dict of DataFrames by split."""
    draw = np.random.default_rng(2)
    sources = sorted({" ".join(draw.choice(list("abcdefgh"), 6)) for _ in range(100)})
    rows = pd.DataFrame({"en": sources, "fr": [one.upper() for one in sources]})
    return {"train": rows[:60], "dev": rows[60:70], "test": rows[70:80]}


def asked() -> dict[str, list]:
    """A dict of columns; a question in four has no answer."""
    people, places = ["Li", "Wang", "Zhao"] * 20, ["Rome", "Paris", "Oslo", "Bonn"] * 15
    return {
        "question": [f"Who is in {place}?" for place in places],
        "context": [f"Mr {one} is in {two} {i}" for i, (one, two) in enumerate(zip(people, places, strict=True))],
        "answer": [one if i % 4 else "" for i, one in enumerate(people)],
    }


CALLS = {
    "classify": lambda: (reviews(), {"model_config": BERT, "label_column": "stars"}),
    "tag": lambda: (sentences(), {"model_config": BERT}),
    "answer": lambda: (asked(), {"model_config": BERT}),
    "gpt2": lambda: (texts(), {"model_config": GPT2, "tokenizer": "char"}),
    "pretrain": lambda: (texts(), {"model_config": BERT}),
    "translate": lambda: (
        pairs(),
        {"model_config": XFMR, "source_lang": "en", "target_lang": "fr", "tokenizer_kind": "char", "vocab_size": 400}
        | {"max_length": 32},
    ),
}
