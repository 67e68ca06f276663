"""As `answers.py`, of models that write: translations of a run's sentences, and what texts cost a language model."""

import hashlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ... import engines
from ...engines.config import positions, read_config
from ...engines.onnx import threads
from ...predict.rows import read
from ...run import loading
from ...tasks.translation.translator import load_translator
from .answers import Work, of_like_lengths, write_table
from .rows import ROWS, first_rows

BATCH = 32  # sentences, or texts, at a time: translate's own


def translate(model: str, rows: Path, out: Path, run: Path) -> Work:
    """TSV: id, source, reference; counted in the tokens that are written."""
    table = first_rows("translation", rows)
    texts = [row["source"] for row in table]
    ours = load_translator(model)
    said = ours(texts, batch_size=BATCH)
    columns = ["id", "source", "reference", "translation"]
    write_table(out, columns, table, [{"translation": one} for one in said], "\t")
    written = sum(map(len, ours.tokenizers.target_ids(said[:BATCH])))
    return Work(said, lambda: ours(texts[:BATCH], batch_size=BATCH), written, "tokens")


def score(model: str, rows: Path, out: Path, run: Path) -> Work:
    """Any file of texts: what each costs in nats, its first tokens as many as the model has positions."""
    from transformers import AutoTokenizer

    tokenizer: Any = loading.from_pretrained(AutoTokenizer, str(run))
    texts = [row.text for row in islice(read(rows), ROWS) if not row.fault]
    longest = positions(read_config(run / "config.json"))
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    ids = [[*tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], *end][:longest] for text in texts]
    kept = [number for number, row in enumerate(ids) if len(row) > 1]
    ids, texts = [ids[number] for number in kept], [texts[number] for number in kept]
    scorer = _scorer(model, tokenizer)
    costs = of_like_lengths(scorer, ids, BATCH)
    table = [
        {"id": str(number), "sha256": hashlib.sha256(text.encode(errors="replace")).hexdigest()}
        for number, text in enumerate(texts)
    ]
    cost = [
        {"nats": float(one.sum()), "bytes": len(text.encode(errors="replace"))}
        for one, text in zip(costs, texts, strict=True)
    ]
    write_table(out, ["id", "sha256", "bytes", "nats"], table, cost)
    sample = ids[:BATCH]
    return Work(
        [round(float(one.mean()), 2) for one in costs],
        lambda: of_like_lengths(scorer, sample, BATCH),
        sum(len(row) - 1 for row in sample),
        "tokens",
    )


def _scorer(model: str, tokenizer: Any) -> Callable[[list[list[int]]], list[np.ndarray]]:
    """Of rows of ids the cost of each token but the first."""
    if engines.find(model).engine == "ctranslate2":
        from ctranslate2 import Generator

        theirs = Generator(model, device="cpu", inter_threads=1, intra_threads=threads())
        return lambda ids: [
            -np.array(one.log_probs)
            for one in theirs.score_batch([tokenizer.convert_ids_to_tokens(row) for row in ids])
        ]
    engine = engines.rows(model, "AutoModelForCausalLM")

    def costs(ids: list[list[int]]) -> list[np.ndarray]:
        return [_nats(logits, row) for row, logits in zip(ids, engine(ids), strict=True)]

    return costs


def _nats(logits: np.ndarray, ids: list[int]) -> np.ndarray:
    """logits [T, V] of a row: -log p of each of its ids but the first."""
    read = logits[: len(ids) - 1].astype(np.float64)
    read -= read.max(-1, keepdims=True)
    return np.log(np.exp(read).sum(-1)) - read[np.arange(len(read)), ids[1:]]
