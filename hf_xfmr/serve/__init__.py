"""A model behind an address: requests that come one by one are computed together, within limits.

| file | has |
|---|---|
| `app.py`, `paths.py`, `completions.py` | what may be asked; OpenAI's schema |
| `door.py`, `protocol.py`, `limits.py`, `refusals.py` | who comes in, how much and how slowly; what is answered else |
| `job.py`, `batcher.py`, `subjects.py` | a request's rows; the queue and its thread; models |
| `continuing.py`, `written.py`, `pieces.py` | texts that are written together, and one token by token |
| `asking.py`, `info.py` | requests to rows and back; what the server says of itself |
| `metrics.py`, `log.py`, `page/` | what is counted, written down and shown |
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..plain import one_line

if TYPE_CHECKING:
    from .subjects import Subject

KEY = "HF_XFMR_API_KEY"
NEEDS = "serve needs the packages fastapi, uvicorn and prometheus_client: pip install 'hf_xfmr[serve]'"
AT_HOME = ("127.0.0.1", "::1", "localhost")
CONNECTIONS = 4096  # at a time


def serve(
    model: str,
    *,
    engine: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    batch_size: int = 32,
    max_wait_ms: float = 2.0,
    max_queue: int = 1024,
    max_texts: int = 64,
    max_chars: int = 100_000,
    max_body: int = 2_000_000,
    timeout: float = 30.0,
    patience: float = 10.0,
    cors: Sequence[str] = (),
    language: str = "en",
) -> None:
    """Answer HTTP with the model in a folder or on the Hub until SIGTERM or Ctrl-C, then finish what was accepted.

    `engine` computes it; None: what the folder is for. The numbers are those of `limits.Limits`: rows, milliseconds,
    characters, bytes and seconds. `cors` are origins whose pages may ask, `language` is that of the page at /, en or
    zh. Where HF_XFMR_API_KEY is set, requests bring it as `Authorization: Bearer`. Raises `UserError` for numbers that
    can't be, an address that can't be had, and a model that no command could use.
    """
    from .limits import Limits

    limits = Limits(batch_size, max_wait_ms, max_queue, max_texts, max_chars, max_body, timeout, patience)
    key = _key()
    if language not in ("en", "zh"):
        raise UserError(f"language is '{language}'; the page can be in en or zh: --language zh")
    for origin in cors:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            raise UserError(f"cors is '{origin}'; an origin is like https://example.org, without a path")
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(f"{NEEDS} ({one_line(error)})") from None
    from .running import run, take

    subject = subject_of(model, batch_size, engine)
    with take(host, port) as place:
        if key is None and host not in AT_HOME:
            print(f"{host} can be reached from elsewhere, and no key is asked for: set {KEY} to have one", flush=True)
        run(subject, limits, place, key=key, cors=cors, language=language)


def subject_of(model: str, batch_size: int, engine: str | None = None) -> "Subject":
    """What answers with a model, not loaded yet. Raises `UserError` for a model that no command could use."""
    from ..tasks.task import command_of
    from .continuing import Continuing
    from .subjects import Filling, Predicting, Translating

    kinds: dict[str, Any] = {kind.command: kind for kind in (Predicting, Filling, Translating, Continuing)}
    return kinds[command_of(model, engine)](model, batch_size, engine)


def _key() -> str | None:
    key = os.environ.get(KEY)
    if key is not None and (not key.strip() or not key.isascii() or not key.isprintable() or key != key.strip()):
        raise UserError(f"{KEY} is set, and no key: it must be letters, digits and signs; unset it to ask for none")
    return key
