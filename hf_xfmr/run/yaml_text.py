"""YAML as it is read here: plain values, each key once, nothing nested out of measure, and errors of one line."""

import re
from pathlib import Path
from typing import Any

import yaml

from ..data.regular import read_small
from ..errors import UserError

DEPTH = 50  # of lists and mappings within one another; settings need three


class _Loader(yaml.SafeLoader):
    """Refuses what a settings file can only hold by mistake or malice."""

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent, index):
        self.depth += 1
        if self.depth > DEPTH:
            raise yaml.constructor.ConstructorError(
                None, None, f"more than {DEPTH} lists or mappings within one another", self.peek_event().start_mark
            )
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(None, None, "an alias (*name): write the value out", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_yaml_int(self, node):
        if re.fullmatch(r"[-+]?0[0-9_]+|.*:.*", node.value):  # which YAML 1.1 counts by eights, and by sixties
            twofold = f"{node.value} is read in two ways: write the number out, or a text in quotes"
            raise yaml.constructor.ConstructorError(None, None, twofold, node.start_mark)
        return self._number(super().construct_yaml_int, node, "whole number")

    def construct_yaml_float(self, node):
        return self._number(super().construct_yaml_float, node, "number")

    def _number(self, read, node, kind: str):
        try:
            return read(node)
        except ValueError:
            shown = f"{node.value[:40]!r} is no {kind} that can be read"
            raise yaml.constructor.ConstructorError(None, None, shown, node.start_mark) from None

    def refuse(self, node):
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        raise yaml.constructor.ConstructorError(None, None, f"the tag {tag}: write a plain value", node.start_mark)

    def construct_mapping(self, node, deep=False):
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "a merge (<<): write the keys out", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    twice = f"the key '{key.value}' is there twice (first in line {seen[key.value]})"
                    raise yaml.constructor.ConstructorError(None, None, twice, key.start_mark)
                seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
for _tag in ("binary", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.refuse)
_Loader.add_constructor(None, _Loader.refuse)  # any other
# A day is a name here, and no number.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)  # type: ignore[type-var]


def read(text: str) -> Any:
    """The value of a YAML text. Raises `ValueError`, one line, for one that can't be read."""
    try:
        return _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(_words(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _words(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:  # a character that YAML does not take
        return " ".join(str(error).replace('in "<unicode string>", ', "").split())
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})"


def read_file(path: Path) -> Any:
    """The value of a YAML file. Raises `UserError`, naming the file, for one that can't be read."""
    text = read_small(path, "config file")
    try:
        return read(text)
    except ValueError as error:
        raise UserError(f"{path} is not YAML: {error}") from None
