"""Low-rank updates in place of full fine-tuning, the same for every recipe: what is said of them, and what is made."""

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import UserError

FOLDER = "adapter"  # in a run's folder
NEEDS_PEFT = "needs the peft package: pip install 'hf_xfmr[lora]'"
_HEADS = ("classifier", "score")  # which PEFT trains as a whole by itself, where a model classifies


@dataclass(kw_only=True)
class LoraSettings:
    """Whether the checkpoint's weights stay as they are, and only low-rank updates are trained."""

    lora_rank: int | None = field(
        default=None, metadata={"help": "Train low-rank updates of query, key and value only (needs hf_xfmr[lora])"}
    )
    lora_alpha: int = field(default=16, metadata={"help": "Scale of the LoRA updates, over lora_rank"})
    lora_dropout: float = field(default=0.1, metadata={"help": "Dropout of what the LoRA updates read"})
    lora_merge: bool = field(
        default=True,
        metadata={"help": "With lora_rank, leave the merged model beside adapter/; false: the adapter alone"},
    )


def check(settings: Any) -> None:
    """Raises `UserError` for settings that contradict one another, and where PEFT is missing."""
    if settings.lora_rank is None:
        if not settings.lora_merge:
            raise UserError("lora_merge says what becomes of a LoRA adapter: add --lora_rank 8, or leave it out")
        return
    if not settings.model:
        raise UserError(
            "lora_rank needs a checkpoint (--model): of a model from scratch the updates would be all that learns"
        )
    package()


def check_push(settings: Any, args: Any) -> None:
    """Raises `UserError` where the run would end with an adapter alone that nobody else can load: pushed, and of a
    base model that lies in a folder here."""
    alone = getattr(settings, "lora_rank", None) is not None and not settings.lora_merge
    if args.push_to_hub and alone and settings.model and Path(settings.model).exists():
        raise UserError(
            f"push_to_hub would send an adapter of {settings.model}, which nobody else has: push that model first "
            "(hf_xfmr push) and give its name on the Hub as --model; or leave lora_merge out, and the merged model goes"
        )


def package() -> Any:
    """PEFT. Raises `UserError` where it is not installed."""
    try:
        import peft
    except ImportError:
        raise UserError(f"lora_rank {NEEDS_PEFT}") from None
    return peft


def adapt(model: Any, settings: Any, *, targets: Iterable[str], task: str | None = None) -> Any:
    """The model itself, or with `lora_rank` PEFT's around it: `targets` (stock's names) have updates, and what began
    anew when the checkpoint was loaded is trained as a whole. `task` is PEFT's word for the kind of model."""
    if settings.lora_rank is None:
        return model
    peft = package()
    from ..adapters.names import Names  # imports PEFT

    anew = getattr(model, "began_anew", ())
    # A parameter that stands beside modules, as the bias of BERT's vocabulary, begins at 0 and stays there.
    whole = {
        place.stock for own, place in Names(model).places.items() if any(one.startswith(f"{own}.") for one in anew)
    }
    options = peft.LoraConfig(
        task_type=task,
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(targets),
        modules_to_save=sorted(one for one in whole if one.split(".")[0] not in _HEADS) or None,
    )
    with without_warnings():
        adapted = peft.get_peft_model(model, options)
    base = str(model.name_or_path)
    options.base_model_name_or_path = os.path.abspath(base) if os.path.isdir(base) else base
    return adapted


@contextmanager
def without_warnings() -> Iterator[None]:
    """Within, what PEFT warns of although it is as it should be: a name of transformers' that it still uses, and
    that ours are Linear layers where stock's GPT-2 has matrices the other way round."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out", category=UserWarning)
        yield


def refuse_new_words(settings: Any, added: int) -> None:
    """Raises `UserError` where the vocabulary grows, whose new rows an adapter would leave untrained."""
    if settings.lora_rank is not None and added > 0:
        raise UserError(
            f"the tokenizer has {added:,} tokens that {settings.model} has not, whose embeddings lora_rank would leave "
            "untrained: take the checkpoint's own tokenizer, or leave lora_rank out"
        )


def within(model: nn.Module) -> Any:
    """Our model in PEFT's, its updates at work in it; a model without any is itself."""
    return model.get_base_model() if is_adapted(model) else model  # type: ignore[operator]


def is_adapted(model: nn.Module) -> bool:
    return hasattr(model, "merge_and_unload")
