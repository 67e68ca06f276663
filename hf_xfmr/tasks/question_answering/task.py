"""What is asked of question answering from outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..task import Look, Task, refuse_classifiers


class QuestionAnswering(Task):
    name = "question_answering"
    heads = ("ForQuestionAnswering",)
    command, recipe = "predict", "answer_bert"
    looks_in_turn = 1
    answers = "answers-{split}.jsonl"

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
        from .answerer import Answerer

        refuse_classifiers("answers questions", temperature, all_probabilities, abstain_below)
        return Answerer(model, engine=engine, bf16=bf16)

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        from .look import look

        return look(name, words)

    def left_to_users(self, config: Mapping[str, Any]) -> list[str]:
        notes = ["long contexts: this model reads them in windows that overlap, and the best span of all is the answer"]
        if (threshold := config.get("no_answer_threshold")) is not None:
            notes.append(f"no answer: where [CLS] scores more than {threshold:.3g} above the best span")
        return notes


TASK = QuestionAnswering()
