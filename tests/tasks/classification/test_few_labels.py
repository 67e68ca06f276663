"""Few labelled rows: what `few_labels` trains, what it leaves behind, and what it says."""

import csv
import json
import re
import shutil
from pathlib import Path

import classify_bert
import kin_checkpoints
import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

from hf_xfmr.errors import UserError
from hf_xfmr.export import export
from hf_xfmr.run import encoders, loading
from hf_xfmr.tasks.classification import averaging
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.classification.few import contrastive_loss
from hf_xfmr.tasks.classification.read import read_labelled
from hf_xfmr.tasks.classification.settings import ClassificationSettings

FILLERS = ["day", "night", "one", "two", "the", "film", "plot", "end", "of", "a", "it", "is", "was", "and", "so"]
WORDS = {"good": "fine great lovely superb", "bad": "poor dull awful boring"}
QUIET = ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none", "--baseline", "false"]


def rows(count: int = 200, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of words without meaning, one of which says the label."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        words = list(draw.choice(FILLERS, 6))
        words.insert(int(draw.integers(7)), str(draw.choice(WORDS[label].split())))
        found.append((" ".join(words), label))
    return found


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """Tiny ones of each kind; as `words` a BERT whose tokens are words, as it is before training."""
    home = tmp_path_factory.mktemp("few")
    texts = [text for text, _ in rows()]
    made = {one: kin_checkpoints.make(home / one, one, texts) for one in kin_checkpoints.TOKENIZERS}
    torch.manual_seed(0)
    tokenizer = kin_checkpoints.wordpiece(texts)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=62, **sizes)).save_pretrained(
        home / "words"
    )
    tokenizer.save_pretrained(home / "words")
    return made | {"words": home / "words"}


def table(path: Path, found, header=("text", "label")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *found])
    return path


def run(folder: Path, model: Path, data: Path, **more) -> dict:
    flags = {"dataset": data, "model": model, "few_labels": "true", "rows_per_label": 8, "output_dir": folder, **more}
    return classify_bert.main([*(str(one) for name, value in flags.items() for one in (f"--{name}", value)), *QUIET])


@pytest.mark.parametrize("family", list(kin_checkpoints.TOKENIZERS))
def test_the_block_on_top_takes_the_mean_of_the_tokens(family, checkpoints):
    """Of texts of two lengths in one batch, without the padding."""
    config, tokenizer = encoders.load_parts(str(checkpoints[family]))
    made = encoders.model_class(config, "AutoModelForSequenceClassification")
    model = loading.to_train(made, str(checkpoints[family]), config=config, head="classifier").eval()
    batch = tokenizer([rows()[0][0], rows()[1][0][:9]], return_tensors="pt", padding=True)
    with torch.no_grad():
        hidden = model.base_model(**batch).last_hidden_state
    real = batch["attention_mask"][..., None]
    mean = (hidden * real).sum(1) / real.sum(1)
    averaging.add(model)
    read = []
    averaging.last_layer(model).register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    with torch.no_grad():
        model(**batch)
    centred = [one - one.mean(1, keepdim=True) for one in (read[0], mean)]
    assert torch.cosine_similarity(*centred).min() > 0.98


