"""The page at /: type a text, see what the model says of it. Its three files come from here and ask here alone."""

import json
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from string import Template

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ...plain import printable

LANGUAGES = {"en": "en", "zh": "zh-Hans"}  # and their HTML names
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_HERE = Path(__file__).parent


@cache
def words() -> dict[str, dict[str, str]]:
    """By language, by name, what the page says."""
    return json.loads((_HERE / "words.json").read_text(encoding="utf-8"))


def html(name: str, language: str) -> str:
    """The page for a model of this name; nothing of it is a mark of HTML."""
    said = words()[language]
    other = next(one for one in LANGUAGES if one != language)
    values = {"lang": LANGUAGES[language], "model": printable(name), "other": other, "words": json.dumps(said)}
    filled = {key: _escaped(value) for key, value in {**said, **values}.items()}
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(filled)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def add_to(api: FastAPI, name: str, language: str) -> None:
    """The paths of the page. `?language=` is for one visit, `language` where it says nothing."""

    async def page(request: Request) -> Response:
        asked = request.query_params.get("language", "")
        shown = html(name, asked if asked in LANGUAGES else language)
        return HTMLResponse(shown, headers={"Content-Security-Policy": POLICY})

    api.add_route("/", page, include_in_schema=False)
    for file, kind in (("page.js", "text/javascript"), ("page.css", "text/css")):
        api.add_route(f"/{file}", _file(file, kind), include_in_schema=False)


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    text = (_HERE / name).read_text(encoding="utf-8")

    async def file(request: Request) -> Response:
        return Response(text, media_type=kind)

    return file
