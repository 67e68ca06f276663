"""What is timed on a GPU: ours beside stock's sdpa, stock on packed rows, and FlashAttention-2's unpadding.

A step is forward, backward and fused AdamW under autocast, dropout 0.1 as in the checkpoints. Nothing is fetched: ids
and lengths are drawn, the lengths about as unequal as movie reviews': nearly as much padding as there are tokens.
"""

import importlib.util
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from torch import Tensor

from ...models.bert import XfmrBertForSequenceClassification
from ...models.gpt2 import XfmrGPT2ForCausalLM
from ...models.losses import IGNORE
from ...models.transformer import XfmrForConditionalGeneration
from ..measure import Work

Batch = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """Of all contests: layers and width of the models, words of the vocabulary, rows of a batch, and the lengths."""

    layers: int = 12
    width: int = 768
    words: int = 0  # 0: the checkpoints' own
    rows: int = 32
    longest: int = 128
    context: int = 1024  # of GPT-2's full rows, of which there are 8


TINY = Size(layers=1, width=64, words=500, rows=4, longest=24, context=32)


@dataclass
class Contest:
    contestants: dict[str, Work]
    tokens: Callable[[int], int]  # real tokens of a turn
    flops: Callable[[int], float] | None = None  # of a turn, model FLOPs as they are counted for utilisation
    memory: dict[str, Callable[[], object]] = field(default_factory=dict)


def bert(on: torch.device, dtype: torch.dtype, size: Size) -> Contest:
    """BERT-base classification step: padded to the longest of 32."""
    sizes: dict[str, Any] = {
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": _heads(size),
    }
    config = transformers.BertConfig(**sizes, intermediate_size=4 * size.width, **_words(size))
    models = _models(transformers.BertForSequenceClassification, XfmrBertForSequenceClassification, config, on, dtype)
    batches = []
    for lengths in _lengths(size):
        batch = _padded(lengths, config.vocab_size, on)
        batches.append({**batch, "labels": batch["input_ids"].sum(1) % 2})
    return _contest({name: (model, batches) for name, model in models.items()}, batches, on, dtype)


def gpt2_documents(on: torch.device, dtype: torch.dtype, size: Size) -> Contest:
    """GPT-2 small step on documents of unequal length: padded, and packed into one row by positions that begin anew."""
    config = _gpt2(size)
    models = _models(transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM, config, on, dtype)
    padded, rows = [], []
    for lengths in _lengths(size):
        batch = _padded(lengths, config.vocab_size, on)
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORE)
        padded.append(batch)
        real = batch["attention_mask"] == 1
        ids = batch["input_ids"][real].unsqueeze(0)
        places = torch.cat([torch.arange(length, device=on) for length in lengths]).unsqueeze(0)
        labels = ids.masked_fill(places == 0, IGNORE)  # the first word of a text has nothing before it
        rows.append({"input_ids": ids, "position_ids": places, "labels": labels, "use_cache": False})
    given = {name: (model, padded) for name, model in models.items()}
    given |= {f"{name}, packed rows": (model, rows) for name, model in models.items()}
    return _contest(given, padded, on, dtype)


def gpt2_full(on: torch.device, dtype: torch.dtype, size: Size) -> Contest:
    """GPT-2 small (124M) step, 8 full rows of 1,024 tokens: tokens per second and model FLOPs utilisation."""
    config = _gpt2(size)
    models = _models(transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM, config, on, dtype)
    batches = []
    for number in range(4):
        batch = _padded([size.context] * 8, config.vocab_size, on, seed=number)
        batches.append({**batch, "labels": batch["input_ids"]})
    made = _contest({name: (model, batches) for name, model in models.items()}, batches, on, dtype)
    ours = models["ours"]
    counted = sum(p.numel() for p in ours.parameters()) - ours.transformer.position.weight.numel()
    # as nanoGPT counts them: six for a parameter and token, and attention's as if no word were hidden
    per_token = 6 * counted + 12 * size.layers * size.width * size.context
    made.flops = lambda turn: float(per_token * 8 * size.context)
    return made


