"""The application of a server: its paths, its errors, and what is asked of it while the model is still being read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .. import __version__
from . import completions, info, page, paths, refusals
from .batcher import Batcher
from .continuing import Continuing
from .door import Door
from .limits import Limits
from .metrics import TYPE, Metrics
from .refusals import Refusal
from .subjects import Subject


class Application:
    """What answers HTTP with a model. `ended` is called when it is read, with None, or the error if it can't be.
    `asgi` is what uvicorn runs."""

    def __init__(
        self,
        subject: Subject,
        limits: Limits,
        *,
        key: str | None = None,
        cors: Sequence[str] = (),
        language: str = "en",
        ended: Callable[[Exception | None], None] = lambda error: None,
    ):
        self.subject, self.limits, self.language, self.ended = subject, limits, language, ended
        self.name = info.name_of(subject.model)
        self.metrics = Metrics()
        self.batcher = Batcher(self._prepare, self._ready, subject.compute, limits, self.metrics)
        self.about: dict[str, Any] = {}
        self.api = FastAPI(
            title=f"hf_xfmr serve: {self.name}",
            version=__version__,
            lifespan=self._lifespan,
            docs_url=None,  # its scripts come from elsewhere
            redoc_url=None,
            default_response_class=JSONResponse,
        )
        self._add_own()
        self._add_errors(self.api)
        self.known = _paths(self.api)
        inside: Any = self.api
        if cors:
            inside = CORSMiddleware(
                self.api, allow_origins=list(cors), allow_methods=["GET", "POST"], allow_headers=["*"]
            )
        self.asgi = Door(inside, limits, self.metrics, key, lambda: self.known)

    def _prepare(self) -> None:
        """In the model's thread."""
        self.subject.load()
        self.subject.warm_up()
        self.about = info.about(self.subject.model, self.subject.info(), self.limits)

    def _ready(self, error: Exception | None) -> None:
        if error is None:
            self.loop.call_soon_threadsafe(self._open)
        else:
            self.ended(error)

    def _open(self) -> None:
        """Add the paths of the model, now that it is known."""
        if isinstance(self.subject, Continuing):
            routes = completions.router(self.batcher, self.limits, self.name, self.subject.key)
        else:
            routes = paths.router(self.subject, self.batcher, self.limits)
        self.api.include_router(routes)
        self.api.openapi_schema = None  # of the paths before
        self.known |= _paths(routes)
        self.batcher.open()
        self.ended(None)

    @asynccontextmanager
    async def _lifespan(self, api: FastAPI) -> AsyncIterator[None]:
        self.loop = asyncio.get_running_loop()
        self.batcher.start()
        yield
        await asyncio.to_thread(self.batcher.stop)

    def _add_own(self) -> None:
        @self.api.get("/health", tags=["server"], summary="200 while the process answers and its model's thread lives")
        async def health() -> Response:
            alive = self.batcher.thread.is_alive()
            return JSONResponse({"status": "alive" if alive else "dead"}, 200 if alive else 503)

        @self.api.get("/ready", tags=["server"], summary="200 once the model is read and there is room in the queue")
        async def ready() -> Response:
            self.batcher.check_room(1)
            return JSONResponse({"status": "ready"})

        @self.api.get("/metrics", tags=["server"], summary="Counters, as Prometheus reads them")
        async def metrics() -> Response:
            return Response(self.metrics.text(), media_type=TYPE)

        @self.api.get("/info", tags=["server"], summary="The model: labels, versions, hashes, limits")
        async def about() -> Any:
            if not self.about:
                raise refusals.not_ready("the server is reading its model")
            return self.about

        page.add_to(self.api, self.name, self.language)

    def _add_errors(self, api: FastAPI) -> None:
        """Every error as {"error", "error_type"}, and none with a word of what was sent."""

        @api.exception_handler(Refusal)
        async def refused(request: Request, error: Refusal) -> Response:
            return JSONResponse(error.body(), error.status, error.headers)

        @api.exception_handler(RequestValidationError)
        async def invalid(request: Request, error: RequestValidationError) -> Response:
            refusal = refusals.invalid("; ".join(sorted({_said(one) for one in error.errors()})[:5]))
            if request.url.path.startswith("/v1/"):
                return completions.failed(refusal)
            return JSONResponse(refusal.body(), refusal.status)

        @api.exception_handler(HTTPException)
        async def other(request: Request, error: HTTPException) -> Response:
            if error.status_code == 404 and not self.batcher.is_ready:
                return await refused(request, refusals.not_ready("the server is reading its model"))
            where = {
                404: "no such path: /openapi.json lists them",
                405: "this path is asked otherwise: see /openapi.json",
            }
            refusal = Refusal(error.status_code, where.get(error.status_code, str(error.detail)))
            return JSONResponse(refusal.body(), refusal.status, error.headers)

        @api.exception_handler(Exception)
        async def failed(request: Request, error: Exception) -> Response:
            refusal = refusals.broken("the model failed at this request; the server's log says where")
            return (
                completions.failed(refusal)
                if request.url.path.startswith("/v1/")
                else JSONResponse(refusal.body(), 500)
            )


def _paths(routes: FastAPI | APIRouter) -> set[str]:
    return {route.path for route in routes.routes if hasattr(route, "path")}


def _said(one: dict) -> str:
    """What is wrong with a field, in pydantic's words, which quote nothing."""
    where = ".".join(str(part) for part in one["loc"][1:] if isinstance(part, str))
    return f"{where}: {one['msg']}" if where else str(one["msg"])
