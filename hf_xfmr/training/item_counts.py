"""Whether a model's loss heeds the number of labelled items of a whole step, or is a mean over its own batch.

Trainer takes every model whose `forward` has `**kwargs` for one that heeds it. Several of transformers' own do not: cut
into batches, their gradient would grow with the number of these.
"""

from typing import Any

import torch


def heeds_item_count(model: Any, inputs: dict[str, Any]) -> bool:
    """Asks the model itself: two numbers of items, without dropout and gradients, give two losses, or one. True where
    it can't be asked, which leaves Trainer's own answer."""
    if "labels" not in inputs:
        return True
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            one, two = (_loss(model(**inputs, num_items_in_batch=torch.tensor(count))) for count in (1, 2))
    except TypeError:
        return True
    finally:
        model.train(was_training)
    return one is None or two is None or not torch.equal(one, two)


def _loss(output: Any) -> torch.Tensor | None:
    return output.get("loss") if isinstance(output, dict) else output[0]
