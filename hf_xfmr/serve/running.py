"""The process of a server: its socket, its signals, its end."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from ..errors import UserError
from ..plain import printable
from . import CONNECTIONS, log
from .app import Application
from .limits import Limits
from .protocol import patient
from .subjects import Subject

BACKLOG = 2048


@contextmanager
def take(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to an address; port 0 is any that is free. Raises `UserError` for one that can't be had."""
    if not 0 <= port <= 65535:
        raise UserError(f"port is {port}; it must be at least 0 and at most 65,535 (0: any that is free)")
    try:
        family, kind, number, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, number)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"host '{host}' is no address of this machine ({error}): leave --host out for 127.0.0.1"
        ) from None
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(place)
        except OSError as error:
            raise UserError(
                f"{host}:{port} can't be had ({error.strerror}): give another --port, as 0 for any that is free"
            ) from None
        yield bound


def run(
    subject: Subject, limits: Limits, place: socket.socket, *, key: str | None, cors: Sequence[str], language: str
) -> None:
    """Serve until a signal, and finish what was accepted. Raises what the model's reading raised."""
    failed: list[Exception] = []
    host, port = place.getsockname()[:2]

    def ended(error: Exception | None) -> None:
        if error is None:
            shown = f"[{host}]" if ":" in host else host
            log.line("ready", model=application.name, task=application.about.get("task"))
            print(f"{printable(application.name)} answers at http://{shown}:{port} (Ctrl-C ends it)", flush=True)
        else:
            failed.append(error)
            server.should_exit = True

    application = Application(subject, limits, key=key, cors=cors, language=language, ended=ended)
    log.logger().setLevel(logging.INFO)
    server = _Server(
        uvicorn.Config(
            application.asgi,
            http=patient(limits.patience),
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            backlog=BACKLOG,
            timeout_keep_alive=max(1, round(limits.patience)),
            timeout_graceful_shutdown=round(limits.timeout + limits.patience) + 1,
        ),
    )
    server.asked_to_end = application.batcher.hurry
    _allow_connections()
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run([place])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failed:
        raise failed[0]
    log.line("stopped")


class _Server(uvicorn.Server):
    """Tells of the signal that ends it."""

    asked_to_end: Callable[[], None]

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        self.asked_to_end()


def _nothing(number: int, frame: Any) -> None:
    """What uvicorn raises anew at its end, once all is answered: this process has ended well."""


def _allow_connections() -> None:
    """As many open files as a process may have: each connection is one."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < CONNECTIONS + 256 and soft != most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, CONNECTIONS + 256), most))
