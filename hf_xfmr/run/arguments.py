"""What Trainer would come upon only when it trains, looked at before anything is loaded."""

import math
from typing import Any

import torch
from accelerate.utils import DynamoBackend
from transformers import TrainingArguments, get_scheduler
from transformers.integrations import integration_utils

from ..errors import UserError
from ..plain import one_line
from .packages import install
from .ranges import check, nearest
from .trainer_options import check_checkpointing, check_optimizer, check_unused


def check_settings(*settings: Any) -> None:
    """As `ranges.check` for all fields of a recipe's settings and arguments; and for Trainer's also what it would come
    upon only when it trains: the end of the run, trackers, the optimizer, the rate's course, early stopping."""
    for one in settings:
        check(**vars(one))
        if isinstance(one, TrainingArguments):
            _check_arguments(one)


def _check_arguments(args: Any) -> None:
    if args.max_steps != -1 and args.max_steps < 1:
        raise UserError(f"max_steps is {args.max_steps}; it must be at least 1, or -1 to train num_train_epochs")
    known = list(integration_utils.INTEGRATION_TO_CALLBACK)
    for name in [args.report_to] if isinstance(args.report_to, str) else args.report_to or []:
        if name not in (*known, "none", "all"):
            raise UserError(f"report_to is '{name}'{nearest(name, [*known, 'none', 'all'])}")
        if name in known and name not in integration_utils.get_available_reporting_integrations():
            raise UserError(f"report_to is '{name}', whose package is not installed: {install(name)}, or give none")
    if args.metric_for_best_model == "":
        raise UserError("metric_for_best_model is ''; give the name of a figure, or leave it out")
    if args.early_stopping_patience is not None and not args.metric_for_best_model:
        raise UserError("early_stopping_patience needs a figure to watch: add --metric_for_best_model loss")
    if args.dataloader_persistent_workers and not args.dataloader_num_workers:
        raise UserError("dataloader_persistent_workers needs workers: add --dataloader_num_workers 1, or leave it out")
    _check_compiling(args)
    check_optimizer(args)
    check_checkpointing(args)
    check_unused(args)
    _check_schedule(args)


def _check_compiling(args: Any) -> None:
    if not args.torch_compile:
        return
    backends, modes = [one.value.lower() for one in DynamoBackend], list(torch._inductor.list_mode_options())
    for name, value, known in (
        ("torch_compile_backend", args.torch_compile_backend, backends),
        ("torch_compile_mode", args.torch_compile_mode, [*modes, "default"]),
    ):
        if value is not None and str(value).lower() not in known:
            raise UserError(f"{name} is '{value}'{nearest(str(value), known)}")


def _check_schedule(args: Any) -> None:
    """Make the learning rate's course for an optimizer of one number."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=args.learning_rate or 1.0)
    kind, options = _value(args.lr_scheduler_type), args.lr_scheduler_kwargs or {}
    if not isinstance(options, dict):
        raise UserError(f"lr_scheduler_kwargs is {options!r}; it must be a {{key: value, …}}")
    check(**{f"lr_scheduler_kwargs: {name}": value for name, value in options.items()})
    try:
        course = get_scheduler(
            kind, optimizer, num_warmup_steps=1, num_training_steps=10, scheduler_specific_kwargs=dict(options)
        )
        if isinstance(course, torch.optim.lr_scheduler.LambdaLR):
            for step in range(12):  # one past the end
                for rate in course.lr_lambdas:
                    if not math.isfinite(rate(step)):
                        raise ValueError(f"it gives {rate(step)} at step {step} of 10")
    except (ValueError, TypeError, KeyError, AssertionError, ArithmeticError) as error:
        shown = f" with lr_scheduler_kwargs {options}" if options else ""
        raise UserError(f"lr_scheduler_type {kind}{shown} can't be used: {one_line(error)}") from error


def _value(kind: Any) -> str:
    return str(getattr(kind, "value", kind))
