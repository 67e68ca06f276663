"""What is asked of translation from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..task import Task


class Translation(Task):
    name = "translation"
    heads = ("ForConditionalGeneration", "MTModel")
    command, recipe = "translate", "translate"
    answers = "translations-{split}.tsv"

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)


TASK = Translation()
