"""The command bench gpu: its parts in their order within a time, what is printed and written of them."""

import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ...errors import UserError
from ...run.console import say
from ...writing import folder, place, whole
from ..machine import bandwidth, describe, matrix_rate
from ..measure import in_turns, peak_bytes
from .contests import CONTESTS, TINY, Size
from .parity import PRECISIONS, beside_stock, chosen, dropout_means, kernels

SECONDS = 420.0  # for all of it; the rest of eight minutes is for what starts and ends
# Dense products in bfloat16 by the makers' data sheets, flop/s; of other devices the rate measured here is the measure.
PEAKS = {"A100": 312e12, "H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "L40S": 362e12, "L4": 121e12}


def bench_gpu(
    *,
    device: str | None = None,
    tiny: bool = False,
    only: Sequence[str] | None = None,
    precision: Sequence[str] | None = None,
    turns: int = 15,
    seconds: float = SECONDS,
    out: str | Path = "runs/bench",
) -> bool:
    """Parity, speed and memory on one device (`cuda` if there is one), printed as a table and written to gpu.json in
    the folder `out`. `tiny` models make it a trial of the script itself, on a CPU in under a minute. Returns whether
    all that was computed holds.

    Raises `UserError` where there is no such device, and for a contest there is none of.
    """
    on = _device(device, tiny)
    for name in only or ():
        if name not in CONTESTS:
            raise UserError(f"--only: there is no contest '{name}'; there are {', '.join(CONTESTS)}")
    if turns < 1:
        raise UserError(f"--turns is {turns}; it must be at least 1")
    target = place(out, "--out")
    folder(target, instead="give another --out")
    begin = time.perf_counter()
    record: dict[str, Any] = {"machine": describe(on), "ceilings": _ceilings(on, tiny), "tiny": tiny}
    say("  ".join(f"{key}: {value}" for key, value in record["machine"].items()))
    say("  ".join(f"{key.replace('/s', ' G/s', 1)}: {v / 1e9:,.0f}" for key, v in record["ceilings"].items()))
    record["chosen"] = chosen(on)
    say("padding is dropped by: " + ", ".join(f"{kind}: {kernel}" for kind, kernel in record["chosen"].items()), "")
    record["kernels"] = kernels(on)
    small = {"layers": 1, "width": 64} if tiny else {}
    record["parity"] = list(beside_stock(on, **small))
    record["dropout"] = list(dropout_means(on, seeds=60 if tiny else 400))
    say(*_parity_lines(record))
    record["contests"] = []
    names = list(only or CONTESTS)
    todo = [(name, kind) for name in names for kind in precision or ("bfloat16", "float32")]
    start = time.perf_counter()
    say("", "ratio: the other's time by ours, median of the turns", _HEADER)
    for number, (name, kind) in enumerate(todo, 1):
        until = start + (begin + seconds - start) * number / len(todo)  # what one leaves is the next one's
        try:
            result = contest(name, kind, on, TINY if tiny else Size(), until=until, turns=turns)
            result |= _utilisation(result, record, on)
        except (RuntimeError, ValueError, TypeError, ImportError) as error:  # the others are still worth their time
            result = {
                "name": name,
                "precision": kind,
                "failed": f"{type(error).__name__}: {str(error).splitlines()[0]}",
            }
        record["contests"].append(result)
        say(*_lines(result))
        gc.collect()
        if on.type == "cuda":
            torch.cuda.empty_cache()
    record["seconds"] = time.perf_counter() - begin
    parts = [*record["kernels"], *record["parity"], *record["dropout"]]
    failed = [part for part in parts if not part["holds"]] + [one for one in record["contests"] if "failed" in one]
    record["holds"] = not failed
    with whole(Path(target) / "gpu.json") as aside:
        aside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    end = "all of it holds" if not failed else f"{len(failed)} of it DO NOT HOLD: see above"
    say("", f"{end}; {record['seconds']:.0f} s; written: {Path(target) / 'gpu.json'}")
    return not failed


def _device(name: str | None, tiny: bool) -> torch.device:
    if name is None and not torch.cuda.is_available():
        raise UserError(
            "there is no GPU that PyTorch can use here (torch.cuda.is_available() is False): run this where there is "
            "one; the script itself is tried by --device cpu --tiny"
        )
    try:
        on = torch.device("cuda", torch.cuda.current_device()) if name in (None, "cuda") else torch.device(str(name))
        torch.zeros(1, device=on)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"--device: PyTorch can't use '{name}' here: {str(error).splitlines()[0]}") from error
    if on.type == "cpu" and not tiny:
        raise UserError("--device cpu tries the script alone, and needs --tiny; `hf_xfmr bench` is for a CPU's figures")
    return on


