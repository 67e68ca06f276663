"""Hidden states and attention weights of a batch whose padding was dropped, as the caller knows them: [B, T, E] and
[B, H, T, S]. Padding has zeros in both, as query and as key (stock classes return numbers there that mean nothing).

While gradients are recorded these lie on the way to the loss, as in stock, so that they have gradients of their own: a
block reads what was put back of the block before it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps

import torch
from torch import Tensor
from transformers.utils.output_capturing import capture_outputs

from .kernels import Spans
from .packing import Packing, is_asked, put_back, taken

logger = logging.getLogger(__name__)


def records(forward):
    """transformers' `capture_outputs` for a forward that may drop padding: what it recorded of packed rows is put back.
    The forward says what was dropped by `recorded`."""
    captured = capture_outputs(forward)

    @wraps(captured)
    def whole(self, *args, **kwargs):
        return_dict = kwargs.pop("return_dict", getattr(self.config, "return_dict", True))
        with _on_the_way(self, kwargs) as given:
            out = captured(self, *args, return_dict=True, **kwargs)
        packing = out.__dict__.pop("packing", None)
        if packing is not None:
            states = out.get("hidden_states")
            if states is not None:  # the last one is the forward's own result, unpacked already
                have = (out.last_hidden_state, None)
                out["hidden_states"] = tuple(
                    x if any(x is y for y in have) else given[id(x)][1] if id(x) in given else packing.unpack(x)
                    for x in states
                )
            if out.get("attentions") == ():
                _warn_of_no_weights()
        return out.to_tuple() if return_dict is False else out

    return whole


@contextmanager
def _on_the_way(model, kwargs: dict) -> Iterator[dict[int, tuple[Tensor, Tensor]]]:
    """While gradients are recorded and hidden states asked for, each block's output is put back and packed again.
    Yields what was packed (1, N, E), by its id, with what it is as a batch (B, T, E)."""
    given: dict[int, tuple[Tensor, Tensor]] = {}

    def through(x: Tensor, mask) -> Tensor | None:
        if not isinstance(mask, Spans):
            return None
        assert mask.kept is not None
        places, _, (rows, length, _) = mask.kept
        batch = put_back(x, places, (rows, length))
        again = taken(batch, places)
        given[id(x)], given[id(again)] = (x, batch), (again, batch)
        return again

    def before(block, args):
        x = through(*args[:2])
        return None if x is None else (x, *args[1:])

    handles = []
    if (
        not torch.compiler.is_compiling()
        and torch.is_grad_enabled()
        and is_asked(model, kwargs, "output_hidden_states")
        and len(model.blocks)
    ):
        handles.append(model.blocks[0].register_forward_pre_hook(before))
        handles += [b.register_forward_hook(lambda block, args, out: through(out, args[1])) for b in model.blocks]
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


_warned: list[bool] = []


def _warn_of_no_weights() -> None:
    if not _warned:
        _warned.append(True)
        logger.warning("sdpa attention has no weights to return: set_attn_implementation('eager') has")


def recorded(out, packing: Packing | None):
    """A forward's output, with the packing of what is recorded during it."""
    if packing is not None:
        out.packing = packing
    return out


def attention_of_each(attend, module, query, key, value, spans: Spans, scaling, dropout=0.0, **_):
    """`attend`, which returns its weights, within each sequence of packed rows: query [1, H, N, D], key and value
    [1, H, M, D] to [1, N, H, D], and the weights of the batch [B, H, T, S], 0 outside of the sequences."""
    outs, weights = [], []
    for q, k, v in zip(query.split(spans.query, 2), key.split(spans.key, 2), value.split(spans.key, 2), strict=True):
        future = None
        if module.is_causal:
            future = torch.full((q.size(2), k.size(2)), -torch.inf, dtype=q.dtype, device=q.device).triu(1)
        out, seen = attend(module, q, k, v, future, scaling=scaling, dropout=dropout)
        outs.append(out)
        weights.append(seen.flatten(2).squeeze(0))  # (H, length * memory)
    whole, places = _of_the_batch(torch.cat(weights, dim=1), spans)
    if torch.is_grad_enabled() and whole.requires_grad:
        again = whole.transpose(0, 1).flatten(1).index_select(1, places)  # (H, all pairs)
        parts = zip(
            again.split([a * b for a, b in zip(spans.query, spans.key, strict=True)], 1), spans.query, strict=True
        )
        products = zip(parts, value.split(spans.key, 2), strict=True)
        outs = [(w.unflatten(1, (length, -1)) @ v.squeeze(0)).transpose(0, 1) for (w, length), v in products]
        return torch.cat(outs).unsqueeze(0), whole
    return torch.cat(outs, dim=1), whole


def _of_the_batch(weights: Tensor, spans: Spans) -> tuple[Tensor, Tensor]:
    """Weights (H, all pairs of words of a sequence, one sequence after another) to (B, H, T, S), and where in (B, T, S)
    each of them stands."""
    assert spans.kept is not None
    queries, keys, (rows, length, memory) = spans.kept
    pairs = zip(queries.split(spans.query), (keys % memory).split(spans.key), strict=True)
    places = torch.cat([(q.unsqueeze(1) * memory + k).flatten() for q, k in pairs])
    full = weights.new_zeros(len(weights), rows * length * memory).index_copy(1, places, weights)
    return full.view(-1, rows, length, memory).transpose(0, 1), places
