"""Several processes train what one would: no row counts twice, what is to be done once one process does, and what needs
all of them all do."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
import torch.distributed as dist
from accelerate.data_loader import BatchSamplerShard, prepare_data_loader
from accelerate.utils import find_batch_size
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, IterableDataset
from transformers import Trainer

from ..errors import UserError
from ..processes import is_main
from .streams import ShareOfStream

REPEATED = "_repeated"  # in a batch: its row is here only because this process had none left


def meet_anew() -> None:
    """Have processes that torchrun started again find one another: rank 0 opens a store for them alone.

    torchrun keeps one store for all attempts (pytorch issue 135712), so they would read there, if they are quick, the
    addresses of the processes that died, and wait for those. For one machine; of several, only torchrun itself knows
    which attempt it is: there, TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 does the same.
    """
    there = os.environ
    attempt = int(there.get("TORCHELASTIC_RESTART_COUNT", "0"))
    is_one_machine = there.get("LOCAL_WORLD_SIZE") == there.get("WORLD_SIZE")
    if not (attempt and is_one_machine and there.get("TORCHELASTIC_USE_AGENT_STORE") == "True"):
        return
    shared = dist.TCPStore(there["MASTER_ADDR"], int(there["MASTER_PORT"]))
    if is_main():
        with socket.socket() as probe:
            probe.bind(("", 0))
            shared.set(f"port of attempt {attempt}", str(probe.getsockname()[1]))
    there["MASTER_PORT"] = shared.get(f"port of attempt {attempt}").decode()
    there["TORCHELASTIC_USE_AGENT_STORE"] = "False"  # rank 0 serves it


def describe(trainer: Trainer) -> list[str]:
    """What is to be said of the processes of a run; nothing of one alone."""
    args, state = trainer.args, trainer.accelerator.state
    asked = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" or bool(args.fsdp)
    lines = []
    if args.world_size > 1:
        how = str(state.distributed_type).rpartition(".")[2].replace("MULTI_", "DDP, ").lower()
        lines = [f"processes: {args.world_size} ({how.replace('ddp', 'DDP')}, {dist.get_backend()})"]
    if asked and not trainer.is_fsdp_enabled:
        lines.append(
            "sharding (FSDP) was asked for, but on a CPU transformers trains with plain DDP: nothing is sharded, each "
            "process holds the whole model and optimizer"
        )
    return lines


def is_spread(model: nn.Module) -> bool:
    """Whether no process holds all weights (FSDP, ZeRO-3): then a call of the model waits for all processes, and all
    have to make the same calls."""
    return any(isinstance(one, DTensor) or hasattr(one, "ds_id") for one in model.parameters())


@contextmanager
def in_parts(model: nn.Module) -> Iterator[None]:
    """Within, parts of a model (its encoder, its head) can be called by themselves where FSDP spreads its weights: it
    brings together what belongs to no block only when the whole model is called."""
    if isinstance(model, FSDPModule):
        model.unshard()
    try:
        yield
    finally:
        if isinstance(model, FSDPModule):
            model.reshard()


def gather(model: nn.Module, trainer: Trainer | None = None) -> dict[str, Tensor] | None:
    """The whole tensors of a model whose parameters are spread over processes, on the main process; {} on the others,
    and None where nothing is spread. To be called by all processes."""
    if trainer is not None and trainer.is_deepspeed_enabled:
        return trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return None
    whole: dict = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    for name, source in getattr(model, "all_tied_weights_keys", {}).items():
        if source in whole:  # no longer one tensor, it would be written twice
            whole.pop(name, None)
    return whole


class ManyProcesses(Trainer):
    """A Trainer to whose losses no row counts twice.

    accelerate completes the last batch of an epoch or an evaluation with rows from its beginning, so that each process
    gets as many. Here those rows are taken out again; a process left without any computes one for nothing.
    """

    args: Any  # XfmrTrainingArguments
    _share: ShareOfStream | None = None  # of a stream that is trained on
    _streamed_before: tuple[int, str, str] | None = None  # what to `expect` of it

    def get_train_dataloader(self) -> DataLoader:
        if isinstance(self.train_dataset, IterableDataset):
            return self._stream(self.train_dataset, self.args.train_batch_size, "training", endless=True)
        return super().get_train_dataloader()

    def get_eval_dataloader(self, eval_dataset=None) -> DataLoader:
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        if isinstance(rows, IterableDataset):
            return self._stream(rows, self.args.eval_batch_size, "evaluation", endless=False)
        return super().get_eval_dataloader(eval_dataset)

    def _stream(self, rows, batch_size: int, description: str, *, endless: bool) -> DataLoader:
        args = self.args
        if args.dataloader_num_workers:
            raise UserError("a stream is read by the training process itself: leave dataloader_num_workers at 0")
        share = ShareOfStream(
            rows, batch_size=batch_size, processes=args.world_size, process=args.process_index, endless=endless
        )
        loader = DataLoader(
            share,
            batch_size=batch_size,
            collate_fn=self._get_collator_with_removed_columns(self.data_collator, description=description),
            pin_memory=args.dataloader_pin_memory,
        )
        if endless:
            self._share = share
            if self._streamed_before is not None:
                share.expect(*self._streamed_before)
        # The rows are this process's own already: accelerate is only to put them on the device.
        return prepare_data_loader(
            loader, args.device, num_processes=1, process_index=0, put_on_device=True, dispatch_batches=False
        )

    def real_rows(self, inputs: dict) -> int:
        """How many rows of the batch that a loader just gave are no repetition."""
        size = find_batch_size(inputs) or 0
        loader: Any = self.accelerator.gradient_state.active_dataloader
        if self.args.world_size == 1 or loader is None or not loader.end_of_dataloader:
            return size
        if isinstance(loader.dataset, ShareOfStream):
            return 0 if loader.dataset.repeats else size
        sampler = getattr(loader, "batch_sampler", None)
        while sampler is not None and not isinstance(sampler, BatchSamplerShard):
            sampler = getattr(sampler, "batch_sampler", None)  # of a resumed epoch
        if sampler is None or sampler.drop_last:
            return size
        left = len(loader.dataset) % (size * self.args.world_size) or size * self.args.world_size
        return min(size, max(0, left - size * self.args.process_index))

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        if self.args.world_size == 1:
            return super().get_batch_samples(epoch_iterator, num_batches, device)
        batches, counted = [], []
        for batch in islice(epoch_iterator, num_batches):
            real = self.real_rows(batch)
            counted.append(first_rows(batch, real))
            batches.append(counted[-1] if real else {**first_rows(batch, 1), REPEATED: True})
        return batches, self._get_num_items_in_batch(counted, device)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        repeated = inputs.pop(REPEATED, False)
        result: Any = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not repeated:
            return result
        return (result[0] * 0.0, result[1]) if return_outputs else result * 0.0


def first_rows(inputs: dict, count: int) -> dict:
    """The first rows of a batch; of texts in windows (`window_row`), with all of theirs."""
    size, row = find_batch_size(inputs), inputs.get("window_row")

    def cut(value):
        if not isinstance(value, Tensor) or not value.dim():
            return value
        if row is not None and len(value) == len(row):
            return value[row < count]
        return value[:count] if len(value) == size else value

    return {name: cut(value) for name, value in inputs.items()}


def repeat_last(tensors, size: int):
    """Tensors, or tuples of them, filled up to `size` rows again with their last one."""
    if isinstance(tensors, tuple | list):
        return type(tensors)(repeat_last(one, size) for one in tensors)
    if not isinstance(tensors, Tensor) or not tensors.dim() or len(tensors) >= size:
        return tensors
    return torch.cat([tensors, tensors[-1:].expand(size - len(tensors), *tensors.shape[1:])])