def _ceilings(on: torch.device, tiny: bool) -> dict[str, float]:
    size = 256 if tiny else 8192
    rates = {
        f"{name} flop/s": matrix_rate(PRECISIONS[name], on, shapes=((size, size, size),))
        for name in ("float32", "bfloat16")
    }
    return rates | {"memory bytes/s": bandwidth(on, size=2**20 if tiny else 2**28)}


def contest(name: str, kind: str, on: torch.device, size: Size, *, until: float, turns: int) -> dict:
    """The figures of one contest: seconds, ratios, tokens and model FLOPs per second, peak bytes."""
    made = CONTESTS[name](on, PRECISIONS[kind], size)
    peaks, left_out = {}, {}
    for who, step in made.memory.items():
        try:
            peaks[who] = peak_bytes(step, on)
        except (RuntimeError, ValueError, TypeError, ImportError) as error:
            if "FA-2" not in who:
                raise
            left_out[who] = f"{type(error).__name__}: {str(error).splitlines()[0]}"  # ours is compared with the others
            del made.contestants[who]
    times = in_turns(made.contestants, on, until=until, turns=turns)
    turned = len(times.seconds["ours"])
    seconds = sum(times.seconds["ours"])
    result = {
        "name": name,
        "precision": kind,
        "turns": turned,
        "seconds": {who: times.median(who) for who in times.seconds},
        "ratios": {who: times.ratio(who, "ours") for who in times.seconds if who != "ours"},
        "tokens_per_second": sum(map(made.tokens, range(turned))) / seconds,
        "peak_bytes": peaks,
        "left_out": left_out,
    }
    if made.flops is not None:
        result["model_flops_per_second"] = sum(map(made.flops, range(turned))) / seconds
    return result


def _utilisation(result: dict, record: dict, on: torch.device) -> dict:
    """Model FLOPs utilisation: of the maker's figure where it is known, of the measured rate of products elsewhere."""
    if "model_flops_per_second" not in result or result["precision"] != "bfloat16":
        return {}
    device = record["machine"]["device"]
    known = next((peak for name, peak in PEAKS.items() if name in device and on.type == "cuda"), None)
    against = known or record["ceilings"]["bfloat16 flop/s"]
    return {
        "utilisation": result["model_flops_per_second"] / against,
        "utilisation_of": "the data sheet" if known else "the rate measured here",
    }


def _parity_lines(record: dict) -> list[str]:
    lines = []
    for part in record["kernels"]:
        if not part["holds"]:
            lines.append(f"  {part['kernel']}, {part['precision']}: DOES NOT HOLD, not used: {part['why']}")
    passed = sum(part["holds"] for part in record["kernels"])
    lines.append(f"kernels: {passed} of {len(record['kernels'])} compute what plain arithmetic does")
    for part in record["parity"]:
        if not part["holds"]:
            far = f"{part['ours']:.1e} apart, {part['allowed']:.1e} allowed"
            lines.append(f"  {part['model']} {part['precision']} {part['what']}: DOES NOT HOLD: {far}")
    worst = {
        kind: max(part["ours"] for part in record["parity"] if part["precision"] == kind)
        for kind in ("float32", "bfloat16")
    }
    told = ", ".join(f"{kind} {far:.1e}" for kind, far in worst.items())
    lines.append(f"beside stock (logits, loss, gradients), at most apart: {told}")
    for part in record["dropout"]:
        verdict = "" if part["holds"] else ": DOES NOT HOLD"
        told = f"{part['mean']:.2f} standard errors off on average, {part['most']:.1f} at most"
        lines.append(f"dropout over {part['seeds']} seeds, {part['precision']}: {told}{verdict}")
    return lines


_HEADER = f"{'contest':<18}{'precision':<10}{'who':<25}{'time':>11}{'ratio':>7}{'MiB':>9}"


def _lines(result: dict) -> list[str]:
    """Lines of the table: one for each contestant, ours first, its memory at the peak of a step; then what else there
    is to say."""
    head = f"{result['name']:<18}{result['precision']:<10}"
    if "failed" in result:
        return [f"{head}FAILED: {result['failed']}"]
    lines, slower = [], []
    for who in ["ours", *result["ratios"]]:
        ratio = result["ratios"].get(who, (None,))[0]
        time_taken, told = f"{1000 * result['seconds'][who]:,.1f} ms", "" if ratio is None else f"{ratio:.2f}"
        lines.append(f"{head}{who:<25}{time_taken:>11}{told:>7}{result['peak_bytes'][who] / 2**20:>9,.0f}")
        if ratio is not None and ratio < 1:
            slower.append(f"  slower than {who}: {1 / ratio:.2f} times its time")
        head = " " * len(head)
    more = [f"{result['tokens_per_second']:,.0f} tokens/s"]
    if "utilisation" in result:
        more.append(f"model FLOPs: {result['utilisation']:.1%} of {result['utilisation_of']}")
    out = [f"  left out, {who}: {why}" for who, why in result["left_out"].items()]
    return [*lines, *slower, *out, "  " + ", ".join(more)]
