"""DDP told whether a step can leave parameters unused: looking for such walks the whole graph at every step."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import IterableDataset
from transformers import Trainer

from ..models.stock import StockModel
from .pretrained import pretrained_within

ROWS = 2  # of train, that the loss is computed of


class FindsUnused(Trainer):
    """A Trainer under which DDP looks for unused parameters only where there may be some: Trainer has it look in every
    model. What `--ddp_find_unused_parameters` says is done."""

    args: Any

    def _wrap_model(self, model, *args, **kwargs):
        handler = getattr(self.accelerator, "ddp_handler", None)
        if (
            handler is not None
            and handler.find_unused_parameters
            and self.args.ddp_find_unused_parameters is None
            and self.args.world_size > 1
            and dist.is_initialized()
            and not (self.is_fsdp_enabled or self.is_deepspeed_enabled)
        ):
            unused = torch.tensor([float(self._may_leave_unused(model))], device=self.args.device)
            dist.all_reduce(unused)  # one of them is enough for all to look
            handler.find_unused_parameters = bool(unused.item())
        return super()._wrap_model(model, *args, **kwargs)

    def _may_leave_unused(self, model: nn.Module) -> bool:
        """Whether the loss of the first rows leaves out a parameter. Our own models take the same way for every batch;
        of others, and of streams, which are not begun for this, it is not known."""
        base = pretrained_within(model)
        rows: Any = self.train_dataset
        if not isinstance(base, StockModel) or rows is None or isinstance(rows, IterableDataset):
            return True
        with _same_random_numbers(), torch.enable_grad(), self.compute_loss_context_manager():
            batch = self._prepare_inputs(self.data_collator([rows[place] for place in range(min(ROWS, len(rows)))]))
            found = model(**batch)
            loss = found["loss"] if isinstance(found, dict) else None
            if not isinstance(loss, Tensor):
                return True
            used = reached(loss)
        return any(parameter.requires_grad and parameter not in used for parameter in model.parameters())


def reached(loss: Tensor) -> set[Tensor]:
    """The leaves that a loss would give a gradient to."""
    found, seen, left = set(), set(), [loss.grad_fn]
    while left:
        node: Any = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(node.variable)
        left += [one for one, _ in node.next_functions]
    return found


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    """What is drawn within, by dropout or a collator, is drawn again afterwards."""
    own, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(own)
        np.random.set_state(of_numpy)
