"""A recipe's flags: what each is called, takes and says of itself. help.py shows them."""

import dataclasses
import re
import typing
from typing import Any

GROUPS = {
    "data": "data",
    "model": "model",
    "check": "check before training",
    "training": "training",
    "output": "output",
}
OURS = "hf_xfmr"  # the package whose flags come first
UNKNOWN = object()  # a default that is no plain value
KINDS = {"str": "TEXT", "int": "N", "float": "X", "bool": "true|false", "dict": "{…}", "list": "[…]"}
_OF_OUTPUT = re.compile(r"(output|save|log|report|resume|hub|push|load_best|include|overwrite|run_name|project|track)")


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag: `takes` are names of KINDS, `home` is the module and class of the field, as `hf_xfmr.check.Settings`."""

    name: str
    takes: tuple[str, ...]
    help: str
    default: Any
    home: str

    @property
    def group(self) -> str:
        module, _, owner = self.home.rpartition(".")
        if owner in ("ModelSettings", "LoraSettings"):
            return "model"
        if module == f"{OURS}.check":
            return "check"
        if "Arguments" in owner:
            return "output" if _OF_OUTPUT.match(self.name) else "training"
        return "data"


def takes(annotation: Any) -> tuple[str, ...]:
    """The kinds that an annotation names, by its text."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    found = re.findall(r"\b(str|int|float|bool|dict|list)\b", re.sub(r"\blist\[[^]]*\]", "list", text))
    return tuple(dict.fromkeys(found))


def of_classes(*classes: type) -> list[Flag]:
    """The flags of dataclasses, a class's own before those that it inherits."""
    found: dict[str, Flag] = {}
    for one in classes:
        hints = typing.get_type_hints(one)  # transformers' parser writes others into the fields
        by_name = {field.name: field for field in dataclasses.fields(one) if field.init}
        for owner in one.__mro__:
            for name in getattr(owner, "__annotations__", {}):
                if name in by_name and name not in found:
                    field = by_name[name]
                    found[name] = Flag(
                        name,
                        takes(hints[name]),
                        _words(field.metadata.get("help", "")),
                        _default(field),
                        f"{owner.__module__}.{owner.__name__}",
                    )
    return list(found.values())


def _words(text: str) -> str:
    return " ".join(text.split())


def _default(field: dataclasses.Field) -> Any:
    if field.default is dataclasses.MISSING:
        return UNKNOWN
    return field.default if isinstance(field.default, str | int | float | bool | None) else UNKNOWN
