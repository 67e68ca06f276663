"""A recipe's flags, read from the source without importing it, and with it torch: what a quick `--help` needs.

The fields of its dataclasses are looked up by name through the files' imports. Whatever is not understood is said by
`NotUnderstood`, and then the recipe itself is asked.
"""

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import flags
from .flags import OURS, UNKNOWN, Flag

_ELSEWHERE = {"transformers.TrainingArguments": "transformers.training_args.TrainingArguments"}  # transformers is lazy
_DEFAULT_ARGUMENTS = f"{OURS}.training.trainer.XfmrTrainingArguments"  # what run.settings.parse takes if none are named


class NotUnderstood(Exception):
    """The source is written in a way that this reader does not know."""


class Module:
    """A source file: its statements, by name."""

    def __init__(self, name: str, file: Path):
        self.name, self.is_package = name, file.name == "__init__.py"
        try:
            self.tree = ast.parse(file.read_text(encoding="utf-8"))
        except (OSError, SyntaxError) as error:
            raise NotUnderstood(str(error)) from error
        self.classes = {one.name: one for one in self.tree.body if isinstance(one, ast.ClassDef)}
        self.values = dict(_assigned(self.tree.body))
        self.imports = dict(self._imports())

    def _imports(self) -> Iterator[tuple[str, str]]:
        """A name of the module, and the full name of what it is."""
        for one in self.tree.body:
            if isinstance(one, ast.ImportFrom):
                above = self.name.split(".")[: None if self.is_package else -1]
                base = above[: len(above) - one.level + 1] if one.level else []
                for alias in one.names:
                    yield alias.asname or alias.name, ".".join([*base, *filter(None, [one.module]), alias.name])
            elif isinstance(one, ast.Import):
                for alias in one.names:
                    yield alias.asname or alias.name, alias.name


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for one in body:
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
            yield one.targets[0].id, one.value
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is not None:
            yield one.target.id, one.value


@functools.cache
def _module(name: str) -> Module | None:
    """By its full name; None: there is none of that name."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)  # of a package alone: that imports nothing
    if spec is None or not spec.submodule_search_locations:
        return None
    place = Path(next(iter(spec.submodule_search_locations)), *rest)
    for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if file.is_file():
            return Module(name, file)
    return None


def _find(full: str) -> tuple[Module, str]:
    """The module that defines what has this full name, and its name there."""
    module_name, _, name = _ELSEWHERE.get(full, full).rpartition(".")
    module = _module(module_name) if module_name else None
    if module is None:
        raise NotUnderstood(full)
    if name in module.classes or name in module.values:
        return module, name
    if name in module.imports:
        return _find(module.imports[name])
    raise NotUnderstood(full)


def _resolve(module: Module, node: ast.expr) -> tuple[Module, str]:
    """What a name, or a name in a module, stands for."""
    if isinstance(node, ast.Name):
        if node.id in module.classes or node.id in module.values:
            return module, node.id
        if node.id in module.imports:
            return _find(module.imports[node.id])
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in module.imports:
        return _find(f"{module.imports[node.value.id]}.{node.attr}")
    raise NotUnderstood(f"{module.name}: {ast.unparse(node)}")


def of_script(script: Path) -> tuple[list[Flag], str]:
    """The flags of a recipe's script, and what it says of itself. Raises `NotUnderstood`."""
    recipe = Module(script.stem, script)
    calls = [node for node in ast.walk(recipe.tree) if isinstance(node, ast.Call)]
    parse = next((one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "parse"), None)
    if parse is None or not 1 <= len(parse.args) <= 2:
        raise NotUnderstood(f"{script}: no call of parse")
    homes = [_resolve(recipe, one) for one in parse.args]
    if len(homes) == 1:
        homes.append(_find(_DEFAULT_ARGUMENTS))
    found: dict[str, Flag] = {}
    for home in homes:
        for module, owner in _lineage(*home):
            for name, flag in _fields(module, owner):
                found.setdefault(name, flag)
    return [one for one in found.values() if one is not _HIDDEN], ast.get_docstring(recipe.tree) or ""


