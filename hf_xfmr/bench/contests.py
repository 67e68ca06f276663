"""The command bench: which contests, in which precisions, and what is printed and written of them."""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ..drawing import style
from ..errors import UserError
from ..run.console import say
from ..training import fast_bf16
from ..writing import folder, place, whole
from .chart import ratios_chart
from .machine import bandwidth, describe, device, matrix_rate
from .measure import in_turns, peak_bytes
from .table import markdown
from .workloads import WORKLOADS, Setting

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# With --quick and without: the time for all turns, and how many there are even if they take longer.
SECONDS = {True: 90.0, False: 450.0}
LEAST = {True: 1, False: 2}


def bench(
    *,
    quick: bool = False,
    only: Sequence[str] | None = None,
    precision: Sequence[str] | None = None,
    turns: int = 15,
    out: str | Path = "runs/bench",
) -> dict:
    """Hold the contests (all, or `only` those), print a table, and write bench.json, bench.md (the same as a page's
    table) and bench.svg into the folder `out`. Returns what bench.json holds. `precision` are names of PRECISIONS,
    `turns` the most turns a contest.

    Raises `UserError` for a contest there is none of, and turns below 1.
    """
    names = list(only or WORKLOADS)
    for name in names:
        if name not in WORKLOADS:
            raise UserError(f"--only: there is no contest '{name}'; there are {', '.join(WORKLOADS)}")
    if turns < 1:
        raise UserError(f"--turns is {turns}; it must be at least 1")
    out = place(out, "--out")
    if Path(out).exists() and not Path(out).is_dir():
        raise UserError(f"--out: {out} is a file; give a folder")
    folder(out, instead="give another --out")  # known before the minutes that follow
    on, layers = device(), 2 if quick else 12
    here = list(PRECISIONS) if fast_bf16() else ["float32"]
    precisions = list(precision) if precision else (here[-1:] if quick else here)
    machine = describe(on)
    ceilings = {f"matrix products, {name}, flop/s": matrix_rate(PRECISIONS[name], on) for name in precisions}
    ceilings["memory, bytes/s"] = bandwidth(on)
    say("  ".join(f"{key}: {value}" for key, value in machine.items()))
    say(
        "  ".join(
            f"{key.replace('flop', 'Gflop').replace('bytes', 'GB')}: {v / 1e9:,.0f}" for key, v in ceilings.items()
        )
    )
    say(f"models of {layers} layers; ratio: stock's time by ours, median of the turns (and quartiles)", "", _HEADER)
    results = []
    contests = [(name, kind) for name in names for kind in precisions]
    begin, share = time.perf_counter(), SECONDS[quick] / len(contests)
    for number, (name, kind) in enumerate(contests, 1):
        until = begin + number * share  # what one contest leaves is the next one's
        setting = Setting(on, PRECISIONS[kind], layers)
        result = {"name": name, "precision": kind} | contest(
            name, setting, until=until, turns=turns, least=LEAST[quick]
        )
        if "matrix_rate" in result:
            result["share_of_matrix_rate"] = result["matrix_rate"] / ceilings[f"matrix products, {kind}, flop/s"]
        results.append(result)
        say(*_lines(result))
    if not only:
        results.append({"name": "import", "precision": "", **import_times()})
        say(*_lines(results[-1]))
    out = Path(out)
    folder(out, instead="give another --out")
    record = {"machine": machine, "ceilings": ceilings, "layers": layers, "results": results}
    with whole(out / "bench.json") as aside:
        aside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    with whole(out / "bench.md") as aside:
        aside.write_text(markdown(record), encoding="utf-8")
    style.save(ratios_chart(results), out / "bench.svg")
    say("", f"written: {out / 'bench.json'}, {out / 'bench.md'}, {out / 'bench.svg'}")
    return record


def contest(name: str, setting: Setting, *, until: float, turns: int, least: int) -> dict:
    """The figures of one contest, to be over by the time `until`: seconds, ratios, tokens per second, peak bytes."""
    made = WORKLOADS[name](setting)
    times = in_turns(made.contestants, setting.device, until=until, turns=turns, least=least)
    counted = len(times.seconds["ours"])
    ratio, low, high = times.ratio("stock", "ours")
    result = {
        "ratio": ratio,
        "quartiles": [low, high],
        "turns": counted,
        "seconds": {who: times.median(who) for who in times.seconds},
        "tokens_per_second": sum(map(made.tokens, range(counted))) / sum(times.seconds["ours"]),
        "others": {who: times.ratio(who, "ours")[0] for who in times.seconds if who not in ("stock", "ours")},
    }
    if made.flops is not None:
        result["matrix_rate"] = sum(map(made.flops, range(counted))) / sum(times.seconds["ours"])
    if made.memory:
        peaks = {who: peak_bytes(step, setting.device) for who, step in made.memory.items()}
        result |= {"peak_bytes": peaks, "memory_ratio": peaks["ours"] / peaks["stock"]}
    del made
    gc.collect()
    return result


def import_times(repeats: int = 5) -> dict:
    """Seconds to import transformers and this package, each in new processes that take turns."""
    seconds: dict[str, list[float]] = {"transformers": [], "hf_xfmr": []}
    for _ in range(repeats):
        for package, taken in seconds.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {package}"], check=True)
            taken.append(time.perf_counter() - start)
    stock, ours = (sorted(taken)[repeats // 2] for taken in seconds.values())
    return {"ratio": stock / ours, "seconds": {"stock": stock, "ours": ours}, "turns": repeats}


_HEADER = f"{'contest':<20}{'precision':<10}{'ratio':>15}{'stock':>13}{'ours':>13}{'tokens/s':>9}"


def _lines(result: dict) -> list[str]:
    """A line of the table, and what else there is to say: where ours is slower, first."""
    low, high = result.get("quartiles", (result["ratio"],) * 2)
    ratio = f"{result['ratio']:.2f} {low:.1f}-{high:.1f}"
    stock, ours = (f"{1000 * result['seconds'][who]:,.1f} ms" for who in ("stock", "ours"))
    speed = f"{result['tokens_per_second']:,.0f}" if "tokens_per_second" in result else ""
    cells = "".join(f" {text:>{wide}}" for text, wide in ((ratio, 14), (stock, 12), (ours, 12), (speed, 8)))
    lines = [f"{result['name']:<20}{result['precision']:<10}{cells}"]
    if result["ratio"] < 1:
        lines.append(f"  slower than stock: {1 / result['ratio']:.2f} times its time")
    for who, times in result.get("others", {}).items():
        lines.append(f"  to {who}: {times:.2f}{' (slower)' if times < 1 else ''}")
    if "memory_ratio" in result:
        lines.append(f"  memory at its peak: {result['memory_ratio']:.2f} of stock's")
    if "share_of_matrix_rate" in result:
        lines.append(f"  of the machine's rate of matrix products: {result['share_of_matrix_rate']:.0%}")
    return lines
