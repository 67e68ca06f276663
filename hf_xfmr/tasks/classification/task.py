"""What is asked of classification from outside."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..task import Look, Task


class Classification(Task):
    name = "classification"
    heads = ("ForSequenceClassification",)
    command, recipe = "predict", "classify_bert"
    looks_in_turn = 3
    answers = "predictions-{split}.csv"

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
        from .classifier import Classifier

        options: dict = {"all_probabilities": all_probabilities, "abstain_below": abstain_below, "bf16": bf16}
        found = Classifier(model, engine=engine, temperature=temperature, **options)
        if temperature is None and found.temperature != 1:
            print(
                f"calibrated: logits are divided by {found.temperature:.3g}, fitted on the run's validation rows; "
                "--temperature 1 for the model's own probabilities",
                file=sys.stderr,
            )
        return found

    def evaluate(self, folder: Path, run: dict[str, Any]):
        from .report import evaluate

        return evaluate(folder, run)

    def pages(self, folder: Path, run: dict[str, Any], language: str | None) -> list[Path]:
        if not run.get("folds"):
            return []
        from .folds import labels

        labels.write(folder, run, language)
        return [folder / labels.PAGE]

    def decide(self, folder: Path, run: dict[str, Any], wish: dict[str, Any]) -> list[str]:
        from .redecide import redecide

        return redecide(folder, run, wish)

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        from .comparison import compare

        return compare(files, runs)

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        from .look import look

        return look(name, words)

    def left_to_users(self, config: Mapping[str, Any]) -> list[str]:
        notes = []
        if (config.get("text_window") or {}).get("over_long") == "windows":
            notes.append("over-long texts: this model was trained to read them in windows whose logits are averaged")
        if (temperature := config.get("calibration_temperature") or 1) != 1:
            notes.append(f"calibration: divide the logits by {temperature:.3g} for the probabilities `predict` gives")
        if config.get("decision_thresholds") or config.get("decision_costs"):
            notes.append("decisions: `predict` answers by decision_thresholds or decision_costs of config.json")
        return notes


TASK = Classification()
