"""A tagger of new weights: how it begins, so that few sentences teach it which words are neighbours."""

from typing import Any

import torch

from ...models.blocks import sinusoids

POSITIONS = 0.14  # an amplitude: five times the deviation of the word vectors; a fifth and 2.5 times of it help less
STEPS = 1_500  # that it is to take: with 600, as a checkpoint takes, it was still learning


@torch.no_grad()
def new_model(model_class: Any, config: Any) -> Any:
    """A model whose position vectors begin as the signals of Vaswani et al. (2017), section 3.5, times `POSITIONS`, of
    which words that stand as far apart differ alike. Those drawn at random would first have to learn from the rows
    which words are neighbours. They are learned like other weights, and any BERT's class loads them.
    """
    model = model_class(config)
    positions = model.base_model.embeddings.position.weight
    positions.copy_(POSITIONS * sinusoids(*positions.shape))
    return model
