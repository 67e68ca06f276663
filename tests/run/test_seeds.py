"""`seeds` in a recipe: each seed as if alone, resumed, and the spread of the figures."""

import json
from pathlib import Path

import classify_bert
import numpy as np
import pytest
from transformers import BertTokenizer

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.training import lock

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "good", "bad"]


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """A run of two steps on texts with noisy labels."""
    folder = tmp_path_factory.mktemp("seeds")
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=16).save_pretrained(
        folder / "model"
    )
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    base = hf_xfmr.XfmrBertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)
    hf_xfmr.XfmrBertModel(base).save_pretrained(folder / "model")
    draw, lines = np.random.default_rng(0), ["text,label"]
    for i in range(300):
        words = [*draw.choice(WORDS[5:15], 5), ("bad", "good")[i % 2]]
        lines.append(f"{' '.join(words)},{(i + (draw.random() < 0.3)) % 2}")
    (folder / "a.csv").write_text("\n".join(lines))
    (folder / "run.yaml").write_text(
        f"model: {folder / 'model'}\ndataset: {folder / 'a.csv'}\nnum_train_epochs: 1\nlearning_rate: 1e-2\n"
        "per_device_train_batch_size: 100\nbaseline: false\nbf16: false\ndisable_tqdm: true\nreport_to: none\n"
    )
    return folder / "run.yaml"


def test_each_seed_is_as_alone_and_a_stopped_run_goes_on(config, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = [str(config), "--output_dir", str(out), "--seeds", "1", "2"]
    train, trained = classify_bert.train, []

    def stopped_in_the_second(trainer):
        trained.append(trainer.args.seed)
        if trainer.args.seed == 2:
            raise KeyboardInterrupt
        return train(trainer)

    monkeypatch.setattr(classify_bert, "train", stopped_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        classify_bert.main(words)
    monkeypatch.setattr(classify_bert, "train", lambda trainer: trained.append(trainer.args.seed) or train(trainer))
    lock.release(out / "seed-2")  # as the end of the process would
    capsys.readouterr()
    means = classify_bert.main(words)
    said = capsys.readouterr().out
    assert trained == [1, 2, 2]
    assert f"seed 1: done before, in {out / 'seed-1'}" in said
    accuracy = [json.loads((out / f"seed-{i}/run.json").read_text())["metrics"]["test"]["accuracy"] for i in (1, 2)]
    assert means["test"]["accuracy"] == pytest.approx(np.mean(accuracy))
    assert f"accuracy {np.mean(accuracy):.4f} ± {np.std(accuracy, ddof=1):.4f}" in said
    summary = json.loads((out / "seeds.json").read_text())["summary"]["test"]
    assert summary["loss" if "loss" in summary else "accuracy"]["sd"] >= 0

    classify_bert.main([str(config), "--output_dir", str(tmp_path / "alone"), "--seed", "2"])
    alone, among = ((folder / "model.safetensors").read_bytes() for folder in (tmp_path / "alone", out / "seed-2"))
    # bits: the same kernels on the same numbers, in one process
    assert alone == among != (out / "seed-1/model.safetensors").read_bytes()

    with pytest.raises(
        UserError, match=r"holds seeds trained with num_train_epochs 1\.0, not 2\.0: give another --output_dir"
    ):
        classify_bert.main([*words, "--num_train_epochs", "2"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1"], r"seeds is \[1\]; it must be two or more different whole numbers"),
        (["--seeds", "1", "1"], "two or more different"),
        (["--seeds", "1", "2", "--seed", "3"], "seeds and seed are both given"),
    ],
)
def test_mistakes_in_seeds(config, tmp_path, words, message):
    with pytest.raises(UserError, match=message):
        classify_bert.main([str(config), "--output_dir", str(tmp_path), *words])


def test_seeds_in_the_file(config, tmp_path):
    path = tmp_path / "b.yaml"
    path.write_text(config.read_text() + "seeds: [1, two]\n")
    with pytest.raises(UserError, match="it must be two or more different whole numbers"):
        classify_bert.main([str(path), "--output_dir", str(tmp_path / "out")])
