"""The project's pages (READMEs, docs/ and what stands beside them) as tests read them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(
    [name for name in ("README.md", "README.zh.md", "SECURITY.md", "RELEASING.md") if (ROOT / name).exists()]
    + [path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md") if "_build" not in path.parts]
)
MARKS = {
    "test": "run in the default suite",
    "slow": "run by `make test-all`",
    "serves": "a server, started by `make test-all`, asked by the block `asks` behind it, and stopped",
    "asks": "run by `make test-all` while the server before it runs",
    "network": "needs a network: a hub or a package index",
    "gpu": "needs GPUs, or several machines",
    "elsewhere": "needs a file, an account or a program that only its reader has",
}
SHELL = ("bash", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block: ```language mark flags…; docs/pages.md says what these are."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    body: str

    @property
    def mark(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def quick(self) -> list[str]:
        """Flags that a test adds to a training, to shorten it."""
        return list(self.words[1:])

    def commands(self) -> list[list[str]]:
        """The words of each command line; a line that ends in a backslash goes on."""
        lines = self.body.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fenced(page: str) -> list[Block]:
    """Every fenced block of a page, directives too."""
    text = text_of(page)
    found = re.finditer(r"^```([^\n`]*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    blocks = []
    for one in found:
        language, *words = one[1].split() or [""]
        blocks.append(Block(page, text.count("\n", 0, one.start()) + 1, language, tuple(words), one[2]))
    return blocks


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def in_backticks(page: str) -> list[str]:
    """What stands in backticks in a page's prose, line ends as spaces."""
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose(page))]


def links(page: str) -> list[str]:
    """Where a page's links and pictures lead, without what stands after #."""
    return re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose(page))


def folder(page: str) -> Path:
    return (ROOT / page).parent
