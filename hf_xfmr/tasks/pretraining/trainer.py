"""A trainer whose rows are asked anew each epoch, and whose evaluation scores the masked words alone."""

from transformers import TrainerCallback

from ...run.lora import within
from ...training import XfmrTrainer
from .data import MaskedRows
from .metrics import evaluate


class EpochOfRows(TrainerCallback):
    """Tells the rows which epoch begins. Trainer's loader does so too, but not where a run resumes within an epoch."""

    def __init__(self, rows: MaskedRows):
        self.rows = rows

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.rows.set_epoch(int(state.epoch + 1e-6))


class PretrainingTrainer(XfmrTrainer):
    """Evaluates by `evaluate`, which scores the masked words only and keeps no scores."""

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        model = within(self.accelerator.unwrap_model(self.model))
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        figures = evaluate(model, rows, self.data_collator, batch_size=self.args.eval_batch_size)
        logged = {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        self.log(logged)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, logged)
        return logged
