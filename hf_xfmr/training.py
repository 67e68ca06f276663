"""XfmrTrainer: `transformers.Trainer` with defaults for fine-tuning and the gaps closed that it leaves open."""

import re
import time
from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import EarlyStoppingCallback, ProgressCallback, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput

from .errors import UserError


def fast_bf16() -> bool:
    """Whether this machine multiplies bfloat16 matrices clearly faster than float32 ones."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


@dataclass
class XfmrTrainingArguments(TrainingArguments):
    """Trainer's arguments, with defaults for fine-tuning and a few of our own."""

    bf16: bool | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Compute in bfloat16. Left out: if this machine is fast at it, which is said."}
    )
    layer_decay: float = field(
        default=1.0,
        metadata={"help": "Each layer's learning rate is that of the layer above times this (1.0: all the same)."},
    )
    early_stopping_patience: int | None = field(
        default=None, metadata={"help": "Stop after so many evaluations without a better metric_for_best_model."}
    )
    resume: bool = field(
        default=True, metadata={"help": "Go on from the last checkpoint in output_dir, if there is one."}
    )
    per_device_train_batch_size: int = field(default=32, metadata={"help": "Rows a device trains on at a time."})
    per_device_eval_batch_size: int = field(default=64, metadata={"help": "Rows a device evaluates at a time."})
    eval_strategy: str = field(default="epoch", metadata={"help": "When to evaluate: no, steps or epoch."})
    save_strategy: str = field(default="epoch", metadata={"help": "When to save: no, steps, epoch or best."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints kept beside the best one."})
    load_best_model_at_end: bool = field(default=True, metadata={"help": "End with the best checkpoint's weights."})
    logging_steps: float = field(default=25, metadata={"help": "Log every so many steps (below 1: share of the run)."})
    include_num_input_tokens_seen: str | bool = field(
        default="non_padding", metadata={"help": "Count the tokens trained on: no, all or non_padding."}
    )

    def __post_init__(self):
        if self.eval_strategy == "no" and self.early_stopping_patience is not None:
            raise UserError("early_stopping_patience needs evaluations: set eval_strategy to epoch or steps")
        if self.eval_strategy == "no":  # then no checkpoint is the best one
            self.load_best_model_at_end = False
        self.bf16_chosen_here = self.bf16 is None and not self.fp16
        if self.bf16_chosen_here:
            self.bf16 = fast_bf16()
        # Trainer takes bf16 on a CPU only from who says that it shall be a CPU.
        self.use_cpu = self.use_cpu or (bool(self.bf16) and not torch.accelerator.is_available())
        self.dataloader_pin_memory = self.dataloader_pin_memory and torch.accelerator.is_available()
        super().__post_init__()


class OneLineProgress(ProgressCallback):
    """A progress bar that carries the figures itself, in place of a printed line for each log."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.is_world_process_zero and self.training_bar is not None and logs:
            shown = {
                "loss": "loss",
                "tokens_per_second": "tokens/s",
                "eval_loss": "eval loss",
                "eval_accuracy": "eval accuracy",
            }
            figures = {name: f"{logs[key]:.4g}" for key, name in shown.items() if key in logs}
            if figures:
                self.training_bar.set_postfix(figures)


class XfmrTrainer(Trainer):
    """Trainer with an evaluation loss that does not depend on the batch size, layer-wise learning rates, and tokens
    per second in the log. Everything else is Trainer's."""

    args: XfmrTrainingArguments

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.remove_callback(PrinterCallback)
        if self.pop_callback(ProgressCallback) is not None:
            self.add_callback(OneLineProgress)
        if self.args.early_stopping_patience is not None:
            self.add_callback(EarlyStoppingCallback(self.args.early_stopping_patience))
        self._loss_total, self._loss_count = 0.0, 0  # of the evaluation that runs
        self._tokens_then, self._time_then = 0, time.perf_counter()

    # Trainer's evaluation loss is a mean of batch means: a short last batch weighs as much as a full one, and a batch
    # with few labelled tokens as much as one with many. Here it is the sum over the labelled items by their number.
    def evaluation_loop(self, dataloader, description, *args, metric_key_prefix: str = "eval", **kwargs):
        self._loss_total, self._loss_count = 0.0, 0
        kwargs["metric_key_prefix"] = metric_key_prefix
        output: EvalLoopOutput = super().evaluation_loop(dataloader, description, *args, **kwargs)
        sums = torch.tensor([self._loss_total, self._loss_count], dtype=torch.float64, device=self.args.device)
        total, count = self.accelerator.reduce(sums, reduction="sum").tolist()
        if count and output.metrics is not None:
            output.metrics[f"{metric_key_prefix}_loss"] = total / count
        return output

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        count = self._count_items(inputs)
        loss, logits, labels = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        if loss is not None and count:
            self._loss_total += float(loss) * count
            self._loss_count += count
        return loss, logits, labels

    def _count_items(self, inputs) -> int:
        """How many labelled items the mean loss of a batch is over, counted as Trainer counts them in training."""
        if "shift_labels" in inputs:
            labels = inputs["shift_labels"]
        elif "labels" in inputs:
            labels = inputs["labels"][..., 1:] if self._loss_shifts_labels else inputs["labels"]
        else:
            return 0
        return int((labels != -100).sum())

    def create_optimizer(self, model=None):
        model = self.model if model is None else model
        if self.optimizer is None and self.args.layer_decay != 1.0:
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = optimizer_class(self._layer_groups(model), **options)
        return super().create_optimizer(model)

    def _layer_groups(self, model: nn.Module) -> list[dict]:
        """Parameters by depth, each with its learning rate: the head learns at the full rate, embeddings slowest."""
        decayed = set(self.get_decay_parameter_names(model))
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        depths = {name: _depth(name) for name, _ in trained}
        top = max((depth for depth in depths.values() if depth is not None), default=0) + 1
        groups: dict[tuple, list] = {}
        for name, parameter in trained:
            depth = top if depths[name] is None else depths[name]
            groups.setdefault((depth, name in decayed), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": self.args.learning_rate * self.args.layer_decay ** (top - depth),
                "weight_decay": self.args.weight_decay if is_decayed else 0.0,
            }
            for (depth, is_decayed), parameters in sorted(groups.items(), key=lambda item: item[0])
        ]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            now, tokens = time.perf_counter(), self.state.num_input_tokens_seen
            if tokens > self._tokens_then:
                logs["tokens_per_second"] = round((tokens - self._tokens_then) / (now - self._time_then), 1)
            self._tokens_then, self._time_then = tokens, now
        super().log(logs, start_time)


def _depth(name: str) -> int | None:
    """0 for embeddings, i + 1 for block i, None for what is above the blocks."""
    block = re.search(r"\bblocks\.(\d+)\.", name)
    if block:
        return int(block[1]) + 1
    return 0 if re.search(r"\b(embeddings|word|position)\b", name) else None
