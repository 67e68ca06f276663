"""What /info says: which model this is, of what versions, and by the hash of each of its files."""

import platform
from pathlib import Path
from typing import Any

from .. import __version__
from ..engines import manifest
from .limits import Limits

PACKAGES = ("torch", "transformers", "tokenizers", "onnxruntime", "ctranslate2", "fastapi", "uvicorn")
FILES = ("*.safetensors", "*.onnx", "model.bin", "config.json", "tokenizer.json", "*.spm", "manifest.json")


def about(model: str, said: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """`said` is what the model says of itself. Beside it stand the fields that text-embeddings-inference has, as its
    clients may look for them: a tokenizer runs in the model's thread, and a batch is bounded by its texts."""
    found = manifest.read(model) if Path(model).is_dir() else None
    info = {
        "model_id": name_of(model),
        "model_sha": None,
        "model_dtype": "float32" if found is None else found.told.get("precision", "float32"),
        "version": __version__,
        "tokenization_workers": 1,
        "max_batch_tokens": limits.batch_size * said.get("max_input_length", 0),
        "max_client_batch_size": limits.max_texts,
        "max_batch_requests": limits.batch_size,
        "max_concurrent_requests": limits.max_queue,
        "auto_truncate": True,
        **said,
        "versions": versions(),
        "hashes": hashes(Path(model)),
    }
    if labels := said.get("labels"):
        ids = {str(number): name for number, name in enumerate(labels)}
        info["model_type"] = {
            "classifier": {"id2label": ids, "label2id": {name: number for number, name in enumerate(labels)}}
        }
    return info


def name_of(model: str) -> str:
    """A folder's own name, without where it lies on this machine; a Hub name as it is."""
    folder = Path(model)
    return folder.resolve().name if folder.is_dir() else model


def versions() -> dict[str, str]:
    """The versions that are installed of what computes and answers."""
    return {"hf_xfmr": __version__, "python": platform.python_version(), **manifest.versions(PACKAGES)}


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of the files that a model is made of, those in its folder; none of a name on the Hub."""
    paths = sorted({path for pattern in FILES for path in folder.glob(pattern)} if folder.is_dir() else ())
    return {path.name: manifest.sha256(path) for path in paths}
