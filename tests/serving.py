"""Servers for tests: in a thread of this process, or a process of their own, always on loopback and a free port."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from places import ROOT

PATIENCE = 120.0  # seconds for a start on a busy machine


class Address:
    """Where a server listens."""

    def __init__(self, port: int, process: subprocess.Popen | None = None, application: Any = None):
        self.port, self.process, self.application = port, process, application

    def ask(
        self, path: str, body: Any = None, *, method: str | None = None, headers: dict | None = None, timeout=60.0
    ) -> tuple[int, Any, dict]:
        """(status, what JSON says or the bytes, headers)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if sent is not None else {}
        try:
            connection.request(method or ("GET" if sent is None else "POST"), path, sent, {**given, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(content) if "json" in kind else content, dict(answer.headers)

    def ready(self, patience: float = PATIENCE) -> "Address":
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}")
            try:
                if self.ask("/ready")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("the server was not ready in time")

    def counted(self, name: str) -> float:
        """What /metrics says of a counter, the sum over its labels."""
        text = self.ask("/metrics")[1].decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextmanager
def in_thread(model: Any, **options: Any) -> Iterator[Address]:
    """A server in a thread; `options` are those of `serve`."""
    import uvicorn

    from hf_xfmr.serve import subject_of
    from hf_xfmr.serve.app import Application
    from hf_xfmr.serve.limits import Limits
    from hf_xfmr.serve.protocol import patient
    from hf_xfmr.serve.running import take

    own = {name: options.pop(name) for name in ("key", "cors", "language") if name in options}
    engine = options.pop("engine", None)
    limits = Limits(**options)
    with take("127.0.0.1", 0) as place:
        application = Application(subject_of(str(model), limits.batch_size, engine), limits, **own)
        config = uvicorn.Config(
            application.asgi, http=patient(limits.patience), ws="none", log_config=None, timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([place],), daemon=True)
        thread.start()
        try:
            yield Address(place.getsockname()[1], application=application).ready()
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def process(*words: object, environment: dict | None = None, log: Any = None, before: str = "") -> Iterator[Address]:
    """`hf_xfmr serve` with these words as a process. `log` is a file for its standard error, `before` is Python that is
    run in it first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"{before}\nfrom hf_xfmr.__main__ import main\nmain()"
    command = [sys.executable, "-c", code, "serve", *map(str, words), "--port", str(port)]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **(environment or {})}
    running = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield Address(port, running)
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGKILL)
        running.wait()
        if running.stdout is not None:
            running.stdout.close()
