"""The model itself, whatever is around it."""

from torch import nn
from transformers import PreTrainedModel


def pretrained_within(model: nn.Module) -> PreTrainedModel | None:
    """The model within an adapter, a wrapper of several processes or a head of ours, or itself; None: there is none of
    transformers' kind."""
    return next((one for one in model.modules() if isinstance(one, PreTrainedModel)), None)
