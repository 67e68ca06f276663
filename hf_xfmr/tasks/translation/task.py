"""What is asked of translation from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..task import Look, Task


class Translation(Task):
    name = "translation"
    heads = ("ForConditionalGeneration", "MTModel")
    command, recipe = "translate", "translate"
    looks_in_turn = 2
    answers = "translations-{split}.tsv"

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        from .look import look

        return look(name, words)


TASK = Translation()
