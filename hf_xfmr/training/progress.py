"""What a training run shows: one line that moves, and figures of speed and memory in its log."""

import time
from contextlib import contextmanager

import psutil
import torch
from transformers import ProgressCallback, Trainer
from transformers.trainer_utils import has_length

from ..progress import progress

SHOWN = {"loss": "loss", "tokens_per_second": "tokens/s", "eval_loss": "eval loss", "eval_accuracy": "eval accuracy"}

SELDOM, POINTS = 25, 20  # steps between two logs at most, and logs of a run at least, where nobody says logging_steps


class OneLineProgress(ProgressCallback):
    """A progress bar that carries the figures itself, in place of a printed line for each log: steps, time left, loss
    and tokens per second. A resumed run begins where it was."""

    def on_train_begin(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            self.training_bar = progress(
                what="training", total=state.max_steps, initial=state.global_step, unit="step", dynamic_ncols=True
            )
            self.figures: dict[str, str] = {}
        self.current_step = state.global_step

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
        if state.is_world_process_zero and self.prediction_bar is None and has_length(eval_dataloader):
            leave = self.training_bar is None
            batches = len(eval_dataloader)
            self.prediction_bar = progress(
                what="evaluating", total=batches, unit="batch", leave=leave, dynamic_ncols=True
            )
        if self.prediction_bar is not None:
            self.prediction_bar.update(1)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.is_world_process_zero and self.training_bar is not None and logs:
            self.figures |= {name: f"{logs[key]:,.4g}" for key, name in SHOWN.items() if key in logs}
            self.training_bar.set_postfix(self.figures)


class SpeedAndMemory(Trainer):
    """Enters `tokens_per_second` (of training alone: evaluations and checkpoints do not count) and `memory_gb` into
    each log of the loss: the most that was allocated on the GPU, or else this process's resident memory, 1e9 bytes."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._tokens_then, self._time_then = 0, time.perf_counter()

    def _init_training_state(self, max_steps, *args, **kwargs):
        if getattr(self.args, "logging_chosen_here", False):  # a curve of a short run has points too
            self.args.logging_steps = min(SELDOM, max(1, max_steps // POINTS))
        begun = super()._init_training_state(max_steps, *args, **kwargs)
        self._tokens_then, self._time_then = self.state.num_input_tokens_seen, time.perf_counter()
        return begun

    def _evaluate(self, *args, **kwargs):
        with self._clock_stopped():
            return super()._evaluate(*args, **kwargs)

    def _save_checkpoint(self, *args, **kwargs):
        with self._clock_stopped():
            return super()._save_checkpoint(*args, **kwargs)

    @contextmanager
    def _clock_stopped(self):
        began = time.perf_counter()
        yield
        self._time_then += time.perf_counter() - began

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            now, tokens = time.perf_counter(), self.state.num_input_tokens_seen
            if tokens > self._tokens_then:
                logs["tokens_per_second"] = round((tokens - self._tokens_then) / (now - self._time_then), 1)
            self._tokens_then, self._time_then = tokens, now
            logs["memory_gb"] = round(memory() / 1e9, 3)
        super().log(logs, start_time)


def memory() -> int:
    """Bytes, as `SpeedAndMemory` says."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss
