"""Findings about what a run needs: disk, memory and time. (Access to a hub is asked for with the settings.)"""

import math
import shutil
import time

import torch

from .. import machine
from .findings import Finding
from .timing import Timing

ADAM = 8  # bytes of a trained parameter's two moments
FLOAT = 4


def size(number: float) -> str:
    """Bytes for reading: 1.4 GB."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"


def duration(seconds: float) -> str:
    """Seconds for reading: 40 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _parameters(model) -> tuple[int, int]:
    """All and those that are trained."""
    found = list(model.parameters())
    return sum(p.numel() for p in found), sum(p.numel() for p in found if p.requires_grad)


def steps(trainer) -> int:
    """Optimizer steps of the whole run."""
    args = trainer.args
    if args.max_steps > 0:
        return args.max_steps
    batches = len(trainer.get_train_dataloader())
    return math.ceil(args.num_train_epochs * max(1, math.ceil(batches / args.gradient_accumulation_steps)))


def checkpoint_bytes(model) -> int:
    """Bytes of a checkpoint of Trainer: weights, and the optimizer's two moments."""
    total, trained = _parameters(model)
    return FLOAT * total + ADAM * trained


def checkpoints_kept(args, total_steps: int, epochs: float) -> int:
    """How many checkpoints lie on the disk at once, the one that is being written too."""
    if args.save_strategy == "no":
        return 0
    if args.save_strategy == "steps":
        every = args.save_steps if args.save_steps >= 1 else max(1, math.ceil(args.save_steps * total_steps))
        saves = math.ceil(total_steps / every)
    else:
        saves = math.ceil(epochs)
    return max(1, saves if args.save_total_limit is None else min(saves, args.save_total_limit + 1))


def disk(model, args, total_steps: int) -> tuple[str, list[Finding]]:
    """What checkpoints and the model will take in output_dir, and whether that is free."""
    kept = checkpoints_kept(args, total_steps, args.num_train_epochs)
    one, final = checkpoint_bytes(model), FLOAT * _parameters(model)[0]
    need, free = kept * one + final, shutil.disk_usage(args.output_dir).free
    what = f"{kept} checkpoint{'' if kept == 1 else 's'} of {size(one)} and the model"
    line = f"disk: {size(need)} for {what}; {size(free)} free"
    if need <= free:
        return line, []
    found = Finding(
        level="error" if one + final > free else "warning",
        name="disk",
        message=f"{args.output_dir}: {size(need)} are needed for {what}, but {size(free)} are free",
        advice="free some space, give another output_dir, or lower save_total_limit",
    )
    return line, [found]


def memory(model, timing: Timing, available: int) -> tuple[str, list[Finding]]:
    """What a step fills, and whether that is free: weights are there already, the rest is to come."""
    total, trained = _parameters(model)
    parts = {
        "weights": FLOAT * total,
        "gradients": FLOAT * trained,
        "optimizer": ADAM * trained,
        "activations": timing.activations,
    }
    line = f"memory: about {size(sum(parts.values()))}: " + ", ".join(f"{k} {size(v)}" for k, v in parts.items())
    line += f"; {size(available)} free"
    need = sum(parts.values()) - parts["weights"]
    if need <= available:
        return line, []
    found = Finding(
        level="warning",
        name="memory",
        message=f"training needs about {size(need)} more memory (gradients, optimizer, activations), but "
        f"{size(available)} are free",
        advice="lower the batch size (and raise gradient_accumulation_steps), or max_length",
    )
    return line, [found]


def free_memory(device: torch.device) -> int:
    """Bytes free on the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return machine.free_memory()


def finish_line(timing: Timing, total_steps: int) -> str:
    """`time: 0.21 s a step (3 timed), 564 steps, so 2 min of training, until about 14:07 (evaluation not counted)`."""
    seconds = timing.seconds * total_steps
    end = time.localtime(time.time() + seconds)
    day = "" if seconds < 3600 * 12 else time.strftime(" on %d %B", end)
    timed = "1 timed" if timing.passes == 1 else f"{timing.passes} timed"
    return (
        f"time: {timing.seconds:.3g} s a step ({timed}), {total_steps:,} steps: {duration(seconds)} of training, from "
        f"now until {time.strftime('%H:%M', end)}{day} (evaluation and saving not counted)"
    )
