"""A loss or gradient that is not finite stops the run before it reaches the weights."""

import math

import torch
from accelerate.utils import gather_object
from torch import Tensor
from transformers.utils import logging

from ..errors import UserError
from . import data_order
from .crash_safety import CrashSafety

logger = logging.get_logger(__name__)
ROWS_SHOWN = 40


class NonFiniteError(UserError):
    """A loss or gradient was NaN or infinite. The weights are those of the step before."""


class FiniteSteps(CrashSafety):
    """A Trainer with safe checkpoints that looks at loss and gradient norm before each optimizer step, which takes one
    transfer from the device.

    With `args.skip_nonfinite` so many steps are left out in place of stopping: weights and optimizer stay, the
    learning rate goes on, and the log's `skipped_steps` counts them.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._losses: list[Tensor] = []  # of the batches of the step under way

    def training_step(self, model, inputs, num_items_in_batch=None):
        if not self._losses:
            self._logged_before = self._tr_loss.clone()
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._losses.append(loss)
        return loss

    def _get_grad_norm(self, model, grad_norm=None):
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        losses, self._losses = torch.stack([loss.double() for loss in self._losses]), []
        whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        total = losses.sum() if whole is None or self._scaler_skips() else losses.sum() + whole
        bad = torch.isfinite(total).logical_not().double()
        if self.args.world_size > 1:
            bad = self.accelerator.reduce(bad, reduction="sum")
        if bad.item():
            self._refuse(model, losses.tolist(), float("nan") if whole is None else float(whole))
        return norm

    def _scaler_skips(self) -> bool:
        """Whether float16's loss scaling expects infinite gradients, and skips the step itself."""
        scaler = getattr(self.accelerator, "scaler", None)
        return scaler is not None and scaler.is_enabled() and scaler.get_scale() > 1

    def _refuse(self, model, losses: list[float], norm: float) -> None:
        where = f"step {self.state.global_step + 1:,}: {self._what(losses, norm)}"
        skipped = sum(entry.get("skipped_steps", 0) > 0 for entry in self.state.log_history)
        if skipped >= self.args.skip_nonfinite or self.is_deepspeed_enabled:  # which takes its step by itself
            last = self.last_good_checkpoint()
            kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
            raise NonFiniteError(
                f"{where}; no weight was changed by it, and {kept}: look at these rows, lower learning_rate, or leave "
                "such steps out with --skip_nonfinite 10"
            )
        logger.warning(f"{where}: left out ({skipped + 1} of at most {self.args.skip_nonfinite})")
        model.zero_grad()  # without gradients, the optimizer's step changes nothing
        self._tr_loss.copy_(self._logged_before)
        self._globalstep_last_logged += 1  # the log's mean is over the other steps
        self.log({"skipped_steps": skipped + 1})

    def _what(self, losses: list[float], norm: float) -> str:
        batches = data_order.rows_of_step(self, len(losses)) or [[] for _ in losses]
        found = list(zip(losses, batches, strict=True))
        if self.args.world_size > 1:
            found = [one for part in gather_object([found]) for one in part]
        culprits = [one for one in found if not math.isfinite(one[0])]
        what = f"the loss is {culprits[0][0]}" if culprits else f"the gradient's norm is {norm}"
        rows = [row for _, batch in culprits or found for row in batch]
        if not rows:
            return f"{what}, in a stream, whose rows have no numbers"
        more = f" and {len(rows) - ROWS_SHOWN:,} more" if len(rows) > ROWS_SHOWN else ""
        shown = ", ".join(map(str, rows[:ROWS_SHOWN]))
        return f"{what}, with rows {shown}{more} of the train split (the first is 0)"
