"""A model in PyTorch: on the GPU if there is one."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
import transformers

from ..errors import UserError
from ..run import adapted, finite
from ..training import fast_bf16
from ..training.many_processes import in_parts, is_spread
from . import joining
from .batches import inputs


def _loaded(name: str, head: str) -> Any:
    model = adapted.to_use(getattr(transformers, head), name)
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _config(model: Any) -> dict[str, Any]:
    longest = getattr(model.config, "max_position_embeddings", None)  # which some configs call by other names
    return {**model.config.to_dict(), "max_position_embeddings": longest}


class Rows:
    """As `engines.Rows`, of a folder or a Hub name; `model` is transformers' or ours, in evaluation mode, its weights
    rounded to bfloat16 with `bf16`."""

    engine = "torch"

    def __init__(self, name: str, head: str, *, bf16: bool = False):
        self.tokenizer: Any = adapted.from_pretrained(transformers.AutoTokenizer, name)
        self.model: Any = _loaded(name, head)
        if bf16:
            self.engine = "torch in bfloat16"
            self.model.to(torch.bfloat16)
            if not fast_bf16():
                print("this machine is not fast at bfloat16: without --bf16 it may be quicker", file=sys.stderr)
        self.config = _config(self.model)
        self.padding = self.tokenizer.pad_token_id
        if self.padding is None and "Sequence" in head:  # stock classes look for it
            raise UserError(
                f"{type(self.tokenizer).__name__} has no padding token; set tokenizer.pad_token to one of its tokens"
            )

    @classmethod
    def of(cls, model: Any, tokenizer: Any) -> "Rows":
        """A model that is loaded already, as it stands."""
        rows = cls.__new__(cls)
        rows.model, rows.tokenizer, rows.config = model, tokenizer, _config(model)
        rows.padding = tokenizer.pad_token_id
        return rows

    @torch.inference_mode()
    def __call__(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        given = inputs(ids, types, self.padding or 0, self.tokenizer.pad_token_type_id)
        tensors = {name: torch.from_numpy(one).to(self.model.device) for name, one in given.items()}
        found = self.model(**tensors)
        ends = "start_logits" in found
        logits = torch.stack([found.start_logits, found.end_logits], -1) if ends else found.logits
        return logits.float().cpu().numpy()


class Writer:
    """As `engines.Writer`, of a model: of a loaded one, or of one that is just being trained, whose mode and autocast
    are left as they are (it is not `trained` yet)."""

    def __init__(self, model: Any, *, trained: bool = False):
        self.model, self.trained = model, trained
        self.config = _config(model)
        self.name = str(model.name_or_path) or "the model"

    def __call__(
        self,
        rows: Sequence[Sequence[int]],
        options: Mapping[str, Any],
        told: Callable[[int, int], bool] | None = None,
    ) -> list[list[int]]:
        whole = bool(self.model.config.is_encoder_decoder)
        given = inputs(rows, None, self.model.config.pad_token_id or 0, left=not whole)  # it is masked
        asked = {} if told is None else {"stopping_criteria": [_Told(told, len(rows), joining.ends_of(self.model))]}
        # in inference_mode autocast would cast all weights anew for each word
        mode = torch.inference_mode() if self.trained else nullcontext()
        tensors = {name: torch.from_numpy(one) for name, one in given.items()}
        with mode, finite.watched(self.model):
            ids = generated(self.model, tensors, {**options, **asked})
        return ids.tolist() if whole else ids[:, given["input_ids"].shape[1] :].tolist()

    def running(self) -> "joining.Running | None":
        """A batch that texts may join."""
        return joining.Running(self.model) if joining.can_run(self.model) else None


class _Told(transformers.StoppingCriteria):
    """What `model.generate` asks after each step which rows end: those that `told` says, and that have ended."""

    def __init__(self, told: Callable[[int, int], bool], rows: int, ends: set[int]):
        self.told, self.ends, self.done = told, ends, [False] * rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        for row, token in enumerate(input_ids[:, -1].tolist()):
            if not self.done[row]:
                self.done[row] = bool(self.told(row, token)) or token in self.ends
        return torch.tensor(self.done, device=input_ids.device)


@torch.no_grad()
def generated(model: Any, inputs: Mapping[str, torch.Tensor], options: Mapping[str, Any]) -> torch.Tensor:
    """What `model.generate` writes for a batch, ids (B, T), in evaluation mode; the model's mode is left as it was."""
    spread = {"synced_gpus": True} if is_spread(model) else {}
    was_training = model.training
    model.eval()
    try:
        with in_parts(model):
            return model.generate(
                **{name: tensor.to(model.device) for name, tensor in inputs.items()}, **options, **spread
            )
    finally:
        model.train(was_training)


def writer(name: str, head: str) -> Writer:
    """The model in a folder or on the Hub."""
    return Writer(_loaded(name, head), trained=True)
