"""What is asked of tagging from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..task import Look, Task, refuse_classifiers


class Tagging(Task):
    name = "tagging"
    heads = ("ForTokenClassification",)
    command, recipe = "predict", "tag_bert"
    looks_in_turn = 1
    answers = "predictions-{split}.jsonl"

    def predictor(
        self,
        model: str,
        *,
        engine: str | None = None,
        temperature: float | None = None,
        all_probabilities: bool = False,
        abstain_below: float | None = None,
        bf16: bool = False,
    ):
        from .tagger import Tagger

        refuse_classifiers("finds entities", temperature, all_probabilities, abstain_below)
        return Tagger(model, engine=engine, bf16=bf16)

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        from .look import look

        return look(name, words)


TASK = Tagging()
