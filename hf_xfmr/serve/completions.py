"""/v1/completions and /v1/models, in OpenAI's schema, so that its clients continue prompts here."""

import asyncio
import itertools
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..errors import UserError
from ..plain import is_unicode
from . import log, refusals
from .batcher import Batcher
from .job import Job
from .limits import Limits
from .refusals import Refusal
from .written import Continued, Prompt, Sampling

MOST_STOPS, MOST_COPIES = 4, 128
LARGEST_SEED = 2**63 - 1
UNREAD = {  # what OpenAI's schema has and this server can't do: (value that asks for nothing)
    "suffix": None,
    "logprobs": None,
    "logit_bias": None,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
_alone = itertools.count()


class Completion(BaseModel):
    """What /v1/completions is sent; fields of OpenAI's that are not here are ignored, or refused where they ask for
    something."""

    model: str | None = Field(None, description="ignored: the server has one")
    prompt: str | list[str] = Field(examples=["Once upon a time"])
    max_tokens: int = Field(16, ge=1)
    temperature: float = Field(1.0, ge=0, le=100, allow_inf_nan=False, description="0: always the likeliest token")
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0, description="sample among so many tokens, 0: all (not OpenAI's)")
    n: int = Field(1, ge=1, le=MOST_COPIES)
    best_of: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)
    echo: bool = False
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    suffix: Any = None
    logprobs: Any = None
    logit_bias: Any = None
    presence_penalty: Any = 0
    frequency_penalty: Any = 0


def router(batcher: Batcher, limits: Limits, name: str, key: Callable[[Sampling], Hashable]) -> APIRouter:
    """The two paths; `name` is what the model is called, and prompts of one `key` can be written together."""
    routes = APIRouter(tags=["generate"])
    began = int(time.time())

    @routes.get("/v1/models", summary="The one model, as OpenAI lists them")
    async def models() -> dict:
        return {"object": "list", "data": [{"id": name, "object": "model", "created": began, "owned_by": "hf_xfmr"}]}

    @routes.post("/v1/completions", summary="Continue prompts, in OpenAI's schema", response_model=None)
    async def completions(asked: Completion) -> Response:
        try:
            prompts, sampling = _checked(asked, limits)
            reply = _Reply(asked, prompts, name)
            rows = [Prompt(prompt, sampling) for prompt in reply.rows]
            if not asked.stream:
                return JSONResponse(reply.whole(await batcher.answers(Job(rows, key(sampling)))))
            events = reply.events(batcher, rows, key(sampling))
            first = await anext(events)  # what is refused by now is an error with its status
            return StreamingResponse(_all(first, events), media_type="text/event-stream")
        except (Refusal, UserError) as error:
            refusal = error if isinstance(error, Refusal) else refusals.invalid(str(error))
            return failed(refusal)

    return routes


def failed(refusal: Refusal) -> JSONResponse:
    """An error as OpenAI's clients read it; what can't be in a request is their 400."""
    status = 400 if refusal.status == 422 else refusal.status
    return JSONResponse(_error(refusal), status, refusal.headers)


def _error(refusal: Refusal) -> dict:
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    return {"error": {"message": refusal.sentence, "type": kind, "param": None, "code": None}}


def _checked(asked: Completion, limits: Limits) -> tuple[list[str], Sampling]:
    for name, nothing in UNREAD.items():
        if getattr(asked, name) not in (nothing, None, {}, 0.0):
            raise refusals.invalid(f"{name} is not supported: leave it out")
    if asked.best_of not in (None, asked.n):
        raise refusals.invalid("best_of is not supported: leave it out, or make it n")
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if not prompts or len(prompts) * asked.n > limits.max_texts:
        raise refusals.too_much(
            f"{len(prompts):,} prompts, {asked.n} times each: a request has at least 1 text and at most "
            f"{limits.max_texts:,}"
        )
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    if len(stops) > MOST_STOPS or not all(0 < len(stop) <= 1000 for stop in stops):
        raise refusals.invalid(f"stop has at most {MOST_STOPS} texts of at least 1 character and at most 1,000")
    for text in (*prompts, *stops):
        if len(text) > limits.max_chars:
            raise refusals.too_much(f"a prompt has {len(text):,} characters, and at most {limits.max_chars:,} are read")
        if not is_unicode(text):
            raise refusals.invalid("a text holds half a character (a lone surrogate)")
    alone = None if asked.seed is None else next(_alone)
    drawn = (asked.temperature, asked.top_k, asked.top_p) if asked.temperature else (0.0, 0, 1.0)
    return prompts, Sampling(asked.max_tokens, *drawn, tuple(stops), asked.seed, alone)


async def _all(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    """An error after the first event is an event, for the status is sent."""
    try:
        yield first
        async for event in rest:
            yield event
    except (Refusal, UserError) as error:
        yield _data(_error(error if isinstance(error, Refusal) else refusals.invalid(str(error))))
    except Exception as error:
        log.line("failed", logging.ERROR, **log.fault(error))
        yield _data(_error(refusals.broken("the model failed at this prompt")))
    finally:
        await rest.aclose()  # type: ignore[attr-defined]


class _Reply:
    """What is answered to one request."""

    def __init__(self, asked: Completion, prompts: list[str], model: str):
        self.asked, self.prompts = asked, prompts
        self.rows = [prompt for prompt in prompts for _ in range(asked.n)]
        self.head = {"id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time())}
        self.head["model"] = model

    def whole(self, answers: list[Continued]) -> dict:
        echoed = self.rows if self.asked.echo else [""] * len(self.rows)
        choices = [
            _choice(row, before + one.text, one.finish_reason)
            for row, (before, one) in enumerate(zip(echoed, answers, strict=True))
        ]
        return {**self.head, "choices": choices, "usage": self._usage(answers)}

    async def events(self, batcher: Batcher, rows: list[Prompt], key: Hashable) -> AsyncGenerator[str, None]:
        """Server-sent events: pieces of text as they come, the end of each text, [DONE]. The time of the whole answer
        is limited as everybody's. Raises `Refusal` and what the model raises."""
        pieces: asyncio.Queue = asyncio.Queue()  # of at most max_tokens pieces a row
        job = Job(rows, key, lambda row, piece: pieces.put_nowait((row, piece)))
        job.done.add_done_callback(lambda _: pieces.put_nowait(None))
        waiting = asyncio.ensure_future(batcher.answers(job))
        waiting.add_done_callback(lambda _: pieces.put_nowait(None))  # out of time too
        echoes = self.asked.echo
        try:
            while (piece := await pieces.get()) is not None:
                if echoes:
                    for row, prompt in enumerate(self.rows):
                        yield self._event(_choice(row, prompt, None))
                    echoes = False
                yield self._event(_choice(piece[0], piece[1], None))
            answers = await waiting
            for row, one in enumerate(answers):
                yield self._event(_choice(row, "", one.finish_reason))
            if (self.asked.stream_options or {}).get("include_usage"):
                yield _data({**self.head, "choices": [], "usage": self._usage(answers)})
            yield "data: [DONE]\n\n"
        finally:
            waiting.cancel()
            batcher.drop(job)

    def _usage(self, answers: list[Continued]) -> dict[str, int]:
        read = sum(one.read for one in answers[:: self.asked.n])
        written = sum(one.tokens for one in answers)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _event(self, choice: dict) -> str:
        return _data({**self.head, "choices": [choice]})


def _choice(row: int, text: str, reason: str | None) -> dict:
    return {"text": text, "index": row, "logprobs": None, "finish_reason": reason}


def _data(value: dict) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
