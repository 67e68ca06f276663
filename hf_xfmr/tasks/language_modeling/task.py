"""What is asked of language modelling from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..task import Look, Task


class LanguageModeling(Task):
    name = "language model"
    heads = ("ForCausalLM", "LMHeadModel")
    command, recipe = "generate", "finetune_gpt2"
    looks_in_turn = 4
    answers = "documents-{split}.csv"

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        from .look import look

        return look(name, words)


TASK = LanguageModeling()
