"""What an evaluation during training has predicted is not predicted again at its end, if the weights are those."""

from typing import Any

from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput


class ScoredOnce(Trainer):
    """A Trainer that keeps the outputs of its newest evaluation, and of the one that was the best."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._scored: dict[int, Any] = {}  # by the step whose weights predicted them
        self._step_loaded: int | None = None  # of the best checkpoint, once training has ended with its weights

    def evaluation_loop(self, dataloader, description, *args, **kwargs):
        output: EvalLoopOutput = super().evaluation_loop(dataloader, description, *args, **kwargs)
        if kwargs.get("metric_key_prefix") == "eval" and getattr(dataloader, "dataset", None) is self.eval_dataset:
            best = self.state.best_global_step
            self._scored = {step: kept for step, kept in self._scored.items() if step == best}
            if output.predictions is not None:
                self._scored[self.state.global_step] = output.predictions
        return output

    def _load_best_model(self) -> None:
        super()._load_best_model()
        self._step_loaded = self.state.best_global_step

    def training_step(self, *args, **kwargs):
        self._step_loaded = None
        return super().training_step(*args, **kwargs)

    def predictions(self, rows: Any) -> Any:
        """What the model predicts of these rows: as it was evaluated on them with the very weights, or predicted now.
        For after training, when nothing else has changed the weights."""
        step = self.state.global_step if self._step_loaded is None else self._step_loaded
        if rows is self.eval_dataset and step in self._scored:
            return self._scored[step]
        return self.predict(rows).predictions
