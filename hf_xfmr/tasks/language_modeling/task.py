"""What is asked of language modelling from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..task import Task


class LanguageModeling(Task):
    name = "language model"
    heads = ("ForCausalLM", "LMHeadModel")
    command, recipe = "generate", "finetune_gpt2"
    answers = "documents-{split}.csv"

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)


TASK = LanguageModeling()
