"""The memory of `predict` does not grow with the rows that it answers."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import BertTokenizer

import hf_xfmr

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(200))]
MEASURED = (
    "import psutil, sys; from hf_xfmr.predict import predict\n"
    "name, file, first = sys.argv[1], sys.argv[2], int(sys.argv[3])\n"
    "size = lambda: psutil.Process().memory_info().rss >> 20\n"
    "held = [size() for row, _ in enumerate(predict(name, file=file)) if row >= first and row % 500 == 0]\n"
    "print(max(held) - held[0])"
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("layers", "width", "rows", "most"), [(6, 192, 20_000, 50)])
def test_memory_does_not_grow_with_the_rows(tmp_path, layers, width, rows, most):
    """Rows of ever other lengths, for which oneDNN keeps ever other kernels; in MiB, after the first 2,000."""
    torch.manual_seed(0)
    config = hf_xfmr.XfmrBertConfig(
        vocab_size=len(WORDS), hidden_size=width, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=4 * width, max_position_embeddings=128,
    )  # fmt: skip
    hf_xfmr.XfmrBertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(tmp_path / "model")
    draw = np.random.default_rng(0)
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["text"], *([" ".join(draw.choice(WORDS[5:], draw.integers(1, 60)))] for _ in range(rows))]
        )
    words = [sys.executable, "-c", MEASURED, str(tmp_path / "model"), str(tmp_path / "rows.csv"), "2000"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert int(done.stdout) <= most, (done.stdout, done.stderr)
