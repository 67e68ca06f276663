"""Options that Trainer hands on to torch as they are: names that nothing there takes are told of at once."""

import copy
import inspect
from typing import Any

from torch.utils.checkpoint import checkpoint
from transformers import Trainer

from ..errors import UserError
from ..plain import one_line
from ..versions import CHECKPOINTING

SWITCHES = ("use_reentrant", "preserve_rng_state", "debug", "early_stop")  # of torch's checkpointing


def check_optimizer(args: Any) -> None:
    """Raises `UserError` for an optimizer that can't be had, and for optim_args that it does not read."""
    name = str(getattr(args.optim, "value", args.optim))
    try:
        _made(args, args.optim_args)
    except (ValueError, ImportError, TypeError) as error:
        if "model" not in str(error):  # some optimizers ask for the model
            shown = f" with optim_args '{args.optim_args}'" if args.optim_args else ""
            raise UserError(f"optim {name}{shown} can't be used: {one_line(error)}") from error
        return
    pairs = args.optim_args.split(",") if args.optim_args else []
    for place, pair in enumerate(pairs):
        if not _is_read(args, pairs, place):
            key = pair.partition("=")[0].strip()
            raise UserError(f"optim_args is '{args.optim_args}', but optim {name} reads no '{key}' there: leave it out")


def _made(args: Any, optim_args: str | None) -> tuple:
    asked = copy.copy(args)
    object.__setattr__(asked, "optim_args", optim_args)
    return Trainer.get_optimizer_cls_and_kwargs(asked)


def _is_read(args: Any, pairs: list[str], place: int) -> bool:
    """Whether another value of the pair, or none, makes another optimizer."""
    key, before = pairs[place].partition("=")[0], _made(args, ",".join(pairs))
    for other in (None, f"{key}=7", f"{key}=0.123", f"{key}=true"):
        changed = [*pairs[:place], *([other] if other else []), *pairs[place + 1 :]]
        try:
            if repr(_made(args, ",".join(changed))) != repr(before):
                return True
        except Exception:  # a value that it can't use is one that it reads
            return True
    return False


def check_unused(args: Any) -> None:
    """Raises `UserError` for an option that does nothing here, or nothing without another."""
    if args.label_names is not None:
        raise UserError("label_names is for programs alone, for a recipe knows them: leave it out")
    if args.liger_kernel_config and not args.use_liger_kernel:
        raise UserError("liger_kernel_config has no use alone: add --use_liger_kernel true, or leave it out")
    name = str(getattr(args.optim, "value", args.optim))
    if args.optim_target_modules and not name.startswith(("galore", "apollo")):
        raise UserError(f"optim_target_modules is for GaLore's optimizers and APOLLO's, not for {name}: leave it out")
    for one in args.include_for_metrics or []:
        if one not in ("inputs", "loss"):
            raise UserError(f"include_for_metrics holds '{one}'; it can hold inputs and loss")


def check_checkpointing(args: Any) -> None:
    """Raises `UserError` for gradient_checkpointing_kwargs that torch's checkpointing does not take."""
    given = next((kwargs for one in CHECKPOINTING if (kwargs := getattr(args, f"{one}_kwargs", None))), None)
    if not given:
        return
    if not any(getattr(args, one, False) for one in CHECKPOINTING):
        raise UserError("gradient_checkpointing_kwargs has no use alone: add --gradient_checkpointing true")
    known = [*inspect.signature(checkpoint).parameters, *SWITCHES]
    allowed = [name for name in dict.fromkeys(known) if name not in ("function", "args", "kwargs", "context_fn")]
    for name, value in given.items():
        if name not in allowed:
            raise UserError(f"gradient_checkpointing_kwargs has no '{name}'; it takes {', '.join(allowed)}")
        if name in SWITCHES and not isinstance(value, bool):
            raise UserError(f"gradient_checkpointing_kwargs: {name} must be true or false, not {value!r}")
