"""A stock checkpoint: transformers' own `model_type`, class and tensors, and no code of ours."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers

from ..engines import labels
from ..hub import dual
from ..tasks.task import all_tasks
from . import calibrated, furnish, parity, real_rows

_MODEL = ("*.safetensors", "*.safetensors.index.json", "generation_config.json")
TOKENIZER = (  # of separate vocabularies, the target's too
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.txt", "vocab.json", "merges.txt", "*.spm", "*.model", "target_tokenizer/*"),
)


def write(folder: Path, out: Path) -> list[str]:
    """Tensors bit for bit, tokenizer, and a config that says what the stock class is."""
    kind = dual.kind(folder)
    temperature = calibrated.temperature_of(folder, in_files=True)
    lay_out(kind, folder, out)
    calibrated.fold_files(out, temperature)
    furnish.furnish(kind, folder, out, engine="torch", temperature=temperature)
    ours, theirs = parity.load(kind, folder), load(kind, out)
    what, most = f"transformers' {kind.stock_class}", parity.longest(ours)
    real, real_words = real_rows.inputs(folder, ours)
    every = [parity.inputs(ours, 2, min(16, most)), parity.inputs(ours, 1, most, seed=1)]
    every += [] if real is None else [real]
    calibrated.fold(ours, temperature, every)
    apart = max(
        parity.difference(what, parity.outputs(theirs, given), parity.outputs(ours, given), given) for given in every
    )
    tensors = parity.same_tensors(what, theirs, ours)
    over = f"a row of all {most:,} positions" + (f" and {real_words}" if real_words else "")
    return [
        f"{kind.stock_class} computes what {kind.own_class} does, to {apart:.1g}, over random rows, {over}; all "
        f"{tensors} tensors are the same, bit for bit",
        *calibrated.note(temperature),
        *left_to_users(dual.read_config(out)),
    ]


def left_to_users(config: Mapping[str, Any]) -> list[str]:
    """What `python -m hf_xfmr predict` does around a model, and other programs do not."""
    return [note for task in all_tasks() for note in task.left_to_users(config)]


def lay_out(kind: dual.Kind, folder: Path, out: Path) -> None:
    """The files of a stock checkpoint. Fields of the config that stock has not stay in it: it ignores them."""
    lay_out_beside(kind, folder, out)
    copy(folder, out, _MODEL)


def lay_out_beside(kind: dual.Kind, folder: Path, out: Path) -> None:
    """The config and the tokenizer, without tensors."""
    (out / "config.json").write_text(config_text(kind, folder), encoding="utf-8")
    copy(folder, out, TOKENIZER)


def config_text(kind: dual.Kind, folder: Path) -> str:
    """What the stock checkpoint's config.json says."""
    config = dual.read_config(folder)
    config |= {"model_type": kind.config_class.stock_model_type, "architectures": [kind.stock_class]}
    config.pop("auto_map", None)
    if "Classification" in kind.auto_class and not config.get(
        "id2label"
    ):  # for those who read it without transformers, which names them so
        config["id2label"] = dict(enumerate(labels(config)))
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def copy(folder: Path, out: Path, patterns: tuple[str, ...]) -> None:
    """The files of those patterns."""
    for path in (path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()):
        (out / path.relative_to(folder)).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, out / path.relative_to(folder))


def load(kind: dual.Kind, folder: Path):
    """The stock model in `folder`, in evaluation mode."""
    return getattr(transformers, kind.stock_class).from_pretrained(folder).eval()