def test_a_few_rows_make_a_classifier_that_stock_loads(checkpoints, tmp_path, capsys):
    data = table(tmp_path / "rows.csv", rows())
    model = checkpoints["words"]
    found = run(tmp_path / "run", model, data, rows_per_label=40, learning_rate=1e-3, max_steps=20)
    said = capsys.readouterr().out
    assert "rows_per_label: 80 of" in said
    assert "few labels: the encoder learns from pairs of 80 rows; a block more, 3 in all" in said
    assert "few rows:" not in said
    assert found["test"]["accuracy"] > 0.8  # half by chance: eight words decide
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == 3
    texts = [text for text, _ in rows(20, seed=3)]
    answers = list(Classifier(str(tmp_path / "run"), temperature=1.0)(texts))
    assert {one["label"] for one in answers} == {"good", "bad"}
    out, _ = export(tmp_path / "run")
    stock = BertForSequenceClassification.from_pretrained(out).eval()
    tokenizer = AutoTokenizer.from_pretrained(out)
    with torch.no_grad():
        logits = stock(**tokenizer(texts, return_tensors="pt", padding=True)).logits
    ours = torch.tensor([[one["probabilities"][name] for name in ("bad", "good")] for one in answers])
    torch.testing.assert_close(logits.softmax(1), ours, atol=2e-5, rtol=0)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(checkpoints, tmp_path, capsys):
    data, model = table(tmp_path / "rows.csv", rows()), checkpoints["words"]
    folders = [tmp_path / name for name in ("whole", "parts")]
    for folder in folders:
        found = run(
            folder, model, data, max_steps=4, save_steps=2, save_total_limit=5, max_test_rows=4, max_validation_rows=4
        )
    shutil.rmtree(folders[1] / "checkpoint-4")
    capsys.readouterr()
    assert (
        run(
            folders[1],
            model,
            data,
            max_steps=4,
            save_steps=2,
            save_total_limit=5,
            max_test_rows=4,
            max_validation_rows=4,
        )
        == found
    )
    assert f"resumed from {folders[1] / 'checkpoint-2'}" in capsys.readouterr().out
    whole, parts = ((folder / "model.safetensors").read_bytes() for folder in folders)
    assert whole == parts


def test_the_loss_is_that_of_the_paper():
    """Khosla et al., equation 2, written out row by row in float64."""
    torch.manual_seed(0)
    vectors, labels = torch.randn(7, 5), torch.tensor([0, 1, 0, 2, 1, 0, 1])  # the only row of label 2 has no pair
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).double()
    each = []
    for i in range(7):
        others = [j for j in range(7) if j != i]
        alike = [j for j in others if labels[j] == labels[i]]
        if alike:
            total = sum(torch.exp(unit[i] @ unit[a] / 0.1) for a in others)
            each.append(-sum(torch.log(torch.exp(unit[i] @ unit[p] / 0.1) / total) for p in alike) / len(alike))
    assert contrastive_loss(vectors, labels).item() == pytest.approx(float(sum(each) / len(each)), rel=1e-5)


def test_another_seed_draws_other_rows_and_the_same_one_the_same(tmp_path):
    lines = [*rows(), *((f"rare film number {number}", "rare") for number in range(5))]
    data = table(tmp_path / "rows.csv", lines)
    settings = ClassificationSettings(rows_per_label=8)
    drawn = [read_labelled(str(data), settings, seed=seed) for seed in (1, 1, 2)]
    texts = [sorted(one.splits["train"]["text"][:]) for one in drawn]
    assert texts[0] == texts[1] != texts[2]
    counts = {label: drawn[0].splits["train"]["label"][:].count(label) for label in ("good", "bad", "rare")}
    assert counts["good"] == counts["bad"] == 8
    assert 0 < counts["rare"] <= 5
    assert any(re.search("all rows are used of .?rare.?, which have fewer", note) for note in drawn[0].notes)


def test_few_rows_suggest_it(checkpoints, tmp_path, capsys):
    short = {"max_steps": 1, "rows_per_label": 9, "save_strategy": "no", "few_labels": "false"}
    run(tmp_path / "run", checkpoints["words"], table(tmp_path / "rows.csv", rows()), **short)
    assert "few rows: 9 of a label (median) to train on; --few_labels true is for so few" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lora_rank": 2}, "few_labels and lora_rank exclude one another"),
        ({"freeze_encoder": "true"}, "few_labels and freeze_encoder exclude one another"),
        ({"eval_strategy": "epoch"}, "no evaluation comes before: leave eval_strategy out"),
        ({"early_stopping_patience": 2}, "nothing to stop early by: leave early_stopping_patience out"),
        ({"gradient_accumulation_steps": 2}, "give --per_device_train_batch_size instead"),
        ({"problem_type": "regression", "rows_per_label": "null"}, "few_labels is for one label a row"),
        ({"problem_type": "regression"}, "rows_per_label is for one label a row.*max_train_rows instead"),
    ],
)
def test_what_does_not_go_with_it_is_refused(settings, says, checkpoints, tmp_path):
    number = settings.get("problem_type") == "regression"
    found = [(text, "1.5" if number else label) for text, label in rows(60)]
    with pytest.raises(UserError, match=says):
        run(tmp_path / "run", checkpoints["words"], table(tmp_path / "rows.csv", found), **settings)
