"""Whether a value is of the kind that its setting takes: a number, a text, true or false, a list, a mapping."""

import enum
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal, Union

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", list: "a list"}
UNKNOWN = object  # what no config file and no flag can say
WORDS |= {dict: "a {key: value, …}", type(None): "null"}
ORDER = list(WORDS)


def of(*classes: type) -> dict[str, set]:
    """For each field of dataclasses the kinds of value it takes, each a key of WORDS or UNKNOWN."""
    hints = {name: hint for one in classes for name, hint in typing.get_type_hints(one).items()}
    return {name: {one if one in WORDS else UNKNOWN for one in _kinds(hint)} for name, hint in hints.items()}


def _kinds(hint: Any) -> Iterable[Any]:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        for one in typing.get_args(hint):
            yield from _kinds(one)
    elif origin is Literal:
        yield from map(type, typing.get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield str
    else:
        yield origin or hint


def fault(value: Any, kinds: set) -> str | None:
    """What is wrong with a value where `kinds` are taken, as `must be …, not …`; None: nothing."""
    given = type(value)
    fits = (
        given in kinds or (given is int and float in kinds) or (given is float and int in kinds and value.is_integer())
    )
    if fits:
        return None
    wanted = words(kinds)
    if UNKNOWN in kinds:
        return "is for programs alone: leave it out"
    shown = {None: "null", True: "true", False: "false"}.get(value, value) if _is_word(value) else repr(value)
    quotes = ": put it in quotes" if str in kinds and given in (bool, int, float) else ""
    return f"must be {wanted}, not {str(shown)[:100]}{quotes}"


def words(kinds: set) -> str:
    """What is taken, in words, null left out."""
    return " or ".join(WORDS[one] for one in ORDER if one in kinds and one is not type(None))


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
