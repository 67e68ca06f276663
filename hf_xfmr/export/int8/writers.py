"""As `answers.py`, of models that write: translations of a run's sentences, and what texts cost a language model."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ... import engines
from ...predict.rows import read
from ...report.comparison import read_table
from ...run import loading
from ...tasks.translation.tokenizer_pair import TokenizerPair
from ...tasks.translation.translator import EXTRA_TOKENS, load_translator
from .answers import ROWS, Work, some, timed, write_table

BATCH = 32  # sentences, or texts, at a time: translate's own


def translate(model: str, rows: Path, out: Path, run: Path) -> Work:
    """TSV: id, source, reference; counted in the tokens that are written."""
    table = some(read_table(rows), rows, ("source", "reference"))
    texts = [row["source"] for row in table]
    made: Callable[[Sequence[str]], list[str]] = _translator(model, run)
    seconds, said = timed(lambda most: made(texts[:most]), len(texts))
    columns = ["id", "source", "reference", "translation"]
    write_table(out, columns, table, [{"translation": one} for one in said], "\t")
    tokenizers = loading.from_pretrained(TokenizerPair, str(run), config=_config(run))
    return Work(seconds, sum(map(len, tokenizers.target_ids(said))), "tokens", said)


def _config(run: Path) -> Any:
    from transformers import AutoConfig

    return loading.from_pretrained(AutoConfig, str(run))


def _translator(model: str, run: Path) -> Callable[[Sequence[str]], list[str]]:
    if not _is_ctranslate2(model):
        ours = load_translator(model)
        return lambda texts: ours(texts, batch_size=BATCH)
    from ctranslate2 import Translator

    from ...engines.onnx import threads

    config = _config(run)
    tokenizers = loading.from_pretrained(TokenizerPair, str(run), config=config)
    search = loading.from_pretrained(_Search, str(run))
    theirs = Translator(model, device="cpu", inter_threads=1, intra_threads=threads())

    def translated(texts: Sequence[str]) -> list[str]:
        ids = tokenizers.source_ids(list(texts))
        order, said = sorted(range(len(ids)), key=lambda row: -len(ids[row])), [""] * len(ids)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            tokens = [tokenizers.source.convert_ids_to_tokens(ids[row]) for row in batch]
            most = min(len(ids[batch[0]]) + EXTRA_TOKENS, config.max_position_embeddings) - 1  # less the start
            found = theirs.translate_batch(
                tokens,
                beam_size=search.num_beams or 1,
                length_penalty=1.0 if search.length_penalty is None else search.length_penalty,
                max_decoding_length=most,
                max_input_length=0,
            )
            words = [tokenizers.target.convert_tokens_to_ids(one.hypotheses[0]) for one in found]
            for row, text in zip(batch, tokenizers.decode(words), strict=True):
                said[row] = text
        return said

    return translated


def _is_ctranslate2(model: str) -> bool:
    return (Path(model) / "model.bin").is_file()


class _Search:
    """The run's generation config."""

    @classmethod
    def from_pretrained(cls, name: str, **options: Any) -> Any:
        from transformers import GenerationConfig

        return GenerationConfig.from_pretrained(name, **options)


def score(model: str, rows: Path, out: Path, run: Path) -> Work:
    """Any file of texts: what each costs in nats, its first tokens as many as the model has positions."""
    from transformers import AutoTokenizer

    tokenizer: Any = loading.from_pretrained(AutoTokenizer, str(run))
    texts = [row.text for row in islice(read(rows), ROWS) if not row.fault]
    longest = _config(run).max_position_embeddings
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    ids = [[*tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], *end][:longest] for text in texts]
    kept = [number for number, row in enumerate(ids) if len(row) > 1]
    ids, texts = [ids[number] for number in kept], [texts[number] for number in kept]
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    nats = _scorer(model, tokenizer)

    def answer(most: int) -> list[Any]:
        found: list[Any] = [None] * len(ids)
        for start in range(0, most, BATCH):
            batch = order[start : start + BATCH]
            for row, one in zip(batch, nats([ids[row] for row in batch]), strict=True):
                found[row] = one
        return found

    seconds, costs = timed(answer, len(ids))
    table = [
        {"id": str(number), "sha256": hashlib.sha256(text.encode(errors="replace")).hexdigest()}
        for number, text in enumerate(texts)
    ]
    cost = [
        {"nats": float(one.sum()), "bytes": len(text.encode(errors="replace"))}
        for one, text in zip(costs, texts, strict=True)
    ]
    write_table(out, ["id", "sha256", "bytes", "nats"], table, cost)
    return Work(seconds, sum(len(row) - 1 for row in ids), "tokens", [round(float(one.mean()), 2) for one in costs])


def _scorer(model: str, tokenizer: Any) -> Callable[[list[list[int]]], list[np.ndarray]]:
    """Of rows of ids the cost of each token but the first."""
    if _is_ctranslate2(model):
        from ctranslate2 import Generator

        from ...engines.onnx import threads

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
