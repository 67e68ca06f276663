"""nanoGPT's ckpt.pt, and that of build-nanogpt, which holds its settings as an object: GPT-2 under its own names."""

import contextlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.regular import check_regular
from ..errors import UserError
from . import pickles, reference, vocabularies
from .foreign import Foreign, Outputs

ENDINGS = (".pt", ".pth", ".ckpt")
PREFIXES = ("_orig_mod.", "module.")  # of torch.compile, and of DistributedDataParallel
TURNED = (
    "attn.c_attn.weight",
    "attn.c_proj.weight",
    "mlp.c_fc.weight",
    "mlp.c_proj.weight",
)  # [out, in], not [in, out]
SIZES = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")
WORDS = 50257  # of GPT-2's tokenizer; nanoGPT has 50,304 rows for them
OTHERS = {"model_state", "optimizer_state"}  # of JoeyNMT's checkpoints
NANOCHAT = ("n_kv_head", "sequence_len")


def file_of(source: Path) -> Path | None:
    """The checkpoint that a path means: the file itself, or ckpt.pt in a folder; None: neither."""
    if source.is_dir():
        return source / "ckpt.pt" if (source / "ckpt.pt").is_file() else None
    return source if source.suffix in ENDINGS and source.is_file() else None


def read(
    file: Path, *, tokenizer: str | None = None, activation: str | None = None, check: str | Path | None = None
) -> Foreign:
    """A checkpoint of nanoGPT's. Raises `UserError` for one that is none, incomplete, damaged, or holds code."""
    loaded = pickles.read_tensors(file, settings="GPTConfig")
    if isinstance(loaded, Mapping) and loaded.keys() >= OTHERS:
        raise UserError(
            f"{file} is JoeyNMT's, and is not converted: its norms add 1e-6 where the Transformer's here add 1e-5, and "
            "by its configurations stand before the sublayers: train anew, or keep it there"
        )
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("model"), Mapping):
        raise UserError(
            f"{file} is no checkpoint of nanoGPT's: it has no 'model', its tensors by name; give its ckpt.pt"
        )
    args, is_build = _settings(file, loaded)
    tensors = _tensors(file, loaded["model"], args)
    act = activation or ("gelu_new" if is_build else "gelu")
    sides: dict[str, Outputs] = {}
    if check is not None:
        act, sides = _checked(Path(check), args, tensors, act, activation)
    else:
        sides["a forward pass written from nanoGPT's published layout"] = partial(_reference, tensors, args, act)
    tied = torch.equal(tensors["transformer.wte.weight"], tensors["lm_head.weight"])
    words = vocabularies.of_nanogpt(file, loaded, args, tokenizer)
    config = {
        **{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": act},
        **{"n_layer": args["n_layer"], "n_head": args["n_head"], "n_embd": args["n_embd"], "n_inner": None},
        **{"n_positions": args["block_size"], "vocab_size": args["vocab_size"], "layer_norm_epsilon": 1e-5},
        **{f"{where}_pdrop": args["dropout"] for where in ("resid", "embd", "attn")},
        **{"bos_token_id": words.end, "eos_token_id": words.end, "tie_word_embeddings": tied},
    }
    notes = [_what(file, loaded, args), *_said(args, act, check, activation, is_build), *words.notes]
    return Foreign(config, _stock(tensors, args, tied), sides, words.write, notes)


def _what(file: Path, loaded: Mapping[str, Any], args: dict[str, Any]) -> str:
    step = loaded.get("iter_num", loaded.get("step"))
    after = f" after {step:,} steps" if isinstance(step, int) else ""
    sizes = f"{args['n_layer']} blocks of {args['n_embd']}, {args['vocab_size']:,} rows of words"
    return f"{file}: a GPT-2 of nanoGPT's{after}, {sizes}"


def _said(args: dict, act: str, check: Any, activation: str | None, is_build: bool) -> list[str]:
    notes = []
    if not args["bias"]:
        notes.append("biases: trained without; here they are zeros, which compute the same, and learn from here on")
    if args["vocab_size"] > WORDS > args["vocab_size"] - 128:
        padding = f"rows {WORDS:,} to {args['vocab_size'] - 1:,}"
        notes.append(f"{padding} are nanoGPT's padding: no word has them; they are kept")
    if check is None and activation is None and not is_build:
        notes.append(
            "activation: gelu, as nanoGPT has it since May 2023; one trained before has gelu_new, and the file does "
            "not say which: --activation gelu_new, or --check model.py, nanoGPT's own, which is run then"
        )
    elif check is not None:
        notes.append(f"activation: {act}, by {check}")
    return notes


def _settings(file: Path, loaded: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The model's sizes; and whether they lay in an object, as build-nanogpt's."""
    given, is_build = loaded.get("model_args"), False
    if given is None and isinstance(loaded.get("config"), pickles.Settings):
        given, is_build = vars(loaded["config"]), True
    if not isinstance(given, Mapping):
        raise UserError(
            f"{file} has no model_args, the sizes of its model, without which its heads can't be told: "
            "give the ckpt.pt that nanoGPT's train.py wrote"
        )
    if any(name in given for name in NANOCHAT):
        raise UserError(
            f"{file} is nanochat's, with rotary positions, RMS norms and no biases: it is no GPT-2, and is not "
            "converted"
        )
    args = {"bias": True, "dropout": 0.0, **given}
    for name in SIZES:
        value = args.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(
                f"{file}: model_args says {name} {str(value)[:40]}, which must be a whole number above 0: get "
                "the checkpoint again"
            )
    if args["n_embd"] % args["n_head"]:
        raise UserError(f"{file}: n_embd {args['n_embd']} is no multiple of n_head {args['n_head']}: get it again")
    if not isinstance(args["dropout"], int | float) or not 0 <= args["dropout"] < 1:
        raise UserError(f"{file}: model_args says dropout {str(args['dropout'])[:40]}, which is no share: get it again")
    return args, is_build


def _shapes(args: dict[str, Any]) -> Iterator[tuple[str, list[int]]]:
    """What nanoGPT's model has by these sizes, buffers left out. One by one: sizes that are wrong may be huge."""
    width = args["n_embd"]

    def part(name: str, *shape: int) -> Iterator[tuple[str, list[int]]]:
        yield f"{name}.weight", list(shape)
        if args["bias"]:
            yield f"{name}.bias", [shape[0]]

    yield "transformer.wte.weight", [args["vocab_size"], width]
    yield "transformer.wpe.weight", [args["block_size"], width]
    yield "lm_head.weight", [args["vocab_size"], width]
    yield from part("transformer.ln_f", width)
    for layer in range(args["n_layer"]):
        block = f"transformer.h.{layer}"
        yield from part(f"{block}.ln_1", width)
        yield from part(f"{block}.attn.c_attn", 3 * width, width)
        yield from part(f"{block}.attn.c_proj", width, width)
        yield from part(f"{block}.ln_2", width)
        yield from part(f"{block}.mlp.c_fc", 4 * width, width)
        yield from part(f"{block}.mlp.c_proj", width, 4 * width)


def _tensors(file: Path, held: Mapping[str, Any], args: dict[str, Any]) -> dict[str, Tensor]:
    """The weights by nanoGPT's names; causal masks, which some versions save, left out."""
    tensors = {}
    for name, one in held.items():
        for prefix in PREFIXES:
            name = str(name).removeprefix(prefix)
        if not name.endswith((".attn.bias", ".attn.masked_bias")):
            tensors[name] = one
    tensors.setdefault("lm_head.weight", tensors.get("transformer.wte.weight"))
    known = set()
    for name, shape in _shapes(args):
        known.add(name)
        one = tensors.get(name)
        if not isinstance(one, Tensor):
            raise UserError(f"{file} lacks {name}, which its model_args ask for: it is incomplete, or of another model")
        if list(one.shape) != shape or not one.is_floating_point():
            raise UserError(
                f"{file}: {name} is {list(one.shape)} of {one.dtype}, and {shape} of fractions by its "
                "model_args: it is of another model"
            )
    if strange := sorted(tensors.keys() - known):
        raise UserError(f"{file} holds {strange[0]}, which nanoGPT's GPT-2 has not: it is of another model")
    return tensors


def _stock(tensors: dict[str, Tensor], args: dict[str, Any], tied: bool) -> dict[str, Tensor]:
    """Stock's names are nanoGPT's; its matrices are turned round, and it has every bias."""
    found = {}
    for name, one in tensors.items():
        if name == "lm_head.weight" and tied:
            continue
        found[name] = (one.t() if name.endswith(TURNED) else one).contiguous().clone()
        bias = f"{name.removesuffix('weight')}bias"
        has_one = name.endswith(".weight") and name.startswith(("transformer.h.", "transformer.ln_f"))
        if has_one and bias not in tensors:
            found[bias] = torch.zeros(one.shape[0], dtype=one.dtype)
    return found


def _reference(tensors: dict[str, Tensor], args: dict, act: str, given: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"logits": reference.gpt2(tensors, args["n_head"], act, given["input_ids"])}


def _checked(
    code: Path, args: dict[str, Any], tensors: dict[str, Tensor], act: str, told: str | None
) -> tuple[str, dict[str, Outputs]]:
    """What the user's own model.py computes; and the activation that it has, unless that was told."""
    theirs = _run(code if code.suffix == ".py" else code / "model.py", args, tensors)
    if told is None:
        ids = torch.arange(min(16, args["block_size"])).remainder(args["vocab_size"]).unsqueeze(0)
        expected = theirs({"input_ids": ids})["logits"]

        def apart(name: str) -> float:
            found = reference.gpt2(tensors, args["n_head"], name, ids)
            return float((found - expected).abs().max())

        act = min(("gelu", "gelu_new"), key=apart)
    return act, {f"{code}, run on this checkpoint,": theirs}


def _made(module: Any, args: dict[str, Any]) -> Any:
    known = {name: args[name] for name in module.GPTConfig.__dataclass_fields__ if name in args}
    return module.GPT(module.GPTConfig(**known))


class _Uncached(importlib.machinery.SourceFileLoader):
    """Leaves nothing beside the file that it loads: it is the user's."""

    def set_data(self, path, data, *, _mode=0o666):
        """Where Python would write what it compiled."""


def _run(
    code: Path, args: dict[str, Any], tensors: dict[str, Tensor]
) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    check_regular(code, "model.py of nanoGPT's")
    try:
        loader = _Uncached("nanogpt_model", str(code))
        specification = importlib.util.spec_from_file_location(loader.name, code, loader=loader)
        assert specification is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[specification.name] = module  # dataclasses look their module up
        with contextlib.redirect_stdout(sys.stderr):  # it prints its size
            loader.exec_module(module)
            model = _made(module, args)
        model.load_state_dict(tensors, strict=False)
        model.float().eval()
    except (Exception, SystemExit) as error:  # whatever that code does
        raise UserError(
            f"{code} could not be run as nanoGPT's model.py ({type(error).__name__}: {error}): give the file "
            "that the checkpoint was trained with, or leave --check out"
        ) from error

    @torch.inference_mode()
    def outputs(given: dict[str, Tensor]) -> dict[str, Tensor]:
        ids = given["input_ids"]
        return {"logits": model(ids, ids)[0]}  # with targets it scores every position

    return outputs
