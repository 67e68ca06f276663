"""Dependencies point one way, what travels to a hub can travel, and the README's tree is the tree."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hf_xfmr"
SHARED_PARTS = {"blocks", "decoding", "finished", "packing", "losses", "linear", "dropout", "stock"}


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


def imported_files(file: Path) -> set[str]:
    """The modules of hf_xfmr that a file imports."""
    known = {module_name(other) for other in PACKAGE.rglob("*.py")}
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
    """The paths of the README's tree with their phrases: a fenced block that starts with a line for `hf_xfmr/`, in
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


def test_the_readme_lists_every_file_with_a_phrase():
    """In each folder of the tree; one without lines of its own stands for all that is in it, and every folder's line
    stands for its `__init__.py`."""
    tree = read_tree((ROOT / "README.md").read_text(encoding="utf-8"))
    assert tree is not None
    assert [path for path, phrase in tree.items() if not phrase] == []
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    closed = [path for path in tree if path.endswith("/") and not any(p != path and p.startswith(path) for p in tree)]
    tops = tuple(path for path in tree if path.endswith("/") and path.count("/") == 1)
    inside = {path for path in tracked if path.startswith(tops) and not path.endswith("__init__.py")}
    listed = {path for path in tree if not path.endswith(("/", "__init__.py"))}
    assert listed == {path for path in inside if not path.startswith(tuple(closed))}
    assert all(any(path.startswith(folder) for path in tracked) for folder in closed)


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
