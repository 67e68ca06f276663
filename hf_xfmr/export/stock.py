"""A stock checkpoint: transformers' own `model_type`, class and tensors, and no code of ours."""

import json
import shutil
from pathlib import Path

import transformers

from ..hub import dual
from ..tasks.task import all_tasks
from . import parity, real_rows

_MODEL = ("*.safetensors", "*.safetensors.index.json", "generation_config.json")
_TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.txt", "vocab.json", "merges.txt", "*.spm", "*.model", "target_tokenizer/*"),
)


def write(folder: Path, out: Path) -> list[str]:
    """Tensors bit for bit, tokenizer, and a config that says what the stock class is."""
    kind = dual.kind(folder)
    lay_out(kind, folder, out)
    ours, theirs = parity.load(kind, folder), load(kind, out)
    what, most = f"transformers' {kind.stock_class}", parity.longest(ours)
    real, real_words = real_rows.inputs(folder, ours)
    apart = 0.0
    for given in (parity.inputs(ours, 2, min(16, most)), parity.inputs(ours, 1, most, seed=1), real):
        if given is not None:
            found = parity.difference(what, parity.outputs(theirs, given), parity.outputs(ours, given), given)
            apart = max(apart, found)
    tensors = parity.same_tensors(what, theirs, ours)
    over = f"a row of all {most:,} positions" + (f" and {real_words}" if real_words else "")
    return [
        f"{kind.stock_class} computes what {kind.own_class} does, to {apart:.1g}, over random rows, {over}; all "
        f"{tensors} tensors are the same, bit for bit",
        *left_to_users(ours.config),
    ]


def left_to_users(config) -> list[str]:
    """What `python -m hf_xfmr predict` does around a model, and other programs do not."""
    return [note for task in all_tasks() for note in task.left_to_users(config)]


def lay_out(kind: dual.Kind, folder: Path, out: Path) -> None:
    """The files of a stock checkpoint. Fields of the config that stock has not stay in it: it ignores them."""
    lay_out_beside(kind, folder, out)
    copy(folder, out, _MODEL)


def lay_out_beside(kind: dual.Kind, folder: Path, out: Path) -> None:
    """The config and the tokenizer, without tensors."""
    config = dual.read_config(folder)
    config |= {"model_type": kind.stock_model_type, "architectures": [kind.stock_class]}
    config.pop("stock_model_type", None)
    config.pop("auto_map", None)
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    copy(folder, out, _TOKENIZER)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """The tokenizer's files; for separate vocabularies, the target's too."""
    copy(folder, out, _TOKENIZER)


def copy(folder: Path, out: Path, patterns: tuple[str, ...]) -> None:
    """The files of those patterns."""
    for path in (path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()):
        (out / path.relative_to(folder)).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, out / path.relative_to(folder))


def load(kind: dual.Kind, folder: Path):
    """The stock model in `folder`, in evaluation mode."""
    return getattr(transformers, kind.stock_class).from_pretrained(folder).eval()
