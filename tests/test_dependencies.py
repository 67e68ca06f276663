"""What is imported is declared in pyproject.toml, with the oldest version that will do."""

import ast
import importlib.metadata
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
TOOLS = ("dev", "docs")  # extras with which this project is worked on
OPTIONAL = [Requirement(line) for name, lines in EXTRAS.items() if name not in TOOLS for line in lines]
# Called by another library's optional part, which we name so that it is installed: nothing here imports it.
FOR_OTHERS = {"onnxscript", "ray", "sentence-transformers", "trl", "torchao", "tensorboard", "axe-playwright-python"}


def foreign(tree: ast.AST) -> set[str]:
    """The top modules a file imports, wherever in it, that are neither Python's nor ours."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
    return {one for one in found if one not in sys.stdlib_module_names and one != "hf_xfmr"}


@cache
def imports() -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for file in sorted([*(ROOT / "hf_xfmr").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")]):
        for module in foreign(ast.parse(file.read_text(encoding="utf-8"))):
            files.setdefault(module, []).append(file.relative_to(ROOT))
    return files


@cache
def distributions() -> dict[str, set[str]]:
    """Module -> the packages that bring it, here and now."""
    return {
        module: {canonicalize_name(one) for one in names}
        for module, names in importlib.metadata.packages_distributions().items()
    }


def test_every_import_is_declared():
    declared = {canonicalize_name(one.name) for one in [*NEEDED, *OPTIONAL]}
    brings = distributions()
    undeclared = {
        module: [str(file) for file in files[:3]]
        for module, files in imports().items()
        if not brings.get(module, {canonicalize_name(module)}) & declared
    }
    assert not undeclared


def test_what_is_declared_is_imported():
    brings = distributions()
    imported = {name for module in imports() for name in brings.get(module, {canonicalize_name(module)})}
    declared = {canonicalize_name(one.name) for one in [*NEEDED, *OPTIONAL]} - {"hf-xfmr"}
    assert declared - imported - FOR_OTHERS == set()


def test_how_imports_are_read():
    source = (
        "import os, numpy.linalg\nfrom .x import y\nfrom hf_xfmr import z\ndef f():\n    from jinja2.sandbox import s\n"
    )
    assert foreign(ast.parse(source)) == {"numpy", "jinja2"}


@pytest.mark.parametrize("requirement", NEEDED, ids=lambda one: one.name)
def test_each_names_the_oldest_version_that_will_do_and_the_one_here_is_inside(requirement):
    assert [one.operator for one in requirement.specifier].count(">=") == 1
    assert requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)


BREAKS: set[str] = set()  # the packages of which a newer version is known to break something: none so far


def test_an_upper_bound_is_for_what_breaks():
    """Others in the same environment choose versions too."""
    bounded = {one.name for one in [*NEEDED, *OPTIONAL] if {spec.operator for spec in one.specifier} - {">="}}
    assert bounded == BREAKS
