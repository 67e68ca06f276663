"""Time our models against stock transformers on this machine, with the same weights, data, precision and optimizer.

    python -m hf_xfmr bench --quick
    python -m hf_xfmr bench data
    python -m hf_xfmr bench epoch --quick
    python -m hf_xfmr bench scale --quick
    python -m hf_xfmr bench lora
    python -m hf_xfmr bench serve --model FOLDER
    python -m hf_xfmr bench gpu
    python -m hf_xfmr bench quality --only movie-reviews-500-minilm

Every row is a ratio: stock's median time by ours, of steps taken in turns in one process. Prints a table and the
machine's measured ceilings; writes bench.json, bench.md (a page's table) and bench.svg. --quick takes shallower models
of the same widths.
`data` times instead the reading of a table of a million rows (--quick: 100,000) beside pyarrow's, and writes data.json.
`epoch` times a whole epoch of `make finetune`, data preparation included, beside transformers' own way to train, with
batches padded to their longest row and with all rows padded to the maximum. `scale` draws how cost grows with rows,
length, vocabulary and batch, and checks the slopes: exit code 1 if one is steeper than it may be. `lora` prints CPU
time and memory of LoRA beside full fine-tuning.
`serve` asks servers of a classifier in turns, by 64 clients at a time: ours, a plain FastAPI with stock's pipeline, and
LitServe and BentoML where they are.
`gpu` shows on one GPU, in at most eight minutes, that numbers hold, and times and memory beside stock's ways; it writes
gpu.json. --device cpu --tiny tries it without one.
`quality` trains on samples with the defaults, three seeds each, searches, and writes quality.md: figures of test beside
TF-IDF's or the CRF's. It takes hours, and goes on where it was stopped.
"""

import argparse
from pathlib import Path

from ..errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=("models", "data", "epoch", "scale", "lora", "serve", "gpu", "quality"),
        default="models",
        metavar="KIND",
        help="models (the default), data, epoch, scale, lora, serve, gpu or quality",
    )
    parser.add_argument("--quick", action="store_true", help="2 layers in place of 12, fewer turns, one precision")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these contests")
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=("float32", "bfloat16"),
        metavar="PRECISION",
        help="float32, bfloat16 or both (default: both where bfloat16 is fast; with --quick that alone)",
    )
    parser.add_argument("--turns", type=int, default=15, help="most turns a contest (default 15)")
    parser.add_argument("--trials", type=int, default=12, help="quality: of each search (default 12; 0: none)")
    parser.add_argument("--model", help="serve: the folder of a run of train classify")
    parser.add_argument("--onnx", nargs="+", default=(), help="serve: its exports, which are served too")
    parser.add_argument("--clients", type=int, default=64, help="serve: how many ask at a time (default 64)")
    parser.add_argument("--requests", type=int, default=1000, help="serve: texts asked a turn (default 1000)")
    parser.add_argument(
        "--cores", type=int, help="serve: how many the servers have, with a thread each; the clients the rest"
    )
    parser.add_argument("--litserve", metavar="PYTHON", help="serve: an interpreter that has litserve")
    parser.add_argument("--bentoml", metavar="PYTHON", help="serve: an interpreter that has bentoml")
    parser.add_argument("--device", help="gpu: where it runs (default: cuda)")
    parser.add_argument("--tiny", action="store_true", help="gpu: tiny models, to try the script itself")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/bench"), help="folder of bench.json, bench.md and bench.svg"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.what == "data":
        from ..bench.data import bench_data

        bench_data(rows=100_000 if arguments.quick else 1_000_000, turns=arguments.turns, out=arguments.out)
        return
    if arguments.what == "epoch":
        from ..bench.epoch import bench_epoch

        bench_epoch(quick=arguments.quick, turns=arguments.turns, precision=arguments.precision, out=arguments.out)
        return
    if arguments.what == "scale":
        from ..bench.scale import bench_scale

        record = bench_scale(quick=arguments.quick, only=arguments.only, out=arguments.out)
        if not all(line["holds"] for line in record["lines"]):
            raise SystemExit(1)
        return
    if arguments.what == "lora":
        from ..bench.lora import bench_lora

        bench_lora(quick=arguments.quick, turns=arguments.turns, only=arguments.only)
        return
    if arguments.what == "serve":
        from ..bench.serve import bench_serve

        if not arguments.model:
            raise UserError("bench serve needs a classifier: --model FOLDER, a run of train classify")
        bench_serve(
            arguments.model,
            onnx=arguments.onnx,
            clients=arguments.clients,
            requests=arguments.requests,
            turns=min(arguments.turns, 3),
            cores=arguments.cores,
            litserve=arguments.litserve,
            bentoml=arguments.bentoml,
            out=arguments.out,
        )
        return
    if arguments.what == "quality":
        from ..bench.quality import bench_quality

        bench_quality(only=arguments.only, trials=arguments.trials, out=arguments.out / "quality")
        return
    if arguments.what == "gpu":
        from ..bench.gpu.report import bench_gpu

        holds = bench_gpu(
            device=arguments.device,
            tiny=arguments.tiny,
            only=arguments.only,
            precision=arguments.precision,
            turns=min(arguments.turns, 2) if arguments.tiny else arguments.turns,
            out=arguments.out,
        )
        if not holds:
            raise SystemExit(1)
        return
    from ..bench.contests import bench

    bench(
        quick=arguments.quick,
        only=arguments.only,
        precision=arguments.precision,
        turns=arguments.turns,
        out=arguments.out,
    )
