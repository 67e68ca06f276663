"""A recipe's flags: what each is called, takes and says of itself, and how `--help` shows them."""

import dataclasses
import re
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from . import recipes

GROUPS = ("data", "model", "check before training", "training", "output")
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
        if owner == "ModelSettings":
            return "model"
        if module == f"{OURS}.check":
            return "check before training"
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


def asked_for(words: Sequence[str]) -> str | None:
    """What help is asked for among a recipe's words: "" is the short one, "all" all; None: none."""
    for place, word in enumerate(words):
        if word in ("-h", "--help"):
            return "all" if "all" in words[place + 1 : place + 2] else ""
        if word == "--help=all":
            return "all"
    return None


def set_by_configs(stem: str) -> set[str]:
    """The settings that a recipe's ready configurations set: what people change."""
    paths = (recipes.folder() / "configs" / stem).glob("*.yaml")
    return {key for path in paths for key in re.findall(r"^(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)}


def help_text(flags: Iterable[Flag], script: Path, *, program: str, description: str, everything: bool) -> str:
    """The help of a recipe: ours by group, with the settings of transformers' that its configurations use; with
    `everything` the rest of transformers' too."""
    flags = list(flags)
    known = set_by_configs(script.stem) | {"output_dir", "seed", "num_train_epochs", "max_steps", "push_to_hub"}
    shown = {one.name for one in flags if one.home.startswith(OURS) or not one.home.startswith("transformers.")}
    shown |= known
    first = description.strip().partition("\n\n")
    columns = shutil.get_terminal_size().columns - 1
    config = "[CONFIG.yaml]" if program.endswith(".py") else "[--config CONFIG]"
    blocks = [f"usage: {program} {config} [--key value ...]", *_paragraphs(first, columns)]
    for group in GROUPS:
        of_group = [one for one in flags if one.group == group and one.name in shown]
        if of_group:
            blocks.append("\n".join([f"{group}:", *(line for one in of_group for line in _lines(one, columns))]))
    rest = [one for one in flags if one.name not in shown]
    if everything and rest:
        lines = (line for one in rest for line in _lines(one, columns))
        blocks.append("\n".join(["further arguments of transformers' Trainer:", *lines]))
    elif rest:
        blocks.append(f"--help all lists {len(rest)} further arguments of transformers' Trainer.")
    return "\n\n".join(blocks)


def help_of(settings_class: type, arguments_class: type, *, everything: bool) -> str:
    """The help of a recipe's script, that has been imported for it."""
    module = sys.modules[settings_class.__module__]
    return help_text(
        of_classes(settings_class, arguments_class),
        Path(str(module.__file__)),
        program=Path(sys.argv[0]).name,
        description=module.__doc__ or "",
        everything=everything,
    )


def _paragraphs(parts: tuple[str, str, str], columns: int) -> list[str]:
    """The description without the command of its script, which the usage says."""
    first, _, rest = parts
    kept = [one for one in rest.split("\n\n") if not one.lstrip().startswith("python ")]
    return [textwrap.fill(_words(one), max(columns, 40)) for one in (first, *kept) if one.strip()]


def _lines(flag: Flag, columns: int) -> list[str]:
    name = f"  --{flag.name} {'|'.join(KINDS[one] for one in flag.takes)}".rstrip()
    said = flag.help
    if flag.default not in (UNKNOWN, None, "", False) and "left out" not in said.lower():
        default = "true" if flag.default is True else flag.default
        said = f"{said.rstrip('.')} (default: {default})"
    indent = 28
    wrapped = textwrap.wrap(said, max(columns - indent, 40)) or [""]
    if len(name) > indent - 2:
        return [name, *(" " * indent + line for line in wrapped)]
    return [f"{name:<{indent}}{wrapped[0]}", *(" " * indent + line for line in wrapped[1:])]
