"""How cost grows: with rows, with the length of a row, with the vocabulary and with the batch.

Each line is measured at some sizes, and its slope in a plot of logarithms is taken over the upper half, where what is
paid once no longer counts: 1 is cost that grows as the size does. A slope has a bound; above it, cost grows faster.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import nn

from ..drawing import style
from ..errors import UserError
from ..models.bert import XfmrBertConfig, XfmrBertForSequenceClassification
from ..models.vocabulary import vocabulary_loss
from ..run.console import say
from ..writing import folder, place, whole
from .data import write_table
from .machine import describe, device
from .measure import peak_bytes
from .scale_chart import growth_chart

SIZES: dict[str, dict[bool, tuple[int, ...]]] = {  # with --quick and without
    "rows": {True: (1_000, 4_000), False: (1_000, 10_000, 100_000, 1_000_000)},
    "length": {True: (32, 128), False: (32, 64, 128, 256, 512)},
    "vocabulary": {True: (10_000, 40_000), False: (10_000, 30_000, 50_000, 100_000, 250_000)},
    "batch": {True: (1, 8), False: (1, 4, 16, 64, 256)},
}
TOKENS = {True: 512, False: 2048}  # of a step, whatever the length of its rows
ROWS = {True: 64, False: 512}  # that a loss over the vocabulary is computed of
WIDTH = 256  # of the rows
TURNS = 3

# Prepares a table in a process of its own, which prints its seconds and the growth of its peak memory in bytes.
CHILD = """
import sys, time
from hf_xfmr import samples
from hf_xfmr.bench.lora import peak
from hf_xfmr.run import encoders
from hf_xfmr.tasks.classification import data
from hf_xfmr.tasks.classification.settings import ClassificationSettings

_, tokenizer = encoders.load_parts("sample:minilm")
settings = ClassificationSettings(label_column="label", max_length=128, keep_tokenized=False)
idle, begun = peak(), time.perf_counter()
data.classification(sys.argv[1], tokenizer, settings)
print(time.perf_counter() - begun, (peak() - idle) * 2**20)
"""


@dataclass
class Line:
    """Cost by size: `points` are (size, figure). `slope` may be `most`."""

    name: str
    of: str
    unit: str
    points: list[tuple[int, float]]
    most: float

    @property
    def slope(self) -> float:
        """Over the upper half of the points."""
        (small, low), (large, high) = self.points[(len(self.points) - 1) // 2], self.points[-1]
        return math.log(max(high, 1e-9) / max(low, 1e-9)) / math.log(large / small)

    @property
    def holds(self) -> bool:
        return self.slope <= self.most

    def record(self) -> dict:
        return {**asdict(self), "slope": self.slope, "holds": self.holds}

    def line(self) -> str:
        shown = "  ".join(f"{size:,}: {value:,.3g}" for size, value in self.points)
        verdict = "" if self.holds else "  FASTER THAN IT MAY"
        head = f"{self.name} by {self.of}: grows as {self.of}^{self.slope:.2f}, at most {self.most:.2f}{verdict}"
        return f"{head}\n  {self.unit}: {shown}"


def bench_scale(*, quick: bool = False, only: Sequence[str] | None = None, out: str | Path = "runs/bench") -> dict:
    """Measure the lines (all, or those by `only` some of SIZES), print each with its slope, and write scale.json and
    scale.svg into `out`; returns what the first holds. Raises `UserError` for a size that there is none of."""
    for name in only or ():
        if name not in SIZES:
            raise UserError(f"--only: nothing is measured by '{name}'; there are {', '.join(SIZES)}")
    out = folder(place(out, "--out"), instead="give another --out")  # known before the minutes that follow
    machine = describe(device())
    say("  ".join(f"{key}: {value}" for key, value in machine.items()))
    lines: list[Line] = []
    for name, measure in MEASURED.items():
        if not only or name in only:
            for line in measure(SIZES[name][quick], quick):
                say(line.line())
                lines.append(line)
    record = {"machine": machine, "quick": quick, "lines": [line.record() for line in lines]}
    with whole(out / "scale.json") as aside:
        aside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    style.save(growth_chart(record["lines"]), out / "scale.svg")  # type: ignore[arg-type]
    say(f"written: {out / 'scale.json'}, {out / 'scale.svg'}")
    return record


def _by_rows(sizes: Sequence[int], quick: bool) -> list[Line]:
    seconds, memory = [], []
    with tempfile.TemporaryDirectory() as above:
        for rows in sizes:
            path = Path(above) / f"{rows}.csv"
            write_table(path, rows)
            done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True)
            if done.returncode:
                raise UserError(f"bench scale: preparing failed ({done.stderr.strip().splitlines()[-1:]})")
            taken, grown = map(float, done.stdout.split()[-2:])
            seconds.append((rows, taken))
            memory.append((rows, max(grown, 1.0) / 1e6))
            path.unlink()
    return [
        Line("preparing", "rows", "seconds", seconds, 1.1),
        Line("memory of preparing", "rows", "MB", memory, 1.1),
    ]


def _by_length(sizes: Sequence[int], quick: bool) -> list[Line]:
    """Attention alone grows with the square of the length: a small part of BERT-base's products below 512."""
    model = _classifier(quick)
    points = []
    for length in sizes:
        rows = max(1, TOKENS[quick] // length)
        points.append((length, 1e6 * _step_seconds(model, rows, length) / (rows * length)))
    return [Line("a training step", "length", "microseconds a token", points, 0.35)]


def _by_vocabulary(sizes: Sequence[int], quick: bool) -> list[Line]:
    """Beyond the gradient of the table, which there is in any case."""
    points = [(size, max(_loss_bytes(size, ROWS[quick]) - 4 * size * (WIDTH + 1), 1) / 1e6) for size in sizes]
    return [Line("memory of the loss", "vocabulary", "MB beyond the gradient", points, 1.05)]


def _loss_bytes(vocabulary: int, rows: int) -> int:
    head = nn.Linear(WIDTH, vocabulary).to(device())
    hidden = torch.randn(1, rows, WIDTH, device=device(), requires_grad=True)
    labels = torch.arange(rows, device=device())[None]
    return peak_bytes(lambda: vocabulary_loss(hidden, labels, head).backward(), device())


def _by_batch(sizes: Sequence[int], quick: bool) -> list[Line]:
    model, points = _classifier(quick), []
    for rows in sizes:
        points.append((rows, 1e3 * _step_seconds(model, rows, 32)))
    return [Line("a training step", "batch", "milliseconds, rows of 32 tokens", points, 1.1)]


def _classifier(quick: bool) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = XfmrBertForSequenceClassification(XfmrBertConfig(num_hidden_layers=2 if quick else 4))
    return model.to(device()).train()


def _step_seconds(model: nn.Module, rows: int, length: int) -> float:
    """Of forward and backward, the median of TURNS after one that does not count."""
    ids = torch.randint(1000, 20_000, (rows, length), device=device())
    labels = torch.arange(rows, device=device()) % 2
    taken = []
    for _ in range(TURNS + 1):
        begun = time.perf_counter()
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
        model.zero_grad()
        if device().type != "cpu":
            torch.accelerator.synchronize(device())
        taken.append(time.perf_counter() - begun)
    return median(taken[1:])


MEASURED: dict[str, Callable[[Sequence[int], bool], list[Line]]] = {
    "rows": _by_rows,
    "length": _by_length,
    "vocabulary": _by_vocabulary,
    "batch": _by_batch,
}
