"""An adapter's folder as a run leaves it: read by stock with PEFT, with all that is needed beside its base model."""

import json
from pathlib import Path
from typing import Any

from ..hub.dual import kinds
from ..training import checkpoints
from ..training.checkpoints import WEIGHTS
from ..writing import telling, unlink_link
from .lora import FOLDER, within

MODEL = ("config.json", "generation_config.json")  # of a merged model that an earlier run left


def save(model: Any, tokenizer: Any, run: Path) -> Path:
    """Write PEFT's `model` to `adapter` in a run's folder: its tensors and config under stock's names; the config of
    the model it belongs to, whose labels the base model has not; its tokenizer. Returns the folder."""
    folder = run / FOLDER
    base = within(model)
    with telling(run):
        unlink_link(folder)
    with checkpoints.model_folder(folder, "the adapter") as aside:
        model.save_pretrained(aside, save_embedding_layers=False)
        (aside / "README.md").unlink(missing_ok=True)  # PEFT's form, to be filled in; the card takes its place
        _say_stock_class(aside / "adapter_config.json", base)
        _write_config(base, aside / "config.json")
        if base.can_generate():
            base.generation_config.save_pretrained(aside)
        if tokenizer is not None:
            tokenizer.save_pretrained(aside)
    return folder


def remove_model(run: Path) -> None:
    """Take a merged model that an earlier run left out of a folder that is to hold the adapter alone."""
    with telling(run):
        for path in run.iterdir():
            if path.name in MODEL or path.name.endswith(WEIGHTS):
                path.unlink()


def _write_config(model: Any, path: Path) -> None:
    """Under stock's names, so that code without hf_xfmr reads the labels there."""
    fields = model.config.to_dict()
    fields.pop("auto_map", None)  # no code lies beside it
    fields.pop("stock_model_type", None)
    fields |= {"model_type": model.config.stock_model_type, "architectures": [_stock_class(model)]}
    path.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _say_stock_class(path: Path, model: Any) -> None:
    """PEFT notes the class of a model for which it has no task; that is ours, which others have not."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    if fields.get("auto_mapping"):
        import transformers

        name = _stock_class(model)
        fields["auto_mapping"] = {
            "base_model_class": name,
            "parent_library": getattr(transformers, name).__module__,
        }
        path.write_text(json.dumps(fields, indent=2, sort_keys=True), encoding="utf-8")


def _stock_class(model: Any) -> str:
    named = type(model).__name__, model.config.stock_model_type
    return next(one.stock_class for one in kinds(type(model.config)) if (one.own_class, one.stock_model_type) == named)
