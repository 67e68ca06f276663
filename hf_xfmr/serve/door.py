"""The door of a server: who may come in, how much a request may bring and how slowly, and what is written down of it.

An ASGI application around another. It reads a request's body before the other begins, counts its bytes as they come,
and ends the other when the client has gone.
"""

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse

from . import log, refusals
from .limits import HELD_BODIES, Limits
from .metrics import Metrics
from .refusals import Refusal

OPEN = {"/", "/page.js", "/page.css", "/health", "/ready"}  # without a key; the page asks for it
DRAINED, DRAIN_SECONDS = 64_000_000, 5.0  # of a body that is too large: a client reads no answer while it sends
IDS = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Door:
    """`key`: what `Authorization: Bearer` must say, None: nothing. `paths` are the ones that there are, by which
    requests are counted; another's name is written nowhere."""

    def __init__(self, app: Any, limits: Limits, metrics: Metrics, key: str | None, paths: Callable[[], set[str]]):
        self.app, self.limits, self.metrics, self.paths = app, limits, metrics, paths
        self.key = None if key is None else key.encode()
        self.held = 0  # bytes of bodies in memory

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, receive, send)
        try:
            await self._answer(request)
        finally:
            self.held -= request.held
            self._write_down(request)

    async def _answer(self, request: "_Request") -> None:
        try:
            self._check(request)
            given = await self._body(request)
        except Refusal as refusal:
            response = JSONResponse(refusal.body(), refusal.status, refusal.headers)
            await response(request.scope, request.receive, request.send)
            return
        except ConnectionResetError:
            return
        inner = asyncio.ensure_future(self.app(request.scope, _given(given, request.gone), request.send))
        watch = asyncio.ensure_future(request.until_gone())
        await asyncio.wait({inner, watch}, return_when=asyncio.FIRST_COMPLETED)
        request.gone.set()
        if not inner.done():
            request.status = request.status or 499  # as nginx counts a client that has closed its request
            inner.cancel()
        watch.cancel()
        await asyncio.gather(inner, watch, return_exceptions=True)
        if not inner.cancelled() and (error := inner.exception()) is not None:
            log.line("failed", logging.ERROR, request=request.id, **log.fault(error))
            if not request.status:
                body = refusals.broken("the server failed at this request; its log says where").body()
                await JSONResponse(body, 500)(request.scope, request.receive, request.send)

    def _check(self, request: "_Request") -> None:
        path, method = request.scope["path"], request.scope["method"]
        if not request.scope["http_version"].startswith("1."):  # h11 takes any digits
            raise Refusal(505, "this server speaks HTTP/1.1")
        if self.key is not None and path not in OPEN and method != "OPTIONS":
            given = request.header(b"authorization") or b""
            if not hmac.compare_digest(given, b"Bearer " + self.key):
                raise Refusal(401, "the header Authorization: Bearer KEY is missing or wrong", "Validation")
        kind = (request.header(b"content-type") or b"").split(b";")[0].strip().lower()
        if method == "POST" and path in self.paths() and kind != b"application/json":
            # A page elsewhere can post forms and plain text here unasked, and no JSON.
            raise Refusal(415, "send JSON, with the header Content-Type: application/json")
        length = request.header(b"content-length")
        if length is not None and length.isdigit() and int(length) > self.limits.max_body:
            request.too_large = True

    async def _body(self, request: "_Request") -> bytes:
        """The body, in memory for as long as the request is. Raises `Refusal` for one that is too large, comes too
        slowly or finds no room, and `ConnectionResetError` where the client has gone."""
        pieces: list[bytes] = []
        size, until = 0, time.monotonic() + self.limits.patience
        while True:
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    message = await request.receive()
            except TimeoutError:
                raise Refusal(408, f"the body did not come within {self.limits.patience:g} seconds") from None
            if message["type"] == "http.disconnect":
                request.status = 499
                raise ConnectionResetError
            piece = message.get("body", b"")
            size += len(piece)
            if request.too_large or size > self.limits.max_body:
                request.too_large = True
                pieces.clear()
                until = min(until, time.monotonic() + DRAIN_SECONDS)
                if size > DRAINED or not message.get("more_body"):
                    raise refusals.too_much(
                        f"the body has more than {self.limits.max_body:,} bytes, the most that is read: send less at "
                        "a time, or start the server with a larger --max_body"
                    )
                continue
            self.held += len(piece)
            request.held += len(piece)
            if self.held > HELD_BODIES * self.limits.max_body:
                raise refusals.full(1)
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)

    def _write_down(self, request: "_Request") -> None:
        seconds = time.monotonic() - request.since
        path = request.scope["path"] if request.scope["path"] in self.paths() else "other"
        self.metrics.requests.labels(path, str(request.status or 499)).inc()
        self.metrics.seconds.labels(path).observe(seconds)
        if path not in ("/health", "/ready", "/metrics"):
            said = {"path": path, "status": request.status, "seconds": round(seconds, 4), "bytes": request.held}
            log.line("request", request=request.id, method=request.scope["method"][:8], **said)


class _Request:
    """One request on its way through the door."""

    def __init__(self, scope: Any, receive: Any, send: Any):
        self.scope, self.receive, self._send = scope, receive, send
        self.since = time.monotonic()
        self.status, self.held = 0, 0
        self.too_large = False
        self.gone = asyncio.Event()
        told = self.header(b"x-request-id") or b""
        self.id = told.decode() if IDS.fullmatch(told) else uuid.uuid4().hex[:16]

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.scope["headers"] if key == name), None)

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in message.get("headers", [])}
            added = [*HEADERS, (b"x-request-id", self.id.encode())]
            headers = [*message.get("headers", []), *(one for one in added if one[0] not in own)]
            message = {**message, "headers": headers}
        await self._send(message)

    async def until_gone(self) -> None:
        """Until the client has closed the connection, or its answer is complete."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def _given(body: bytes, gone: asyncio.Event) -> Callable[[], Any]:
    """What an application receives whose request's body is there."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive
