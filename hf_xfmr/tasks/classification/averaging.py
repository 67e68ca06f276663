"""A block on top of an encoder whose [CLS] is the mean of the text's tokens, for the layers that classify to read.

An encoder that was trained without a task for [CLS], or for the mean as sentence encoders are (Reimers & Gurevych,
2019, section 3), says little in it, and a few labelled rows can't teach it. The mean is no new kind of model: attention
whose queries and keys are 0 attends to all tokens alike, values and output pass on what they read, a feed-forward
network of 0 adds nothing. So the folder stays one that any class of its kind loads, with a block more.
"""

from typing import Any

import torch
from torch import nn

ABOVE = 20.0  # how much more of the mean than of [CLS] itself the block's first norm reads
LINEAR = 0.1  # the slope of what comes before tanh: small, for there it is nearly a line
LIFTED = (
    16.0  # what is added before relu, so that nothing is cut: a normed vector seldom has a number below its negative
)


def last_layer(model: Any) -> nn.Linear:
    """The linear layer of a classifier that gives the logits."""
    found = [layer for layer in model.classifier.modules() if isinstance(layer, nn.Linear)][-1]
    assert found.out_features == model.config.num_labels
    return found


@torch.no_grad()
def add(model: Any) -> None:
    """Put the block on a classifier's encoder, and make the layers between it and the last one, that gives the logits,
    pass on what they read. The config then counts a block more."""
    encoder, config = model.base_model, model.config
    block = type(encoder.blocks[-1])(config, len(encoder.blocks)).to(model.device, model.dtype)
    mean = block.attention
    for layer in (mean.query, mean.key, block.feed_forward.down):
        _set(layer, 0.0)
    _set(mean.value, 1.0)
    _set(mean.out, ABOVE)
    encoder.blocks.append(block)
    config.num_hidden_layers = len(encoder.blocks)  # DistilBERT's n_layers too, which this is another name of
    if encoder.pooler is not None:
        _set(encoder.pooler, LINEAR)
    elif hasattr(model, "pre_classifier"):
        _set(model.pre_classifier, 1.0)
        model.pre_classifier.bias.fill_(LIFTED)
    else:
        _set(next(layer for layer in model.classifier.modules() if isinstance(layer, nn.Linear)), LINEAR)


def _set(layer: nn.Linear, factor: float) -> None:
    """Make a layer multiply what it reads by a factor."""
    layer.weight.zero_()
    layer.bias.zero_()
    if factor:
        layer.weight.fill_diagonal_(factor)
