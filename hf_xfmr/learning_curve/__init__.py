"""How many labels are enough: a recipe trained on growing parts of its rows, and what more rows would bring."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answer import curve

__all__ = ["curve"]


def __getattr__(name: str):
    if name != "curve":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .answer import curve  # with torch and transformers: a wrong word is told without them

    return curve
