"""Settings tried out: trials of a recipe on its validation rows, shared by processes, gone on with after a kill."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answer import search

__all__ = ["search"]


def __getattr__(name: str):
    if name != "search":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .answer import search  # with torch and transformers: a wrong word is told without them

    return search
