"""How many labels are enough: a recipe trained on growing parts of its rows, and what more rows would bring."""

from .answer import curve

__all__ = ["curve"]
