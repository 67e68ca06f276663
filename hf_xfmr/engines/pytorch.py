"""A model in PyTorch: on the GPU if there is one."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from ..errors import UserError
from ..run import adapted
from ..training import fast_bf16
from .batches import inputs


class Rows:
    """As `engines.Rows`, of a folder or a Hub name; `model` is transformers' or ours, in evaluation mode, its weights
    rounded to bfloat16 with `bf16`."""

    def __init__(self, name: str, head: str, *, bf16: bool = False):
        self.tokenizer: Any = adapted.from_pretrained(transformers.AutoTokenizer, name)
        self.model: Any = adapted.to_use(getattr(transformers, head), name)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        if bf16:
            self.model.to(torch.bfloat16)
            if not fast_bf16():
                print("this machine is not fast at bfloat16: without --bf16 it may be quicker", file=sys.stderr)
        # a config calls its fields by several names
        longest = getattr(self.model.config, "max_position_embeddings", None)
        self.config = {**self.model.config.to_dict(), "max_position_embeddings": longest}
        if self.tokenizer.pad_token_id is None:
            raise UserError(
                f"{type(self.tokenizer).__name__} has no padding token; set tokenizer.pad_token to one of its tokens"
            )

    @torch.inference_mode()
    def __call__(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        given = inputs(ids, types, self.tokenizer.pad_token_id, self.tokenizer.pad_token_type_id)
        tensors = {name: torch.from_numpy(one).to(self.model.device) for name, one in given.items()}
        return self.model(**tensors).logits.float().cpu().numpy()
