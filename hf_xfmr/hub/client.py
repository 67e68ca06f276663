"""Talking to a hub: patience where waiting helps, and its errors in words that never hold a token."""

import re
import shlex
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from ..plain import one_line
from ..versions import http

WAITS = (1, 2, 4, 8, 15)  # seconds between attempts
# hf_xet, which sends large files, has exceptions of Python's own kinds. Before it raises one it has tried for minutes.
FAILURES = (HfHubHTTPError, http.TransportError, OSError, RuntimeError)

_Result = TypeVar("_Result")


def patiently(call: Callable[[], _Result]) -> _Result:
    """`call()`, again after a while if the hub is busy or the connection breaks. Raises the last error."""
    for wait in WAITS:
        try:
            return call()
        except FAILURES as error:
            if not _may_pass(error):
                raise
        time.sleep(wait)
    return call()


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response is not None and (error.response.status_code >= 500 or error.response.status_code == 429)
    return isinstance(error, http.TransportError)


def status(error: Exception) -> int | None:
    """The HTTP status a hub answered with, if it did."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def reason(error: Exception, api: HfApi) -> str:
    """What went wrong, in one line without the token."""
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so that nothing may be sent"
    if (code := status(error)) is not None:
        said = getattr(error, "server_message", None) or ""
        return without_token(f"{api.endpoint} answered {code}" + (f": {' '.join(said.split())}" if said else ""))
    if isinstance(error, http.TransportError | ConnectionError):
        return without_token(f"{api.endpoint} can't be reached ({one_line(error)})")
    return without_token(one_line(error))


def without_token(text: str) -> str:
    """`text` with the token in use, and whatever else looks like one, left out."""
    token = get_token()
    if token:
        text = text.replace(token, "…")
    return re.sub(r"\bhf_[A-Za-z0-9]{20,}", "…", text)


def command_without_token(words: Sequence[str]) -> str:
    """A command line for a record: the value of `--hub_token` is left out."""
    kept: list[str] = []
    for word in words:
        if kept and kept[-1] == "--hub_token":
            word = "…"
        kept.append("--hub_token=…" if word.startswith("--hub_token=") else word)
    return without_token(shlex.join(kept))
