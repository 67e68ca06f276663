"""That a written folder computes what the other side does, over random rows, one of them of all positions."""

from pathlib import Path

import torch

from ..export import parity
from ..hub import dual
from .foreign import Foreign


def prove(foreign: Foreign, folder: Path) -> list[str]:
    """What is to be said of it. Raises `UserError` if the folder computes anything else, or can't be loaded."""
    if not foreign.sides:
        return []
    kind = dual.kind(folder)
    model = parity.load(kind, folder)
    most = parity.longest(model)
    notes = []
    for what, outputs in foreign.sides.items():
        apart = 0.0
        for given in (parity.inputs(model, 2, min(16, most)), parity.inputs(model, 1, most, seed=1)):
            ours = parity.outputs(model, given)
            with torch.inference_mode():
                theirs = outputs(given)
            apart = max(apart, parity.difference(what, theirs, {name: ours[name] for name in theirs}, given))
        notes.append(
            f"{kind.own_class} computes what {what} does, to {apart:.1g}, over random rows and one of {most:,}"
        )
    return notes
