"""LoRA runs of seconds, of every recipe: rows, tiny checkpoints, flags, and what asks the model that is left."""

import json
from pathlib import Path

import classify_bert
import finetune_gpt2
import pretrain_bert
import small_checkpoints
import tag_bert
import translate
import yaml

from hf_xfmr.predict import predict
from hf_xfmr.tasks.language_modeling.generator import generate
from hf_xfmr.tasks.pretraining.filler import fill
from hf_xfmr.tasks.translation.translator import translate as translated

TRAINED = [
    *[
        "--bf16",
        "false",
        "--max_steps",
        "4",
        "--disable_tqdm",
        "true",
        "--report_to",
        "none",
        "--learning_rate",
        "0.05",
    ],
    *["--save_strategy", "steps", "--save_steps", "2", "--eval_strategy", "no", "--lora_rank", "2", "--seed", "3"],
]
RECIPES = {  # its module, the checkpoint it begins with, flags of its own, and what asks its model
    "classify": (classify_bert, "base", ["--baseline", "false"], lambda model: predict(model, ["good film"])),
    "tag": (
        tag_bert,
        "base",
        ["--baseline", "none", "--validation_fraction", "0.2"],
        lambda model: predict(model, ["a good film"]),
    ),
    "gpt2": (finetune_gpt2, "gpt2", ["--sample_every", "0"], lambda model: generate(model, ["good"], max_new_tokens=8)),
    "pretrain": (pretrain_bert, "base", [], lambda model: fill(model, ["good [MASK]"])),
    "translate": (
        translate,
        "transformer",
        ["--task_rows", "100", "--task_length", "5", "--max_length", "32", "--eval_sentences", "0"],
        lambda model: translated(model, ["good film"]),
    ),
}


def make(root: Path) -> Path:
    """Checkpoints in `root`, reviews and tagged words beside them."""
    small_checkpoints.make(root)
    lines = [
        f"{'abcdefgh'[i % 8]} {'good' if i % 2 else 'bad'} film. a film {i}.,{'pos' if i % 2 else 'neg'}"
        for i in range(40)
    ]
    (root / "reviews.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    rows = [
        {"tokens": ["a", "good", f"w{i}", *"abcdefg"[: i % 7]], "tags": ["O", "B-PER", "O", *["O"] * (i % 7)]}
        for i in range(60)
    ]
    (root / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def words(name: str, checkpoints: Path, folder: Path, *flags: str) -> list[str]:
    _, begins, own, _ = RECIPES[name]
    data = {"tag": str(checkpoints / "tags.jsonl"), "translate": "task:copy"}.get(
        name, str(checkpoints / "reviews.csv")
    )
    model = ["--dataset", data, "--model", str(checkpoints / begins), "--output_dir", str(folder)]
    return [*model, *own, *TRAINED, *flags]


def as_settings(flags: list[str]) -> dict:
    """Flags as the keywords of a call from Python."""
    return {flag[2:]: yaml.safe_load(value) for flag, value in zip(flags[::2], flags[1::2], strict=True)}
