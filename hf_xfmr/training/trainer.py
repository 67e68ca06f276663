"""XfmrTrainer: `transformers.Trainer` with defaults for fine-tuning and the gaps closed that it leaves open."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import find_batch_size
from torch import nn
from transformers import EarlyStoppingCallback, ProgressCallback
from transformers.integrations import TensorBoardCallback, is_tensorboard_available
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput

from ..errors import UserError
from ..hub.training import HubArguments, PushesToHub
from ..models.bert import XfmrBertForPreTraining, real_tokens, within_text
from ..models.gpt2 import XfmrGPT2ForCausalLM
from ..models.losses import IGNORE, has_one_label, next_tokens
from ..models.stock import StockModel
from ..processes import once
from .item_counts import heeds_item_count
from .many_processes import ManyProcesses, first_rows, meet_anew, repeat_last
from .nonfinite import FiniteSteps
from .onlookers import standing_by
from .pretrained import pretrained_within
from .progress import SELDOM, OneLineProgress, SpeedAndMemory
from .scored_once import ScoredOnce
from .unused import FindsUnused


def fast_bf16() -> bool:
    """Whether this machine multiplies bfloat16 matrices clearly faster than float32 ones."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


@dataclass
class XfmrTrainingArguments(HubArguments):
    """Trainer's arguments, with defaults for fine-tuning and a few of our own."""

    bf16: bool | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Compute in bfloat16. Left out: if this machine is fast at it, which is said."}
    )
    learning_rate: float = field(
        default=5e-5,
        metadata={"help": "The highest rate. Left out: 5e-5; in classify and tag by width and what it begins from."},
    )
    warmup_steps: float = field(
        default=0,
        metadata={"help": "Steps (below 1: share) to the highest rate. Left out: 0; in classify and tag 0.1."},
    )
    num_train_epochs: float = field(
        default=3.0,
        metadata={
            "help": "How often the rows are read. Left out: 3; of few rows up to 20 in classify and tag, which is said."
        },
    )
    layer_decay: float = field(
        default=1.0,
        metadata={"help": "Each layer's learning rate is that of the layer above times this (1.0: all the same)."},
    )
    early_stopping_patience: int | None = field(
        default=None, metadata={"help": "Stop after so many evaluations without a better metric_for_best_model."}
    )
    resume: bool = field(
        default=True, metadata={"help": "Go on from the newest whole checkpoint in output_dir, if there is any."}
    )
    seeds: list[int] | None = field(
        default=None,
        metadata={"help": "Train once for each of these seeds, in OUTPUT_DIR/seed-N; ends with mean and deviation."},
    )
    weights_only: bool = field(
        default=False,
        metadata={"help": "Take only the weights of the checkpoint: optimizer, learning rate and data begin anew."},
    )
    skip_nonfinite: int = field(
        default=0, metadata={"help": "Leave out so many steps whose loss or gradient is not finite before stopping."}
    )
    per_device_train_batch_size: int = field(
        default=32,
        metadata={
            "help": "Rows a device trains on at a time. Left out: 32; 16 of at most 2,000 rows in classify and tag."
        },
    )
    per_device_eval_batch_size: int = field(default=64, metadata={"help": "Rows a device evaluates at a time."})
    eval_strategy: str = field(default="epoch", metadata={"help": "When to evaluate: no, steps or epoch."})
    save_strategy: str = field(default="epoch", metadata={"help": "When to save: no, steps, epoch or best."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints kept, the best among them."})
    load_best_model_at_end: bool = field(default=True, metadata={"help": "End with the best checkpoint's weights."})
    logging_steps: float | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": "Log every so many steps (below 1: share of the run). Left out: 25, in shorter runs 20 times a run."
        },
    )
    include_num_input_tokens_seen: str | bool = field(
        default="non_padding", metadata={"help": "Count the tokens trained on: no, all or non_padding."}
    )
    report_to: None | str | list[str] = field(  # noqa: RUF036  in the order HfArgumentParser wants
        default=None,
        metadata={"help": "Trackers to log to, besides the report: tensorboard (left out: if installed), none, …"},
    )
    logging_nan_inf_filter: bool = field(default=False, metadata={"help": "Log 0 for losses that are not finite."})
    # no settings, but what is known of a run: what its user gave, and the figure by which the task judges its rows
    given = None  # None: nobody knows what was said and what is a default
    judged_by = "loss"

    def __post_init__(self):
        if self.eval_strategy == "no" and self.early_stopping_patience is not None:
            raise UserError("early_stopping_patience needs evaluations: set eval_strategy to epoch or steps")
        if self.eval_strategy == "no":  # then no checkpoint is the best one
            self.load_best_model_at_end = False
        if self.report_to is None:
            self.report_to = "tensorboard" if is_tensorboard_available() else "none"
        if self.data_seed is None:
            self.data_seed = self.seed  # and not what torch was last seeded with
        self.logging_chosen_here = self.logging_steps is None
        if self.logging_steps is None:
            self.logging_steps = SELDOM  # until the length of the run is known
        self.bf16_chosen_here = self.bf16 is None and not self.fp16
        if self.bf16_chosen_here:
            self.bf16 = fast_bf16()
        # Trainer takes bf16 on a CPU only from who says that it shall be one, and several processes too: without, each
        # would train by itself.
        self.use_cpu = self.use_cpu or not torch.accelerator.is_available()
        self.dataloader_pin_memory = self.dataloader_pin_memory and torch.accelerator.is_available()
        meet_anew()
        super().__post_init__()


