"""The model card: code that runs as it is pasted, what the Hub shows, and only what was in effect."""

import json
import re
import shutil
from pathlib import Path

import pytest
import small_checkpoints
import yaml

import hf_xfmr  # noqa: F401
from hf_xfmr.hub import card, card_metadata, card_tables, dual

RUN = {
    "settings": {
        "dataset": "reviews.csv",
        "model": "sample:minilm",
        "max_length": 24,
        "over_long": "head",
        "lora_alpha": 16,
        "lora_rank": None,
        "tokenizer": "wordpiece",
        "validation_fraction": 0.1,
        "strict": True,
    },
    "arguments": {"learning_rate": 1e-4, "num_train_epochs": 3.0, "max_steps": 50, "layer_decay": 1.0},
    "data": ["splits: train 80, validation 10, test 10", "cut of train: 0 of 80 rows, 0.00 % of tokens"],
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> Path:
    return small_checkpoints.make(tmp_path_factory.mktemp("card"))


def parts(folder: Path) -> tuple[dict, str]:
    _, header, body = folder.joinpath("README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(header), body


def pasted(body: str) -> str:
    """The first block of Python: how to use the model."""
    return re.search(r"```python\n(.*?)```", body, re.DOTALL)[1]


@pytest.mark.parametrize("kind", ["classifier", "tagger", "questions", "masked", "gpt2", "transformer"])
def test_the_first_code_of_a_folders_card_runs_as_it_stands(checkpoints, monkeypatch, capsys, kind):
    monkeypatch.chdir(checkpoints)
    card.write(Path(kind))
    _, body = parts(Path(kind))
    code = pasted(body)
    assert f'"{kind}"' in code
    exec(code, {})
    assert capsys.readouterr().out.strip()
    text = Path(kind, "README.md").read_text(encoding="utf-8")
    published = card.for_hub(text, None, "alice/model", dual.kind(Path(kind)))
    there = pasted(published.split("---\n", 2)[2])
    assert '"alice/model"' in there
    assert "hf_xfmr" not in there
    assert f'"{kind}"' not in there


def test_the_head_says_what_the_hub_shows_and_a_named_license_stays(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints / "classifier", tmp_path / "model")
    (folder / "run.json").write_text(json.dumps(RUN))
    worst = [{"text": "房间很干净，服务员也很热情。"}]
    figures = {"metrics": {"test": {"accuracy": 0.9, "r2": 0.5}}, "worst": worst}
    (folder / "report.json").write_text(json.dumps(figures))
    card.write(folder)
    head, body = parts(folder)
    assert head["license"] == "unknown"
    assert "No licence is named" in body
    assert head["language"] == "zh"
    assert head["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    (index,) = head["model-index"]
    assert {one["type"] for one in index["results"][0]["metrics"]} == {"accuracy", "r_squared"}
    assert "It was trained on at most 24 tokens at a time" in body
    card.write(folder, license="mit")
    assert parts(folder)[0]["license"] == "mit"
    card.write(folder)  # by a push that names none
    head, body = parts(folder)
    assert head["license"] == "mit"
    assert "No licence is named" not in body


def test_only_settings_in_effect_are_told():
    told = card_tables.training(RUN, RUN["settings"])
    assert set(told) == {"learning_rate", "max_steps", "dataset", "model", "max_length"}
    cut = RUN | {"data": ["cut of train: 7 of 80 rows, 3.00 % of tokens"]}
    assert "over_long" in card_tables.training(cut, RUN["settings"])


@pytest.mark.parametrize(
    ("text", "language"),
    [("房间很干净", "zh"), ("とても良かったです", "ja"), ("아주 좋았어요", "ko"), ("It was good", None), ("", None)],
)
def test_a_language_is_told_by_its_script_or_not_at_all(text, language):
    assert card_metadata.by_script([text]) == language