def translation(on: torch.device, dtype: torch.dtype, size: Size) -> Contest:
    """Transformer-base step: pairs of sentences, padded on both sides."""
    width, layers = max(size.width * 2 // 3, 64), max(size.layers // 2, 1)
    more: dict[str, Any] = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    for side in ("encoder", "decoder"):
        more |= {f"{side}_layers": layers, f"{side}_attention_heads": width // 64, f"{side}_ffn_dim": 4 * width}
    words = size.words or 37_000
    config = transformers.MarianConfig(
        d_model=width, vocab_size=words, decoder_vocab_size=words, forced_eos_token_id=None, dropout=0.1, **more
    )
    models = _models(transformers.MarianMTModel, XfmrForConditionalGeneration, config, on, dtype)
    models = {name: model for name, model in models.items() if "FA-2" not in name}  # stock's has none for pairs' sides
    batches = []
    sources, targets = _lengths(size), _lengths(size, seed=1)
    for source, target in zip(sources, targets, strict=True):
        batch, answer = _padded(source, words, on), _padded(target, words, on)
        batch["labels"] = answer["input_ids"].masked_fill(answer["attention_mask"] == 0, IGNORE)
        batches.append(batch)
    return _contest({name: (model, batches) for name, model in models.items()}, batches, on, dtype)


CONTESTS: dict[str, Callable[[torch.device, torch.dtype, Size], Contest]] = {
    "bert-train": bert,
    "gpt2-documents": gpt2_documents,
    "gpt2-124m": gpt2_full,
    "translation-train": translation,
}


def _heads(size: Size) -> int:
    return size.width // 64


def _words(size: Size) -> dict[str, Any]:
    return {"vocab_size": size.words} if size.words else {}


def _gpt2(size: Size) -> transformers.GPT2Config:
    ends: dict[str, Any] = {"bos_token_id": size.words - 1, "eos_token_id": size.words - 1} if size.words else {}
    return transformers.GPT2Config(n_embd=size.width, n_layer=size.layers, n_head=_heads(size), **_words(size), **ends)


def _models(stock_class: Any, own_class: Any, config: Any, on: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Stock, ours with its tensors, and stock by FlashAttention-2 where that is installed and has the precision."""
    torch.manual_seed(0)
    config._attn_implementation = "sdpa"
    stock = stock_class(config)
    own = own_class.config_class.from_dict(config.to_dict())
    state = stock.state_dict()
    models = {"stock": stock, "ours": own_class.from_pretrained(None, config=own, state_dict=state)}
    if on.type == "cuda" and dtype != torch.float32 and importlib.util.find_spec("flash_attn"):
        with suppress(ImportError, ValueError):  # built for another PyTorch, or not for this class
            models["stock, FA-2"] = stock_class.from_pretrained(
                None, config=config, state_dict=state, attn_implementation="flash_attention_2"
            )
    return {name: model.to(on).train() for name, model in models.items()}


def _contest(given: dict[str, tuple[Any, list[Batch]]], batches: list[Batch], on, dtype) -> Contest:
    steps = {name: (_step(model, on, dtype), each) for name, (model, each) in given.items()}
    return Contest(
        {name: _work(step, each) for name, (step, each) in steps.items()},
        tokens=lambda turn: int(batches[turn % len(batches)]["attention_mask"].sum()),
        memory={name: lambda step=step, each=each: step(each[0]) for name, (step, each) in steps.items()},  # type: ignore[misc]
    )


def _work(step: Callable[[Batch], Tensor], batches: list[Batch]) -> Work:
    return lambda turn: step(batches[turn % len(batches)])


def _step(model: Any, on: torch.device, dtype: torch.dtype) -> Callable[[Batch], Tensor]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)

    def step(batch: Batch) -> Tensor:
        with torch.autocast(on.type, dtype, enabled=dtype != torch.float32):
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def _lengths(size: Size, batches: int = 8, seed: int = 0) -> list[list[int]]:
    """Of the rows of some batches: most are short, a few are as long as may be."""
    draw = random.Random(seed)
    return [
        [min(size.longest, max(3, int(draw.lognormvariate(3.3, 0.35)))) for _ in range(size.rows)]
        for _ in range(batches)
    ]


def _padded(lengths: Sequence[int], words: int, on: torch.device, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    ids = torch.randint(2, words - 1, mask.shape, generator=generator).masked_fill(~mask, 0)
    return {"input_ids": ids.to(on), "attention_mask": mask.long().to(on)}