class XfmrTrainer(ScoredOnce, SpeedAndMemory, FiniteSteps, PushesToHub, FindsUnused, ManyProcesses):
    """Trainer with checkpoints that survive a kill, a stop at the first loss or gradient that is not finite, losses
    that do not depend on the batch size, layer-wise learning rates, and speed and memory in the log. Everything else is
    Trainer's."""

    args: XfmrTrainingArguments

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.remove_callback(PrinterCallback)
        if self.pop_callback(ProgressCallback) is not None:
            self.add_callback(OneLineProgress)
        if self.args.early_stopping_patience is not None:
            self.add_callback(EarlyStoppingCallback(self.args.early_stopping_patience))
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
                callback.logging_dir = str(Path(str(self.args.output_dir)) / "tensorboard")  # one for all restarts
        for callback in standing_by():
            self.add_callback(callback)
        assert self.model is not None
        base = pretrained_within(self.model)
        self._predicts_next_tokens = isinstance(base, XfmrGPT2ForCausalLM)
        self._answers_questions = isinstance(base, StockModel) and hasattr(base, "qa_outputs")
        # which one number of items does not make a mean of
        self._has_two_losses = self._answers_questions or isinstance(base, XfmrBertForPreTraining)
        self._is_asked = isinstance(base, StockModel) or base is None  # whether its loss heeds the number of items
        # GPT2LMHeadModel's loss shifts the labels, but has no `loss_type`, by which Trainer would know.
        if type(base).__name__ in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
            self._loss_shifts_labels = True
        self._check_label_smoothing()
        self._loss_total, self._loss_count = 0.0, 0.0  # of the evaluation that runs
        self._own_mean = False

    def init_hf_repo(self, token: str | None = None, private: bool | None = None) -> None:
        once(super().init_hf_repo)(token, private)

    def _check_label_smoothing(self) -> None:
        if not self.args.label_smoothing_factor:
            return
        config: Any = getattr(self.model, "config", None)
        if getattr(config, "class_weights", None):
            raise UserError("label_smoothing_factor would leave out class_weights: give one of them only")
        if not has_one_label(config):
            raise UserError(
                f"label_smoothing_factor is for one label a row, not for {config.problem_type}: leave it out"
            )
        if self._predicts_next_tokens:
            self.label_smoother = None  # the model's own loss smooths, over the tokens it predicts

    # Labels are smoothed in training only: an evaluation loss is the negative log-likelihood, and exp of it perplexity.
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        smoother = self.label_smoother
        if not model.training:
            self.label_smoother = None
        elif self._predicts_next_tokens and self.args.label_smoothing_factor:
            inputs = {**inputs, "label_smoothing": self.args.label_smoothing_factor}
        try:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        finally:
            self.label_smoother = smoother

    def training_step(self, model, inputs, num_items_in_batch=None):
        if not self._is_asked and num_items_in_batch is not None:
            self._is_asked = True
            with self.compute_loss_context_manager():
                heeds = heeds_item_count(model, self._prepare_inputs(inputs))
            self.model_accepts_loss_kwargs = self.model_accepts_loss_kwargs and heeds
        return super().training_step(model, inputs, num_items_in_batch)

    def _get_num_items_in_batch(self, batch_samples, device):
        if self._own_mean and not self._has_two_losses:
            return None
        if self._own_mean:  # compute_loss multiplies by the number of processes
            (batch,) = batch_samples
            return self._count_items(batch) * (self.args.world_size if self.args.average_tokens_across_devices else 1)
        if self._predicts_next_tokens:  # those that the model's loss is over, in place of Trainer's labels[..., 1:]
            batch_samples = [
                {"labels": None, "shift_labels": _targets(batch)} if "labels" in batch else batch
                for batch in batch_samples
            ]
        if self._answers_questions:  # of which Trainer would count nothing
            batch_samples = [
                {"labels": _ends(batch)} if "start_positions" in batch else batch for batch in batch_samples
            ]
            count = super()._get_num_items_in_batch(batch_samples, device)
            return None if count is None else count / 2  # each end is half of a row's loss
        return super()._get_num_items_in_batch(batch_samples, device)

    # Trainer's evaluation loss is a mean of batch means: a short last batch weighs as much as a full one, and a batch
    # with few labelled tokens as much as one with many. Here it is the sum over the labelled items by their number.
    def evaluation_loop(self, dataloader, description, *args, metric_key_prefix: str = "eval", **kwargs):
        self._loss_total, self._loss_count = 0.0, 0.0
        kwargs["metric_key_prefix"] = metric_key_prefix
        # Around all batches: in half precision the weights are cast once, not for each.
        with self.accelerator.autocast():
            output: EvalLoopOutput = super().evaluation_loop(dataloader, description, *args, **kwargs)
        sums = torch.tensor([self._loss_total, self._loss_count], dtype=torch.float64, device=self.args.device)
        total, count = self.accelerator.reduce(sums, reduction="sum").tolist()
        if count and output.metrics is not None:
            output.metrics[f"{metric_key_prefix}_loss"] = total / count
        return output

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        size, real = find_batch_size(inputs), self.real_rows(inputs)
        inputs = first_rows(inputs, max(1, real))
        count = self._count_items(inputs) if real else 0
        self._own_mean = self.args.world_size > 1  # and not this process's share of the mean over all of them
        try:
            loss, logits, labels = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        finally:
            self._own_mean = False
        if loss is not None and count:
            self._loss_total += float(loss) * count
            self._loss_count += count
        return loss, repeat_last(logits, size or 0), repeat_last(labels, size or 0)  # as the other processes have

    def _count_items(self, inputs) -> float:
        """How many labelled items the mean loss of a batch is over, counted as Trainer counts them in training."""
        if self._answers_questions and "start_positions" in inputs:
            return int((_ends(inputs) != IGNORE).sum()) / 2
        if self._predicts_next_tokens and "labels" in inputs:
            labels = _targets(inputs)
        elif "shift_labels" in inputs:
            labels = inputs["shift_labels"]
        elif "labels" in inputs:
            labels = inputs["labels"][..., 1:] if self._loss_shifts_labels else inputs["labels"]
        else:
            return 0
        return int((labels != IGNORE).sum())

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


def _targets(batch) -> torch.Tensor:
    """What `XfmrGPT2ForCausalLM` is to predict in a batch, [B, T]."""
    if "shift_labels" in batch:
        return batch["shift_labels"]
    return next_tokens(batch["labels"], batch.get("attention_mask"))


def _ends(batch) -> torch.Tensor:
    """Where answers begin, then where they end, as BERT and its kin count them: [2 B], -100 for none."""
    inputs = batch["input_ids"] if "input_ids" in batch else batch["inputs_embeds"]
    text = real_tokens(inputs, batch.get("attention_mask"))  # (B, T)
    return torch.cat([within_text(batch[name], text) for name in ("start_positions", "end_positions")])


def _depth(name: str) -> int | None:
    """0 for embeddings, i + 1 for block i, None for what is above the blocks; by our names and by transformers'."""
    block = re.search(r"\b(?:blocks|block|layers|layer|h)\.(\d+)\.", name)
    if block:
        return int(block[1]) + 1
    return 0 if re.search(r"\b(embeddings|word|position|shared|embed_tokens|embed_positions|wte|wpe)\b", name) else None
