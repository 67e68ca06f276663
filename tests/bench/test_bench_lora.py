"""LoRA's memory beside full fine-tuning's: each figure is of its own process."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_peak_is_not_that_of_the_process_that_asks_for_it():
    held = bytearray(b"x") * 2_000_000_000
    words = [sys.executable, "-c", "from hf_xfmr.bench.lora import peak; print(peak())"]
    said = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert 50 < said < len(held) / 2**20 / 2
