"""LoRA beside full fine-tuning: CPU seconds of a step, in turns in one process, and peak memory, a process for each.

BERT-base classification and GPT-2 small, with random weights, full rows, float32 and AdamW.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch

from ..errors import UserError
from ..models.bert import XfmrBertConfig, XfmrBertForSequenceClassification
from ..models.gpt2 import XfmrGPT2Config, XfmrGPT2ForCausalLM
from ..run import lora

WAYS = ("full", "lora")
MODELS: dict[str, Any] = {
    "BERT-base, classification": (
        XfmrBertForSequenceClassification,
        XfmrBertConfig,
        ("query", "key", "value"),
        "SEQ_CLS",
    ),
    "GPT-2 small": (XfmrGPT2ForCausalLM, XfmrGPT2Config, ("c_attn",), "CAUSAL_LM"),
}


class Trained:
    """A model and its optimizer, for rows of so many tokens."""

    def __init__(self, name: str, way: str, rows: int, length: int, rank: int):
        model_class, config_class, targets, task = MODELS[name]
        torch.manual_seed(0)
        settings = SimpleNamespace(
            model="x", lora_rank=rank if way == "lora" else None, lora_alpha=16, lora_dropout=0.1
        )
        self.model = lora.adapt(model_class(config_class()), settings, targets=targets, task=task).train()
        learned = [one for one in self.model.parameters() if one.requires_grad]
        self.count, self.optimizer = sum(one.numel() for one in learned), torch.optim.AdamW(learned, lr=1e-4)
        ids = torch.randint(1000, 20_000, (rows, length))
        labels = torch.arange(rows) % 2 if task == "SEQ_CLS" else ids
        self.batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}

    def step(self) -> float:
        """The CPU seconds that one took: other programs of the machine do not count."""
        begun = time.process_time()
        self.model(**self.batch).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.process_time() - begun


def _peak(name: str, way: str, sizes: list[int]) -> float:
    """Peak resident memory of a process that takes two steps, in MB."""
    words = [sys.executable, "-m", __name__, name, way, *map(str, sizes)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-1])


def bench_lora(*, quick: bool = False, turns: int = 15, only: list[str] | None = None, rank: int = 8) -> None:
    """Print a table of both models, trained whole and by LoRA of this rank, in rows of 8 x 128 tokens (`quick`: 4 x 64,
    of 3 turns). `only` are beginnings of their names. Raises `UserError` without PEFT, or where none begins so."""
    lora.package()
    rows, length, turns = (4, 64, min(turns, 3)) if quick else (8, 128, turns)
    names = [name for name in MODELS if only is None or name.startswith(tuple(only))]
    if not names:
        raise UserError(f"--only {' '.join(only or [])} names none of {', '.join(MODELS)}")
    print(f"{rows} rows of {length} tokens, {torch.get_num_threads()} threads, median of {turns} steps")
    print("| model | trained | parameters trained | peak memory, MB | CPU seconds a step |\n|---|---|---|---|---|")
    for name in names:
        _contest(name, [rows, length, rank], turns)


def _contest(name: str, sizes: list[int], turns: int) -> None:
    peaks = {way: _peak(name, way, sizes) for way in WAYS}
    both = {way: Trained(name, way, *sizes) for way in WAYS}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(turns + 1):
        for way in WAYS:
            taken = both[way].step()
            if number:  # the first makes the optimizer's state
                seconds[way].append(taken)
    for way in WAYS:
        words = "everything" if way == "full" else f"LoRA, rank {sizes[-1]}"
        figures = f"{both[way].count:,} | {peaks[way]:,.0f} | {median(seconds[way]):.2f}"
        print(f"| {name} | {words} | {figures} |", flush=True)


def peak() -> float:
    """Peak resident memory of this process so far, in MB. Linux's getrusage counts that of the process which started it
    too, so there the kernel's own record of it is read."""
    record = Path("/proc/self/status")
    if record.exists():
        return next(int(line.split()[1]) for line in record.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    import resource  # which Windows has not

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # bytes, on a Mac


if __name__ == "__main__":  # the process whose peak is asked for
    one = Trained(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
    for _ in range(2):
        one.step()
    print(peak())
