"""What tests ask of transformers, as its versions from 5.16 to the newest spell it."""

import pytest
import torch
from transformers import ContinuousBatchingConfig, PreTrainedModel
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding


def continuous_batching(page: int, **settings: int) -> ContinuousBatchingConfig:
    """The settings of continuous batching, with so many words to a page of its cache (called a block before 5.17)."""
    name = "page_size" if hasattr(ContinuousBatchingConfig, "page_size") else "block_size"
    return ContinuousBatchingConfig(**{name: page}, **settings)


def enable_checkpointing(model: PreTrainedModel) -> None:
    """Compute activations anew on the way back; the method's name of 5.23, or the one before it."""
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()


def keep_marians_sinusoids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock's Marian leaves its sinusoids as they are, as the paper does, as it did up to 5.23, and as ours does: 5.24
    lost the `no_grad` around them and trains them (of 8 steps the losses are 6e-4 apart)."""
    forward = torch.no_grad()(MarianSinusoidalPositionalEmbedding.forward)
    monkeypatch.setattr(MarianSinusoidalPositionalEmbedding, "forward", forward)
