"""What is asked of tagging from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..task import Look, Task


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

        told = {
            "temperature": temperature is not None,
            "all_probabilities": all_probabilities,
            "abstain_below": abstain_below is not None,
        }
        for name in (name for name, is_told in told.items() if is_told):
            raise UserError(f"{name} is for classifiers, and this model finds entities: leave it out")
        return Tagger(model, engine=engine, bf16=bf16)

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        from .look import look

        return look(name, words)


TASK = Tagging()
