"""How long a step takes and how much memory it keeps, measured on a few batches without changing the run."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import median

import numpy as np
import torch
from torch import nn

from ..errors import UserError

STEPS = 3  # timed, after one that warms up
ENOUGH = 10.0  # seconds of one pass, after which no other is measured
SHARE = 5_000_000  # parameters of which the optimizer's time is measured


@dataclass(frozen=True)
class Timing:
    """Seconds of an optimizer step (forward and backward: the median of `passes`), and the bytes that the backward pass
    keeps of one batch."""

    seconds: float
    activations: int
    passes: int


def measure(trainer) -> Timing:
    """Forward and backward on the first batches of the training loader, and no step of the optimizer.

    Weights, gradients, mode and the random numbers of all devices are afterwards as before, bit for bit. The optimizer
    is timed on a parameter of its own.
    """
    passes: list[float] = []
    warming: float | None = None
    with untouched(trainer.model):
        for number, batch in enumerate(islice(trainer.get_train_dataloader(), 1 + STEPS)):
            if number:
                passes.append(_seconds(trainer, batch))
                continue
            with _kept(trainer.model) as activations:
                warming = _seconds(trainer, batch)
            if warming > ENOUGH:
                break
        if warming is None:
            raise UserError(
                "training has not one whole batch: lower per_device_train_batch_size, or leave out dataloader_drop_last"
            )
        passes = passes or [warming]
        optimizer = _optimizer_seconds(trainer.model)
    accumulated = trainer.args.gradient_accumulation_steps
    return Timing(median(passes) * accumulated + optimizer, sum(activations.values()), len(passes))


def _seconds(trainer, batch) -> float:
    model = trainer.model
    begin = time.perf_counter()
    model.train()
    inputs = trainer._prepare_inputs(batch)
    with trainer.compute_loss_context_manager():
        # of several processes this one measures alone: counting the items would wait for the others
        items = trainer._get_num_items_in_batch([batch], None) if trainer.args.world_size == 1 else None
        loss = trainer.compute_loss(model, inputs, num_items_in_batch=items)
    loss.backward()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    spent = time.perf_counter() - begin
    for parameter in model.parameters():
        parameter.grad = None
    return spent


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """What is done inside leaves no trace in the model's gradients, mode and buffers, nor in random numbers."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if devices:
            torch.cuda.set_rng_state_all(devices)
        for module, mode in modes:
            module.training = mode
        for parameter, gradient in gradients:
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def _kept(model: nn.Module) -> Iterator[dict[int, int]]:
    """Collects the bytes of each storage that autograd saves for the backward pass, parameters not counted."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, int] = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield found


def _optimizer_seconds(model: nn.Module) -> float:
    """Seconds of a step of AdamW on the trained parameters, measured on a tensor of like size."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    count = sum(parameter.numel() for parameter in trained)
    if not count:
        return 0.0
    share = torch.zeros(min(count, SHARE), device=trained[0].device, requires_grad=True)
    share.grad = torch.zeros_like(share)
    optimizer = torch.optim.AdamW([share], fused=True)
    spent = []
    for _ in range(2):  # the first makes the state
        begin = time.perf_counter()
        optimizer.step()
        if share.is_cuda:
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - begin)
    return spent[-1] * count / share.numel()
