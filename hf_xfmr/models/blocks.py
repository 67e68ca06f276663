"""The parts every model here is made of. A model file says how they are wired; nothing in this file knows a model.

Shapes, everywhere:  B batch, T target (query) length, S source (key) length, H heads, D head dim, E = H * D model dim,
N real tokens of a batch whose padding was dropped (packing.py).
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache, CacheLayerMixin, EncoderDecoderCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .decoding import shared_attention
from .dropout import Dropout, is_cheap
from .linear import product, project
from .packing import Spans, packed_attention, unpadded_attention
from .recording import attention_of_each
from .versions import update_paged


def eager_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **_):
    """softmax(q k^T / sqrt(D)) v, written out: the reference the fused kernels are tested against."""
    scores = query @ key.transpose(-2, -1) * scaling  # (B, H, T, S)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.dropout(scores.softmax(-1), dropout, module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights  # (B, T, H, D), (B, H, T, S)


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al., 2017, section 3.2.2). `memory` makes it cross-attention.

    What may be seen is the mask's business; `is_causal` only lets a fused kernel skip building one. A mask is what
    `transformers.masking_utils` made for the chosen attention backend, or the `Spans` of a batch without padding.
    """

    def __init__(self, config, dim: int, num_heads: int, dropout: float, layer_idx: int, is_causal: bool = False):
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"the model dim ({dim}) must be a multiple of the number of heads ({num_heads})")
        self.config, self.head_dim, self.dropout = config, dim // num_heads, dropout
        self.layer_idx, self.is_causal = layer_idx, is_causal
        self.scaling = self.head_dim**-0.5
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(
        self,
        x: Tensor,
        mask: Tensor | Spans | None = None,
        memory: Tensor | None = None,
        cache: Cache | None = None,
        **kwargs,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, T, E) and, for cross-attention, memory (B, S, E) to (B, T, E) and the weights (B, H, T, S), if eager.

        Further arguments go to the attention backend (sequence boundaries for flash and paged attention).
        """
        q = self.heads(project(self.query, x))  # (B, H, T, D)
        copies = 1 if memory is None else getattr(cache, "copies", 1)  # beams are copies of a source
        if memory is not None and cache is not None and cache.is_updated.get(self.layer_idx):
            past = cache.cross_attention_cache.layers[self.layer_idx]  # memory never changes: projected once
            k, v = past.keys, past.values
        else:
            source = x if memory is None else (memory if copies == 1 else memory[::copies])
            k, v = (self.heads(project(part, source)) for part in (self.key, self.value))  # (B, H, S, D)
            if isinstance(cache, EncoderDecoderCache):
                k, v = cache.cross_attention_cache.update(k, v, self.layer_idx)
                cache.is_updated[self.layer_idx] = True
            elif isinstance(cache, Cache):
                k, v = cache.update(k, v, self.layer_idx)
            elif cache is not None:
                k, v = update_paged(cache, k, v, self.layer_idx, kwargs)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention)
        dropout = self.dropout if self.training else 0.0
        if isinstance(mask, Spans):  # eager attention drops padding where its weights are to be returned
            is_sdpa = self.config._attn_implementation == "sdpa"
            attend = packed_attention if is_sdpa else partial(attention_of_each, attend)
        elif mask is None and cache is None and self.config._attn_implementation == "sdpa" and is_cheap(q, dropout):
            attend = unpadded_attention
        if copies > 1:
            attend = partial(shared_attention, attend)
        y, weights = attend(self, q, k, v, mask, scaling=self.scaling, dropout=dropout, **kwargs)
        return project(self.out, y.reshape(*x.shape)), weights  # (B, T, H, D) -> (B, T, E)

    def step(self, x: Tensor, mask: Tensor | None, past: CacheLayerMixin) -> Tensor:
        """What `forward` does for one more word of each row, (B, E) to (B, E), as steps.py has it: self-attention to
        the words so far, which are in `past`, and to this one."""
        heads = x.size(0), -1, 1, self.head_dim
        q, k, v = (product(part, x).view(heads) for part in (self.query, self.key, self.value))  # (B, H, 1, D)
        k, v = past.update(k, v)  # (B, H, past + 1, D)
        y = F.scaled_dot_product_attention(q, k, v, mask, scale=self.scaling)  # (B, H, 1, D)
        return product(self.out, y.reshape(x.shape))

    def cross_step(self, x: Tensor, memory_mask: Tensor | None, memory: CacheLayerMixin) -> Tensor:
        """The same for cross-attention: to a memory whose keys and values (B / copies, H, S, D) are known, and whose
        mask is (B / copies, 1, 1, S)."""
        k, v = memory.keys, memory.values
        q = product(self.query, x).view(k.size(0), -1, k.size(1), self.head_dim).transpose(1, 2)  # copies for T
        y = F.scaled_dot_product_attention(q, k, v, memory_mask, scale=self.scaling)
        return product(self.out, y.transpose(1, 2).reshape(x.shape))

    def heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, T, E) -> (B, H, T, D)


class FeedForward(nn.Module):
    """Position-wise feed-forward network (section 3.3): widen, bend, narrow. `dropout` acts on the widened vector."""

    def __init__(self, dim: int, inner_dim: int, activation_name: str, dropout: float = 0.0):
        super().__init__()
        self.up, self.down = nn.Linear(dim, inner_dim), nn.Linear(inner_dim, dim)
        self.act = activation(activation_name)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return project(self.down, self.dropout(self.act(project(self.up, x))))

    def step(self, x: Tensor) -> Tensor:
        """`forward` for one word of each row, (B, E) to (B, E): see steps.py."""
        return product(self.down, self.act(product(self.up, x)))


# transformers spells these three names of one tanh formula out in elementwise steps; torch has it as one kernel.
_TANH_GELU = {"gelu_new", "gelu_fast", "gelu_pytorch_tanh"}


def activation(name: str):
    """The activation function a config names: fused where torch has the same formula in one kernel."""
    return partial(F.gelu, approximate="tanh") if name in _TANH_GELU else ACT2FN[name]


def either(input_ids: Tensor | None, inputs_embeds: Tensor | None, prefix: str = "") -> Tensor:
    """Which of the two a model was given: ids (B, T), or word vectors (B, T, E) in their place. Raises `ValueError` if
    it was none of them, or both."""
    given = [x for x in (input_ids, inputs_embeds) if x is not None]
    if len(given) != 1:
        raise ValueError(f"give either {prefix}input_ids or {prefix}inputs_embeds")
    return given[0]


def check_positions(position_ids: Tensor, limit: int, first: int = 0) -> None:
    """Raises `ValueError` if a token stands beyond the `limit` positions a model has, of which a text begins with
    number `first`. A GPU, a compiled graph or an exported one can't be asked without cost, and fails in its own
    words."""
    if position_ids.device.type == "cpu" and not torch.compiler.is_compiling() and position_ids.numel():
        length = int(position_ids.max()) + 1 - first
        if length > limit - first:
            told = f" of {limit:,}, the first {first:,} of which stand for no place" if first else ""
            raise ValueError(
                f"a row has {length:,} tokens, more than the {limit - first:,} positions this model has "
                f"(max_position_embeddings{told}): cut it or split it into several rows"
            )


def sinusoids(length: int, dim: int) -> Tensor:
    """Position signals of section 3.5: sine on even channels, cosine on odd ones, wavelengths 2 pi to 10000 * 2 pi.

    Returns a float32 table (length, dim), computed in float64: in float32 a late position's angle is off by 1e-5.
    """
    position = torch.arange(length, dtype=torch.float64).unsqueeze(1)  # (T, 1)
    angle = position / 10000 ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim)  # (T, E / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).float()
