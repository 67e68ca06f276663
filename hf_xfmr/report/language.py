"""The language of reports and model cards: English as it stands in code and templates, or what a file says instead.

A page is written within `speaking(language)`; whatever is drawn and said in there asks `say`. A context variable, since
a picture knows of no language, and its words are spread over a dozen functions. Messages in a terminal stay English.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import matplotlib
import yaml
from markupsafe import Markup

from ..drawing.style import FONT, fonts_for
from ..errors import UserError

LANGUAGES = {"en": "en", "zh": "zh-Hans"}  # and their HTML names
_language: ContextVar[str] = ContextVar("language", default="en")


def check(language: str) -> str:
    """Raises `UserError` for a language that no page speaks."""
    if language not in LANGUAGES:
        raise UserError(f"language is '{language}'; pages can be in {' or '.join(LANGUAGES)}: --language zh")
    return language


@functools.cache
def words(language: str) -> Mapping[str, str]:
    """English to what is said instead; empty for English."""
    file = Path(__file__).with_name(f"{language}.yaml")
    return {} if language == "en" else yaml.safe_load(file.read_text(encoding="utf-8"))


@contextmanager
def speaking(language: str, *, in_files: bool = False) -> Iterator[None]:
    """What `say` says in here is in `language`. Pictures `in_files`, whose letters come from this machine's fonts, stay
    English where no font has the characters; on a page it is the reader's fonts that draw them."""
    fonts = fonts_for(words(check(language)).values())
    drawn_here = language if fonts or not in_files else "en"
    token = _language.set(drawn_here)
    try:
        with matplotlib.rc_context({"font.family": fonts or [FONT]}):
            yield
    finally:
        _language.reset(token)


def current() -> str:
    return _language.get()


def say(english: str, **values: Any) -> str:
    """A text in the language of the page, its {places} filled."""
    text = words(current()).get(english, english)
    return text.format(**values) if values else text


def say_html(english: str, **values: Any) -> Markup:
    """The same for a text with tags; the values are escaped."""
    text = Markup(words(current()).get(english, english))
    return text.format(**values) if values else text
