"""Symbolic links in an output folder: a run puts its files in their place, and what they point to stays as it was."""

import importlib
import json
import os
import sys
from pathlib import Path

import pytest
import small_checkpoints

from hf_xfmr.training import checkpoints, lock

TRAINED = [
    *["--bf16", "false", "--max_steps", "2", "--save_steps", "1", "--save_strategy", "steps", "--disable_tqdm", "true"],
    *["--eval_strategy", "steps", "--eval_steps", "1", "--resume", "false", "--report_to", "none"],
]
BERT = "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}"
RECIPES = {
    "classify_bert": ["--dataset", "{csv}", "--model_config", BERT, "--baseline", "false", *TRAINED],
    "classify_bert, lora": [
        *["--dataset", "{csv}", "--model", "{model}", "--baseline", "false", "--lora_rank", "2", *TRAINED],
    ],
    "finetune_gpt2": [
        *["--dataset", "{csv}", "--model_config", "{n_embd: 16, n_layer: 1, n_head: 2, n_positions: 32}", *TRAINED],
    ],
    "tag_bert": ["--dataset", "{tags}", "--model_config", BERT, "--baseline", "none", *TRAINED],
    "translate": [
        *["--dataset", "task:copy", "--task_rows", "100", "--task_length", "5", "--max_length", "32"],
        *["--model_config", "{d_model: 16, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2}"],
        *["--tokenizer_kind", "bpe", "--vocab_size", "290", "--eval_sentences", "0", "--num_beams", "1"],
        *["--shared_vocabulary", "false", "--average_checkpoints", "1", *TRAINED],
    ],
    "train_tokenizer": ["--dataset", "{csv}", "--kind", "char", "--model_max_length", "32"],
}


QUICK = ("classify_bert, lora", "train_tokenizer")  # the others take as long and are like the first


def run(name: str, tmp_path: Path, folder: Path) -> None:
    given = {"{csv}": tmp_path / "reviews.csv", "{tags}": tmp_path / "tags.jsonl", "{model}": tmp_path / "base"}
    if "lora" in name and not given["{model}"].exists():
        small_checkpoints.make(tmp_path)
    lines = [
        f"word{i % 7} a b c d e f g h {'good' if i % 2 else 'bad'} end{i},{'pos' if i % 2 else 'neg'}"
        for i in range(80)
    ]
    given["{csv}"].write_text("text,label\n" + "\n".join(lines) + "\n")
    row = {"tokens": ["Ann", "saw", "Rome"], "tags": ["B-PER", "O", "B-LOC"]}
    rows = [{**row, "tokens": [*row["tokens"][:2], f"Rome{i}"]} for i in range(80)]
    given["{tags}"].write_text("".join(json.dumps(one) + "\n" for one in rows))
    words = [str(given.get(word, word)) for word in RECIPES[name]]
    importlib.import_module(name.split(",")[0]).main([*words, "--output_dir", str(folder)])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RECIPES]
)
def test_a_run_in_a_folder_of_links_writes_over_no_target(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["recipe.py"])
    run(name, tmp_path, tmp_path / "first")
    made = files(tmp_path / "first")
    disk, folder = tmp_path / "disk", tmp_path / "runs" / "second"
    (tmp_path / "big").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "big")  # a folder that is a link itself is the user's own wish
    names = [one for one in made if not one.startswith(("checkpoint-", "adapter"))]
    for one in [*names, ".lock", ".writable", "other.txt"]:
        (disk / one).parent.mkdir(parents=True, exist_ok=True)
        (disk / one).write_text("precious")
        (folder / one).parent.mkdir(parents=True, exist_ok=True)
        (folder / one).unlink(missing_ok=True)
        (folder / one).symlink_to(disk / one)
    folders = ["tmp-model", "tmp-checkpoint-1", "moving-model", "ready-model"]
    if name != "train_tokenizer":
        folders += ["checkpoint-1", "checkpoint-2", *(["adapter"] if "lora" in name else [])]
    for one in folders:
        (disk / one).mkdir()
        (disk / one / "model.safetensors").write_text("precious")
        (folder / one).symlink_to(disk / one)
    before = files(disk)
    run(name, tmp_path, folder)
    assert files(disk) == before
    assert {(disk / one).read_text() for one in before} == {"precious"}
    unused = {"other.txt"} | ({".lock", ".writable", "tmp-checkpoint-1"} if name == "train_tokenizer" else set())
    assert {path.name for path in folder.rglob("*") if path.is_symlink()} <= unused
    assert set(made) <= set(files(folder))
    assert (tmp_path / "big" / "second").samefile(folder)


def test_a_tokenizer_s_folder_that_is_a_link_is_made_anew(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "vocab.json").write_text("precious")
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "target_tokenizer").symlink_to(tmp_path / "disk")
    with checkpoints.model_folder(run_folder) as aside:
        (aside / "target_tokenizer").mkdir()
        (aside / "target_tokenizer" / "vocab.json").write_text("{}")
    assert (tmp_path / "disk" / "vocab.json").read_text() == "precious"
    assert (run_folder / "target_tokenizer" / "vocab.json").read_text() == "{}"
    assert not (run_folder / "target_tokenizer").is_symlink()


def test_a_lock_that_is_a_link_empties_nothing(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    assert lock.acquire(tmp_path / "run")
    lock.release(tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "mine"


def test_old_checkpoints_that_are_links_are_unlinked(tmp_path):
    """As after moving one to another disk; the disk keeps it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").touch()
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "checkpoint-1").symlink_to(tmp_path / "disk")
    checkpoints.remove(run_folder / "checkpoint-1")
    assert os.listdir(run_folder) == []
    assert os.listdir(tmp_path / "disk") == ["file"]
