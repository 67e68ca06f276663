"""The tensors of a written model against ours, bit for bit: another program may turn them round or join them, and calls
them by names of its own, so that what is looked for is their numbers."""

from collections.abc import Iterator, Mapping

import numpy as np
import xxhash
from torch import nn

from ..errors import UserError

JOINED = (("query", "key", "value"), ("key", "value"))  # matrices that others multiply as one


def compare(what: str, written: Mapping[str, np.ndarray], model: nn.Module, also: Mapping[str, np.ndarray]) -> int:
    """How many of the model's tensors stand in `written`, which is another program's tensors by its names.

    Raises `UserError` for one that does not, by the name that `written` has for it where its shape tells. Those of
    `also`, by name, are looked for in place of the model's own, or beside them; a size of 0 says that one is left out.
    """
    tensors = {name: one.numpy() for name, one in model.state_dict().items()} | dict(also)
    tensors = {name: one for name, one in tensors.items() if one.size and one.dtype == np.float32}
    places: dict[str, list[str]] = {}  # in the written model, by hash
    for place, one in written.items():
        places.setdefault(_hash(one), []).append(place)
    missing, known = dict(tensors), set()
    for names, one in _ways(tensors):
        if found := places.get(_hash(one)):
            known.update(found)
            for name in names:
                missing.pop(name, None)
    shapes = {one.shape for _, one in _ways(tensors)}
    strange = [
        place
        for place, one in written.items()
        if place not in known and one.size > 1 and one.dtype == np.float32 and one.shape in shapes
    ]
    for name, one in missing.items():
        if not one.any():  # nothing, which need not be added; where something is, that is strange
            continue
        likely = [place for place in strange if written[place].size == one.size]
        where = f", where {likely[0]} has its shape and other numbers" if likely else ""
        raise UserError(f"{what} does not hold what our model does: {name} is not in it{where}; nothing was written")
    if strange:  # where two of ours have the same numbers, as new norms have, and one of the two was changed
        raise UserError(f"{what} does not hold what our model does: {strange[0]} is none of ours; nothing was written")
    return len(tensors)


def _ways(tensors: Mapping[str, np.ndarray]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Each tensor, and several as one, as they may be written; with their names."""
    for name, one in tensors.items():
        yield from (((name,), way) for way in _turned(one))
        for parts in JOINED:
            head, _, tail = name.rpartition(f".{parts[0]}.")
            names = tuple(f"{head}.{part}.{tail}" for part in parts)
            if head and all(part in tensors for part in names):
                yield from ((names, way) for way in _turned(np.concatenate([tensors[part] for part in names])))


def _turned(one: np.ndarray) -> list[np.ndarray]:
    """A matrix and it turned round; a row or a scalar as a vector too."""
    flat = [one.reshape(-1)] if one.ndim > 1 and 1 in one.shape else []
    return [one, *([one.T] if one.ndim == 2 else []), *flat]


def _hash(one: np.ndarray) -> str:
    whole = np.ascontiguousarray(one)
    return f"{one.dtype}{list(one.shape)}{xxhash.xxh3_128_hexdigest(whole.data if whole.size else b'')}"
