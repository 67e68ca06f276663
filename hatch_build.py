"""The README as a package index shows it: links and pictures that stand beside it get the repository's address.

The address is `Repository` of [project.urls] in pyproject.toml, the one place where it stands. As long as there is
none, such links become plain words and pictures are left out: none leads nowhere.
"""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Fills in `readme`, which pyproject.toml calls dynamic."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = metadata.get("urls", {}).get("Repository", "")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_index(text, repository)}


def for_index(text: str, repository: str) -> str:
    """The README with absolute links to `repository`, or without links where that is empty."""
    address = repository.rstrip("/")

    def absolute(link: re.Match) -> str:
        picture, words, target = link.groups()
        if not address:
            return "" if picture else words
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/main/{target})"

    return _LINK.sub(absolute, text)
