"""The texts that a run left beside its model, as the model reads them: a written model is compared over them too."""

import csv
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer

from ..run import loading
from ..tasks.translation.tokenizer_pair import TokenizerPair
from . import parity

ROWS = 16  # texts of the run that are read
FILES = ("predictions-{}.csv", "predictions-{}.jsonl", "answers-{}.jsonl", "translations-{}.tsv", "documents-{}.csv")


def texts(folder: Path) -> tuple[list[tuple[str, ...]], str]:
    """The first texts (with their pair, their context or their translation) of the answers that a run left, and the
    file's name; none where it left none."""
    for split in ("test", "validation"):
        for path in (folder / name.format(split) for name in FILES):
            if path.is_file():
                return _read(path), path.name
    return [], ""


def _read(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.name.startswith("answers-"):
            return [(row["question"], row["context"]) for row in map(json.loads, islice(file, ROWS))]
        if path.suffix == ".jsonl":
            return [(" ".join(json.loads(line)["tokens"]),) for line in islice(file, ROWS)]
        found = islice(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","), ROWS)
        if path.suffix == ".tsv":
            return [(row["source"], row["reference"]) for row in found]
        return [(row["text"], row["text_pair"]) if row.get("text_pair") else (row["text"],) for row in found]


def inputs(folder: Path, model) -> tuple[dict[str, Tensor] | None, str]:
    """The run's texts as the model reads them, and what they are in words; None where there are none for it."""
    rows, name = texts(folder)
    if not rows or type(model).__name__.endswith("ForMultipleChoice"):
        return None, ""
    config, most = model.config, parity.longest(model)
    padding = 0 if config.pad_token_id is None else config.pad_token_id
    if config.is_encoder_decoder:
        tokenizers = loading.from_pretrained(TokenizerPair, str(folder), config=config)
        sources = tokenizers.source_ids([row[0] for row in rows])
        targets = [[config.decoder_start_token_id, *ids] for ids in tokenizers.target_ids([row[-1] for row in rows])]
        given = _padded(sources, most, padding)
        given["decoder_input_ids"] = _padded(targets, most, padding)["input_ids"]
        return given, f"{len(rows)} pairs of {name}"
    tokenizer = loading.from_pretrained(AutoTokenizer, str(folder))
    encoded = [tokenizer(*row, truncation=True, max_length=most) for row in rows]
    given = _padded([one["input_ids"] or [padding] for one in encoded], most, padding)
    if hasattr(config, "type_vocab_size"):
        kinds = [one.get("token_type_ids") or [0] * len(one["input_ids"]) for one in encoded]
        given["token_type_ids"] = _padded(kinds, most, 0)["input_ids"]
    return given, f"{len(rows)} texts of {name}"


def _padded(rows: Sequence[list[int]], most: int, padding: int) -> dict[str, Tensor]:
    rows = [row[:most] for row in rows]
    width = max(map(len, rows))
    return {
        "input_ids": torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }
