"""Whether a device's numbers are right: kernels, logits, losses and gradients beside stock's, dropout by its mean."""

from collections.abc import Iterator
from typing import Any

import torch
import transformers
from torch import Tensor

from ...models.bert import XfmrBertConfig, XfmrBertForMaskedLM
from ...models.blocks import Attention
from ...models.gpt2 import XfmrGPT2ForCausalLM
from ...models.kernel_checks import fault, kernel_on
from ...models.kernels import Kernel, kernels_for
from ...models.losses import IGNORE
from ...models.packing import Packing
from ...models.stock import to_own_names
from ...models.transformer import XfmrForConditionalGeneration

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
HEAD = 64
# Of the largest distance to stock in float32: what float32 may be apart, and half precision in times of what stock
# itself is in that precision, beside a floor.
FLOAT32, TIMES, FLOOR = 1e-4, 2.0, 2e-3
LENGTHS = (31, 5, 17, 5, 1, 24, 9, 31)


def kernels(on: torch.device) -> list[dict]:
    """Each kernel that the device may have, in each precision: whether its check passed, or why not."""
    capability = torch.cuda.get_device_capability(on) if on.type == "cuda" else (0, 0)
    found = []
    for name, dtype in PRECISIONS.items():
        meant = kernels_for(on.type, dtype, HEAD, capability, rocm=torch.version.hip is not None)
        for kernel in [each for each in meant if each is not Kernel.SEQUENCES] or [Kernel.LENGTHS]:
            wrong = fault(kernel, on, dtype, HEAD)
            found.append({"kernel": kernel.value, "precision": name, "holds": wrong is None, "why": wrong or ""})
    return found


def chosen(on: torch.device) -> dict[str, str]:
    """The kernel that is taken in each precision."""
    taken = {name: kernel_on(on, dtype, HEAD) for name, dtype in PRECISIONS.items()}
    return {name: "padded" if kernel is None else kernel.value for name, kernel in taken.items()}


def beside_stock(on: torch.device, *, layers: int = 4, width: int = 256) -> Iterator[dict]:
    """Of each architecture and precision: how far logits, loss and gradients are from stock's in float32 (norm of the
    difference by the norm), for ours and for stock in that precision."""
    for family in ("bert", "gpt2", "transformer"):
        stock, ours = _twins(family, on, layers, width)
        batch, labelled = _batch(family, stock.config.vocab_size, on)
        exact = _computed(stock, batch, labelled, ours)
        for name, dtype in PRECISIONS.items():
            if name == "float16":  # whose gradients want a scaler
                continue
            mine = _computed(ours.to(dtype), batch, labelled, ours)
            theirs = exact if dtype == torch.float32 else _computed(stock.to(dtype), batch, labelled, ours)
            for what, value in exact.items():
                distance, own = _apart(mine[what], value), _apart(theirs[what], value)
                allowed = FLOAT32 if dtype == torch.float32 else TIMES * own + FLOOR
                yield {
                    "model": family, "precision": name, "what": what, "ours": distance, "stock": own,
                    "allowed": allowed, "holds": distance <= allowed,
                }  # fmt: skip


def dropout_means(on: torch.device, *, seeds: int = 400, p: float = 0.1) -> Iterator[dict]:
    """Attention with dropout of its weights over so many seeds: how many standard errors its mean is from attention
    without, on average and at most. A half's own rounding counts with the error."""
    mask = (torch.arange(24) < torch.tensor([[24], [3], [24], [11]])).long().to(on)
    packing = Packing(mask)
    for name, dtype in PRECISIONS.items():
        config = XfmrBertConfig()
        config._attn_implementation = "sdpa"
        torch.manual_seed(0)
        attention = Attention(config, 2 * HEAD, 2, p, 0).to(on, dtype)
        row = torch.randn(1, len(packing.keep), 2 * HEAD).to(on, dtype)
        with torch.no_grad():
            expected = attention.eval()(row, packing.spans())[0].float()
            drawn = []
            for seed in range(seeds):
                torch.manual_seed(seed)
                drawn.append(attention.train()(row, packing.spans())[0].float())
            every = torch.stack(drawn)
        error = every.std(0) / seeds**0.5 + torch.finfo(dtype).eps * expected.abs().max()
        off = (every.mean(0) - expected).abs() / error
        mean, most = float(off.mean()), float(off.max())
        yield {
            "precision": name, "seeds": seeds, "mean": mean, "most": most, "varies": bool((every.std(0) > 0).any()),
            "holds": mean < 1.2 and most < 7 and bool((every.std(0) > 0).any()),
        }  # fmt: skip


def _twins(family: str, on: torch.device, layers: int, width: int) -> tuple[Any, Any]:
    """Stock, without dropout, and ours with its tensors, both in evaluation and float32."""
    torch.manual_seed(0)
    heads = max(width // HEAD, 1)
    stock_class: Any
    own_class: Any
    sizes: dict[str, Any]
    more: dict[str, Any]
    if family == "bert":
        sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
        more = {"intermediate_size": 2 * width, "vocab_size": 1000}
        stock_class, own_class = transformers.BertForMaskedLM, XfmrBertForMaskedLM
    elif family == "gpt2":
        sizes = {"n_embd": width, "n_layer": layers, "n_head": heads, "vocab_size": 1000}
        more = {"bos_token_id": 998, "eos_token_id": 999}
        stock_class, own_class = transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM
    else:
        sizes = {"d_model": width, "vocab_size": 1000, "decoder_vocab_size": 1000, "pad_token_id": 0}
        more = {"eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": None}
        for side in ("encoder", "decoder"):
            more |= {f"{side}_layers": layers, f"{side}_attention_heads": heads, f"{side}_ffn_dim": 2 * width}
        stock_class, own_class = transformers.MarianMTModel, XfmrForConditionalGeneration
    stock = stock_class(stock_class.config_class(**sizes, **more))
    config = own_class.config_class.from_dict(stock.config.to_dict())
    ours = own_class.from_pretrained(None, config=config, state_dict=stock.state_dict())
    return stock.to(on).eval(), ours.to(on).eval()


def _batch(family: str, words: int, on: torch.device) -> tuple[dict[str, Tensor], Tensor]:
    """Rows of unequal lengths padded on the right, and where their labels are."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    ids = torch.randint(2, words - 2, mask.shape, generator=generator).masked_fill(~mask, 0)
    labels = ids.masked_fill(~mask, IGNORE)
    if family == "bert":
        labels = labels.masked_fill(torch.rand(mask.shape, generator=generator) > 0.3, IGNORE)
    batch = {"input_ids": ids, "attention_mask": mask.long(), "labels": labels}
    if family == "transformer":  # of other lengths than its sources
        batch["labels"] = labels.flip(0)
    real = batch["labels"] != IGNORE
    return {name: t.to(on) for name, t in batch.items()}, real.to(on)


def _computed(model: Any, batch: dict[str, Tensor], labelled: Tensor, ours: Any) -> dict[str, Tensor]:
    """Logits at labelled places, the loss, and all gradients end to end by our names' order."""
    model.zero_grad()
    out = model(**batch)
    out.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if model is not ours:
        gradients = to_own_names(ours, gradients)
        tied = ours.all_tied_weights_keys  # of one parameter with two names stock may give either
        gradients = {tied.get(name, name): gradient for name, gradient in gradients.items()}
    flat = torch.cat([gradients[name].float().flatten() for name in sorted(gradients)])
    return {"logits": out.logits[labelled].detach().float(), "loss": out.loss.detach().float(), "gradients": flat}


def _apart(a: Tensor, b: Tensor) -> float:
    if a.shape != b.shape:
        return float("inf")
    return float((a - b).norm() / b.norm())
