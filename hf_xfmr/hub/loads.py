"""Does a pushed repository load, in all three ways, into the same model? Asked of the hub, in fresh processes."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from huggingface_hub import get_token
from safetensors.torch import save_file
from transformers import AutoTokenizer

import hf_xfmr

from ..errors import UserError
from . import adapter
from .client import without_token
from .dual import Kind

TOLERANCE = 1e-4  # of the largest value: stock classes add in another order
_OUTPUTS = (
    *("logits", "start_logits", "end_logits", "prediction_logits", "seq_relationship_logits", "last_hidden_state"),
    "pooler_output",
)
_TEXT = "A quiet, wonderful film: 很好看的电影。"
_MODULES = {"plain": "transformers.models.", "remote": "transformers_modules.", "ours": "hf_xfmr.", "adapter": "peft."}


def ways(kind: Kind, base: str | None = None) -> dict[str, str]:
    """The three ways to load, as a user would write them; of an adapter of `base`, one."""
    if base is not None:
        return {"adapter": f"PeftModel.from_pretrained({kind.auto_class} of {base}, …), without hf_xfmr installed"}
    return {
        "plain": f"{kind.auto_class}.from_pretrained (stock class)",
        "remote": f"{kind.auto_class}.from_pretrained(trust_remote_code=True), without hf_xfmr installed",
        "ours": f"{kind.own_class}.from_pretrained",
    }


def verify(
    repo_id: str, commit: str, folder: Path, kind: Kind, *, has_tokenizer: bool, base: str | None = None
) -> dict[str, float]:
    """Load that commit in three ways (an adapter of `base` in one), each in a process of its own with an empty cache,
    and compare what it computes
    with the model in `folder`. Returns the largest difference of each way. Raises `UserError` if one fails."""
    with tempfile.TemporaryDirectory() as home:
        reference = Path(home) / "reference.safetensors"
        scale = _write_reference(folder, kind, reference, has_tokenizer=has_tokenizer)
        differences = {}
        for way, words in ways(kind, base).items():
            class_name = kind.own_class if way == "ours" else kind.auto_class
            answer = _load(way, repo_id, commit, class_name, reference, base or "")
            if not answer["class"].startswith(_MODULES[way]):
                raise UserError(f"{words} of {repo_id} gives a class of {answer['class']}, not of {_MODULES[way]}")
            if not answer["difference"] <= TOLERANCE * scale:  # NaN too
                raise UserError(
                    f"{words} of {repo_id} computes other values than {folder}: {answer['difference']:.2g} apart, "
                    f"where the largest is {scale:.2g}"
                )
            if answer["same_ids"] is False:
                raise UserError(f"the tokenizer of {repo_id} reads a text into other ids than that of {folder}")
            differences[way] = answer["difference"]
        return differences


@torch.inference_mode()
def _write_reference(folder: Path, kind: Kind, file: Path, *, has_tokenizer: bool) -> float:
    """Ids and what the local model computes from them. Returns the largest value."""
    if adapter.is_adapter(folder):
        model = adapter.load(folder, kind)
    else:
        model = getattr(hf_xfmr, kind.own_class).from_pretrained(folder, dtype=torch.float32).eval()
    inputs = _inputs(model.config, kind)
    computed = {name: value for name, value in model(**inputs).items() if name in _OUTPUTS and value is not None}
    tensors = {f"input.{name}": ids for name, ids in inputs.items()} | computed
    told = {}
    if has_tokenizer:
        told = {"text": _TEXT, "ids": json.dumps(AutoTokenizer.from_pretrained(folder)(_TEXT)["input_ids"])}
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, file, metadata=told)
    return max(float(value.abs().max()) for value in computed.values())


def _inputs(config, kind: Kind) -> dict[str, torch.Tensor]:
    """One row of ids drawn by a fixed seed, none of them padding; two choices of them where there are choices."""
    draw = torch.Generator().manual_seed(0)
    length = min(16, getattr(config, "max_position_embeddings", 16))
    shape = (1, 2, length) if kind.auto_class == "AutoModelForMultipleChoice" else (1, length)
    names = ["input_ids", "decoder_input_ids"] if config.is_encoder_decoder else ["input_ids"]
    inputs = {}
    for name in names:
        size = config.vocab_size if name == "input_ids" else config.decoder_vocab_size
        ids = torch.randint(size, shape, generator=draw)
        inputs[name] = torch.where(ids == config.pad_token_id, (ids + 1) % size, ids) if _padded(config) else ids
    return inputs


def _padded(config) -> bool:
    return config.pad_token_id is not None


def _load(way: str, repo_id: str, commit: str, class_name: str, reference: Path, base: str) -> dict:
    environment = {**os.environ, "HF_HOME": str(reference.parent), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    for name in ("HF_HUB_CACHE", "HF_MODULES_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"):
        environment.pop(name, None)
    if token := get_token():
        environment["HF_TOKEN"] = token
    if way == "ours":  # wherever this very package lies
        above = str(Path(hf_xfmr.__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [above, environment.get("PYTHONPATH")]))
    code = Path(__file__).with_name("load_one.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code, way, repo_id, commit, class_name, str(reference), base],
        cwd=reference.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"{repo_id} does not load as {class_name} ({way}): {without_token(last)}")
    return json.loads(done.stdout.strip().splitlines()[-1])
