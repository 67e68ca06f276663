"""The commands and Python of the pages do what the pages say: each page is run from top to bottom in a fresh folder.

A block ```bash test``` or ```python test``` is run here, ```bash slow``` under the mark `slow`; what a test adds to a
training, to shorten it, stands after the mark. A block ```text output``` after one gives lines that it printed, with …
for what differs from time to time.
"""

import importlib.util
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from pages import DOCS, MARKS, PAGES, SHELL, Block, fenced
from places import ROOT

from hf_xfmr.__main__ import run as run_command

RUN = ("test", "slow")


def pages_with(mark: str) -> list[str]:
    """Pages that have a block of this mark."""
    return [page for page in PAGES if any(block.mark == mark for block in fenced(page))]


def test_every_command_is_run_or_says_why_not():
    unmarked = [
        f"{one.page}:{one.line}"
        for page in PAGES
        for one in fenced(page)
        if one.language in SHELL and one.mark not in MARKS
    ]
    assert unmarked == []
    assert len([one for page in PAGES for one in fenced(page) if one.mark in RUN]) > 20


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder as a reader has it: the recipes, and the pages' small files."""
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    for file in (DOCS / "examples").iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_in(block: Block, words: list[str]) -> None:
    """One command in this process: its imports are made for all of them."""
    name, *arguments = words
    assert name in ("python", "hf_xfmr"), words
    if arguments[:2] == ["-m", "hf_xfmr"]:
        name, arguments = "hf_xfmr", arguments[2:]
    trains = name == "python" or arguments[0] in ("train", "curve")
    sys.argv = [*(["hf_xfmr"] if name == "hf_xfmr" else []), *arguments, *(block.quick if trains else [])]
    ended = None
    try:
        if name == "hf_xfmr":
            run_command()
        else:
            script(Path(arguments[0]))
    except SystemExit as error:
        ended = error.code
    assert ended in (None, 0), f"{block.page}:{block.line}: {' '.join(words)} ended with {ended}"


def script(path: Path) -> None:
    if path.parent.name != "recipes":
        runpy.run_path(str(path), run_name="__main__")
        return
    specification = importlib.util.spec_from_file_location(f"page_{path.stem}", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    module.main(sys.argv[1:])


def check_output(block: Block, printed: str) -> None:
    """Each line of the block was printed, in whatever order."""
    for line in filter(None, map(str.strip, block.body.splitlines())):
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
        assert re.search(pattern, printed), f"{block.page}:{block.line}: {line!r} is not in\n{printed}"


def run_page(page: str, marks: tuple[str, ...], capfd, monkeypatch) -> None:
    """Run the blocks of these marks, in their order, and look for the outputs that stand after them."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    names: dict = {"__name__": "__main__"}
    printed = None  # by the block before; None: it was not run
    for block in fenced(page):
        if block.language == "text" and block.mark == "output" and printed is not None:
            check_output(block, printed)
        if block.language not in (*SHELL, "python"):
            continue
        printed = None
        if block.mark not in marks:
            continue
        capfd.readouterr()
        if block.language == "python":
            exec(compile(block.body, f"{page}:{block.line}", "exec"), names)
        else:
            for words in block.commands():
                run_in(block, words)
        printed = "".join(capfd.readouterr())


@pytest.mark.parametrize("page", pages_with("test"))
def test_a_page_does_what_it_says(page, here, capfd, monkeypatch):
    run_page(page, ("test",), capfd, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("slow"))
def test_a_page_of_long_trainings_does_what_it_says(page, here, capfd, monkeypatch):
    run_page(page, RUN, capfd, monkeypatch)


def test_an_output_that_was_not_printed_is_found():
    block = Block("page.md", 1, "text", ("output",), "accuracy … of 12\n")
    check_output(block, "loss 1\naccuracy 0.5 of 12\n")
    with pytest.raises(AssertionError, match=r"page\.md:1"):
        check_output(block, "accuracy 0.5 of 13\n")
