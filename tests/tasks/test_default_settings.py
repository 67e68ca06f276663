"""What a run trains with where nothing is said: chosen by model and rows, and said in a line."""

import json
from pathlib import Path
from types import SimpleNamespace

import classify_bert
import pytest
import tag_bert

import hf_xfmr
from hf_xfmr.run import defaults

SIZES = "{vocab_size: 6000, hidden_size: 192, num_hidden_layers: 3, num_attention_heads: 3, intermediate_size: 512, "
SIZES += "max_position_embeddings: 128}"
OF_TRAINER = {  # what stood there before
    "learning_rate": 5e-5, "num_train_epochs": 3, "per_device_train_batch_size": 32, "warmup_steps": 0,
    "metric_for_best_model": "loss",
}  # fmt: skip
RUNS = {
    "reviews-zh": (classify_bert, ["--dataset", "sample:reviews-zh", "--tokenizer", "unigram"], "accuracy"),
    "msra-ner": (tag_bert, ["--dataset", "sample:msra-ner", "--baseline", "crf"], "f1"),
}


def model(width: int):
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return hf_xfmr.XfmrBertForSequenceClassification(hf_xfmr.XfmrBertConfig(vocab_size=20, hidden_size=width, **sizes))


def settled(width: int, rows: int | None, *, given=(), checkpoint: bool = False, **options):
    args = SimpleNamespace(
        given=frozenset(given), recipe_settings={"model": "x" if checkpoint else None}, max_steps=-1,
        learning_rate=5e-5, num_train_epochs=3.0, per_device_train_batch_size=32, warmup_steps=0,
        gradient_accumulation_steps=1, world_size=1,
    )  # fmt: skip
    defaults.settle(args, model(width), rows, **options)
    return args


def test_a_narrow_model_learns_at_a_higher_rate_and_new_weights_at_a_higher_one_than_a_checkpoint():
    rates = [settled(width, 10_000, checkpoint=True).learning_rate for width in (32, 128, 384)]
    assert rates == sorted(rates, reverse=True)
    assert settled(384, 10_000).learning_rate > rates[-1] == 8e-5
    assert settled(384, 10_000, lora=True).learning_rate == 3e-4


def test_few_rows_are_read_more_often():
    epochs = [settled(32, rows).num_train_epochs for rows in (100, 1_500, 5_000, 100_000)]
    assert epochs == [20, 7, 4, 3]
    assert settled(32, 1_500, new_steps=1_500).num_train_epochs == 16
    assert settled(32, 1_500, new_steps=1_500, checkpoint=True).num_train_epochs == 7
    assert settled(32, 1_500).per_device_train_batch_size == 16
    assert settled(32, 5_000).per_device_train_batch_size == 32


def test_what_a_user_says_stays_and_the_rest_is_said():
    args = settled(32, 1_500, given=["learning_rate", "per_device_train_batch_size"])
    assert (args.learning_rate, args.per_device_train_batch_size) == (5e-5, 32)
    (line,) = args.settled
    assert line == "chosen: warmup_steps 0.1, num_train_epochs 13 (1,500 rows); a flag of yours goes first"
    nothing_left = settled(
        32, 9, given=["learning_rate", "warmup_steps", "num_train_epochs", "per_device_train_batch_size"]
    )
    assert not hasattr(nothing_left, "settled")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", RUNS)
def test_of_few_rows_a_default_run_learns_more_than_at_one_rate_for_all(name, tmp_path, capsys):
    recipe, words, figure = RUNS[name]
    words = [*words, "--model_config", SIZES, "--max_length", "64", "--bf16", "false", "--report_to", "none",
             "--max_train_rows", "1500", "--max_validation_rows", "300", "--max_test_rows", "1000"]  # fmt: skip
    old = [f"--{key}={value}" for key, value in OF_TRAINER.items()]
    before = recipe.main([*words, *old, "--output_dir", str(tmp_path / "before")])
    now = recipe.main([*words, "--output_dir", str(tmp_path / "now")])
    said = " ".join(capsys.readouterr().out.split())  # lines end at 80 columns
    assert (
        "chosen: learning_rate 0.0006 (new weights, 192 wide), warmup_steps 0.1, batches of 16, num_train_epochs"
        in said
    )
    record = json.loads(Path(tmp_path / "now" / "run.json").read_text())
    assert record["arguments"]["metric_for_best_model"] == figure
    with capsys.disabled():
        print(f"\n{name}: {figure} on test {before['test'][figure]:.4f} before, {now['test'][figure]:.4f} now, "
              f"baseline {now['baseline'][figure]:.4f}; {record['seconds']:.0f} s")  # fmt: skip
    assert now["test"][figure] > before["test"][figure] + 0.05
