"""Clients of a server that classifies: each keeps a connection, and asks anew when it is answered."""

import asyncio
import json
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import psutil

from ..errors import UserError


class Load(NamedTuple):
    """What clients saw: requests a second, and seconds of the median and of 99 in 100; and the seconds of processor
    that the server took for a request."""

    rate: float
    p50: float
    p99: float
    cpu: float


async def load(
    server: tuple[int, psutil.Process], texts: Sequence[str], clients: int, name: str
) -> tuple[Load, list[str]]:
    """Every text asked once, by clients that each keep a connection and ask anew when they are answered. `name` is the
    server's, of which BentoML's reads lists."""
    port, process = server
    waiting = list(enumerate(texts))[::-1]
    seconds, labels = [0.0] * len(texts), [""] * len(texts)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            place, text = waiting.pop()
            begun = time.perf_counter()
            writer.write(_request([text] if name == "BentoML" else text))
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


def _request(text: str | list[str]) -> bytes:
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
