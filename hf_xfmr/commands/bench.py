"""Time our models against stock transformers on this machine, with the same weights, data, precision and optimizer.

    python -m hf_xfmr bench --quick
    python -m hf_xfmr bench data
    python -m hf_xfmr bench lora

Every row is a ratio: stock's median time by ours, of steps taken in turns in one process. Prints a table and the
machine's measured ceilings; writes bench.json and bench.svg. --quick takes shallower models of the same widths.
`data` times instead the reading of a table of a million rows (--quick: 100,000) beside pyarrow's, and writes data.json.
`lora` prints CPU time and memory of LoRA beside full fine-tuning.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("models", "data", "lora"), default="models", help="default: models")
    parser.add_argument("--quick", action="store_true", help="2 layers in place of 12, fewer turns, one precision")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these contests")
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=("float32", "bfloat16"),
        help="default: both where bfloat16 is fast; with --quick that alone",
    )
    parser.add_argument("--turns", type=int, default=15, help="most turns a contest (default 15)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of bench.json and bench.svg")


def run(arguments: argparse.Namespace) -> None:
    if arguments.what == "data":
        from ..bench.data import bench_data

        bench_data(rows=100_000 if arguments.quick else 1_000_000, turns=arguments.turns, out=arguments.out)
        return
    if arguments.what == "lora":
        from ..bench.lora import bench_lora

        bench_lora(quick=arguments.quick, turns=arguments.turns, only=arguments.only)
        return
    from ..bench.contests import bench

    bench(
        quick=arguments.quick,
        only=arguments.only,
        precision=arguments.precision,
        turns=arguments.turns,
        out=arguments.out,
    )
