"""Dependencies point one way, what travels to a hub can travel, and the tree that the pages show is the tree."""

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

PACKAGE = ROOT / "hf_xfmr"
SHARED_PARTS = {
    "blocks",
    "decoding",
    "finished",
    "kernel_checks",
    "kernels",
    "packing",
    "recording",
    "sizes",
    "losses",
    "linear",
    "dropout",
    "steps",
    "stock",
    "tied",
    "versions",
    "vocabulary",
}


def imports(file: Path) -> list[tuple[int, str, list[str]]]:
    """Every import of a file, wherever it stands in it, as (level, module, names): (1, "blocks", ["Attention"]) is
    `from .blocks import Attention`."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or "", [alias.name for alias in node.names]))
    return found


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def known_modules() -> frozenset[str]:
    return frozenset(module_name(other) for other in PACKAGE.rglob("*.py"))


@functools.cache
def imported_files(file: Path) -> set[str]:
    """The modules of hf_xfmr that a file imports."""
    known = known_modules()
    package = list(file.relative_to(ROOT).parent.parts)
    found = set()
    for level, module, names in imports(file):
        base = ".".join([*package[: len(package) - level + 1], *filter(None, [module])]) if level else module
        submodules = {f"{base}.{name}" for name in names} & known
        found |= submodules or ({base} & known)
    return found - {module_name(file)}


MODEL_FILES = sorted(file for file in (PACKAGE / "models").glob("*.py") if file.name != "__init__.py")


@pytest.mark.parametrize("file", MODEL_FILES, ids=lambda file: file.stem)
def test_a_model_file_can_travel(file):
    """What a folder on a hub carries is copied flat: only `from .sibling import name`, and of other packages only those
    that whoever loads it has in any case."""
    siblings = {other.stem for other in MODEL_FILES}
    for level, module, _ in imports(file):
        if level:
            assert level == 1, f"{file.name} imports from {'.' * level}{module}"
            assert module in siblings, f"{file.name} imports .{module}"
        else:
            at_hand = module.split(".")[0] in {"torch", "transformers", *sys.stdlib_module_names}
            assert at_hand or module == "huggingface_hub.dataclasses", f"{file.name} imports {module}"


@pytest.mark.parametrize("part", sorted(SHARED_PARTS))
def test_shared_parts_know_no_model(part):
    modules = {module for level, module, _ in imports(PACKAGE / "models" / f"{part}.py") if level}
    assert modules <= SHARED_PARTS


def test_no_file_imports_in_a_circle():
    graph = {module_name(file): imported_files(file) for file in PACKAGE.rglob("*.py")}
    assert "hf_xfmr.models.blocks" in graph["hf_xfmr.models.bert"]
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_library_knows_no_recipe():
    for file in PACKAGE.rglob("*.py"):
        assert not [module for _, module, _ in imports(file) if module.split(".")[0] == "recipes"], file


def read_tree(readme: str) -> dict[str, str] | None:
    """The paths of a page's tree with their phrases: a fenced block that starts with a line for `hf_xfmr/`, in
    which a line is a name, two spaces or more, and a phrase, indented by two spaces a folder; folders end in `/`."""
    block = re.search(r"^```\w*\n(hf_xfmr/.*?)^```", readme, re.MULTILINE | re.DOTALL)
    if block is None:
        return None
    paths, folders = {}, []
    for line in filter(None, map(str.rstrip, block[1].splitlines())):
        name, _, phrase = line.strip().partition("  ")
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name]
        paths["".join(folders)] = phrase.strip()
    return paths


def tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("readme", ["docs/architecture.md", "docs/zh/architecture.md"])
def test_a_page_shows_every_folder_with_a_phrase(readme):
    """A folder of which one file is shown, other than the library's own, shows all; and nothing is shown that is not
    there."""
    tree = read_tree((ROOT / readme).read_text(encoding="utf-8"))
    assert tree is not None
    assert [path for path, phrase in tree.items() if not phrase] == []
    files = [path for path in tracked() if path.startswith("hf_xfmr/") and path.endswith(".py")]
    folders = {f"{path.rpartition('/')[0]}/" for path in files}
    assert {path for path in tree if path.startswith("hf_xfmr/") and path.endswith("/")} == folders
    shown = {path for path in tree if not path.endswith("/")}
    opened = {f"{path.rpartition('/')[0]}/" for path in shown}
    beside = {path for path in files if f"{path.rpartition('/')[0]}/" in opened and not path.endswith("__init__.py")}
    assert shown == beside
    assert all(any(path.startswith(folder) for path in tracked()) for folder in tree if folder.endswith("/"))


def test_every_folder_says_what_it_is():
    for file in PACKAGE.rglob("__init__.py"):
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        assert docstring, file


def lint_imports(folder: Path) -> subprocess.CompletedProcess:
    """import-linter with the project's contracts, over the package that lies in a folder."""
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )


WRONG = {  # a file, what it would import, and the contract that is then broken
    "training/trainer.py": ("from ..tasks.classification import run", "below its floor"),
    "tasks/tagging/metrics.py": ("from ..classification import metrics", "knows no other task"),
    "models/blocks.py": ("from ..errors import UserError", "models travel to a hub"),
    "data/files.py": ("from ..report import plots", "below its floor"),
}


def test_imports_run_down_only(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "hf_xfmr", ignore=shutil.ignore_patterns("__pycache__"))
    done = lint_imports(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", WRONG)
def test_an_import_that_runs_up_is_found(tmp_path, file):
    line, contract = WRONG[file]
    shutil.copytree(PACKAGE, tmp_path / "hf_xfmr", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "hf_xfmr" / file).open("a", encoding="utf-8") as source:
        print(line, file=source)
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith(" BROKEN")]
    assert [line for line in broken if contract in line], broken


def test_how_the_tree_is_read():
    tree = """\
hf_xfmr/      the library
  models/     travels
    bert.py   2018
  data.py     rows
tests/        all
"""
    assert read_tree(f"text\n```\n{tree}```\n") == {
        "hf_xfmr/": "the library",
        "hf_xfmr/models/": "travels",
        "hf_xfmr/models/bert.py": "2018",
        "hf_xfmr/data.py": "rows",
        "tests/": "all",
    }
    assert read_tree("```\nmake test\n```\n") is None