def _lineage(module: Module, name: str) -> list[tuple[Module, ast.ClassDef]]:
    """A class and those that it inherits from, in the order in which Python looks."""
    if name not in module.classes:
        raise NotUnderstood(f"{module.name}.{name}")
    owner = module.classes[name]
    lines = [_lineage(*_resolve(module, base)) for base in owner.bases]
    found = [(module, owner)]
    while lines := [line for line in lines if line]:  # as Python's own merge: none before one that inherits from it
        head = next((line[0] for line in lines if all(line[0] not in other[1:] for other in lines)), None)
        if head is None:
            raise NotUnderstood(f"the bases of {module.name}.{name}")
        found.append(head)
        lines = [[one for one in line if one != head] for line in lines]
    return found


_HIDDEN = Flag("", (), "", None, "")  # a field that no flag sets


def _fields(module: Module, owner: ast.ClassDef) -> Iterator[tuple[str, Flag]]:
    values = dict(_assigned(owner.body))
    for one in owner.body:
        if not (isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)):
            continue
        words, default = {}, UNKNOWN
        if isinstance(one.value, ast.Call) and isinstance(one.value.func, ast.Name) and one.value.func.id == "field":
            words = {word.arg: word.value for word in one.value.keywords}
        elif one.value is not None:
            words = {"default": one.value}
        if isinstance(init := words.get("init"), ast.Constant) and init.value is False:
            yield one.target.id, _HIDDEN
            continue
        said = ""
        if "metadata" in words:
            said = evaluate(module, words["metadata"], values).get("help", "")
            if said is UNKNOWN:
                raise NotUnderstood(f"{module.name}.{owner.name}.{one.target.id}")
        if "default" in words:
            try:
                default = evaluate(module, words["default"], {})  # a class's own name may be set again further down
            except NotUnderstood:
                default = UNKNOWN
        default = default if isinstance(default, str | int | float | bool | None) else UNKNOWN
        kinds = flags.takes(ast.unparse(one.annotation).strip("'\""))
        home = f"{module.name}.{owner.name}"
        yield one.target.id, Flag(one.target.id, kinds, " ".join(said.split()), default, home)


def evaluate(module: Module, node: ast.expr, names: dict[str, Any]) -> Any:
    """The value of an expression as settings are written with: constants, their names, sums, joined and filled texts,
    and keys made of classes' attributes. `names` are values (or expressions) known beside the module's own."""

    def value(one: ast.expr) -> Any:
        return evaluate(module, one, names)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in names:
            known = names[node.id]
            return value(known) if isinstance(known, ast.expr) else known
        case ast.Name():
            home, name = _resolve(module, node)
            return evaluate(home, home.values[name], {}) if name in home.values else (home, home.classes[name])
        case ast.Attribute():
            of = value(node.value) if isinstance(node.value, ast.Name) and node.value.id in names else None
            home, owner = of if isinstance(of, tuple) else _owner(*_resolve(module, node.value))
            if node.attr in (own := dict(_assigned(owner.body))):
                return evaluate(home, own[node.attr], {})
        case ast.UnaryOp(op=ast.USub()):
            return -value(node.operand)
        case ast.BinOp(op=ast.Add()):
            return value(node.left) + value(node.right)
        case ast.Tuple() | ast.List():
            return [value(one) for one in node.elts]
        case ast.Dict():
            return {value(key): _or_unknown(value, one) for key, one in zip(node.keys, node.values, strict=True) if key}
        case ast.DictComp(generators=[ast.comprehension(target=ast.Name(id=each), iter=of)]):
            return {evaluate(module, node.key, {**names, each: one}): UNKNOWN for one in value(of)}
        case ast.JoinedStr():
            return "".join(str(value(one)) for one in node.values)
        case ast.FormattedValue(format_spec=None):
            return value(node.value)
        case ast.Call(func=ast.Attribute(attr="join", value=between), args=[of]):
            return value(between).join(value(of))
    raise NotUnderstood(f"{module.name}: {ast.unparse(node)}")


def _owner(module: Module, name: str) -> tuple[Module, ast.ClassDef]:
    if name not in module.classes:
        raise NotUnderstood(f"{module.name}.{name}")
    return module, module.classes[name]


def _or_unknown(value, node: ast.expr) -> Any:
    """A mapping's value; where only its keys are asked for, it may be anything."""
    try:
        return value(node)
    except NotUnderstood:
        return UNKNOWN
