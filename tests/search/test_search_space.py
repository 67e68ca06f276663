"""What is tried, by task, by size of the model, and by what it begins from."""

import pytest

from hf_xfmr.errors import UserError
from hf_xfmr.search import given, space

FACTS = {
    "recipe": "classify_bert", "rows": 8000, "longest": 100, "width": 384, "positions": 512,
    "dropout_field": "hidden_dropout_prob",
    "learning_rate": 1e-4, "num_train_epochs": 1.0, "per_device_train_batch_size": 32, "tokens_per_batch": None,
    "warmup_steps": 0.1, "layer_decay": 1.0, "dropout": 0.1, "max_length": 128, "model_config": None,
    "from_checkpoint": True, "frozen": False, "lora": False,
    "settings": ["label_smoothing_factor", "learning_rate", "model", "weight_decay"],
}  # fmt: skip


def test_a_narrow_model_is_tried_with_higher_rates():
    narrow = space.of_facts(FACTS)["learning_rate"]
    wide = space.of_facts({**FACTS, "width": 768, "learning_rate": 3e-5})["learning_rate"]
    assert narrow["low"] == 2 * wide["low"]
    assert narrow["high"] == 2 * wide["high"]


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.9), ("num_train_epochs", 30.0), ("dropout", 0.8)])
def test_what_the_configuration_says_lies_in_its_range(name, value):
    one = space.of_facts({**FACTS, name: value})[name]
    assert one["low"] <= value <= one["high"]


def test_only_lengths_that_cut_something_are_tried_and_one_that_does_not():
    assert space.of_facts(FACTS)["max_length"]["of"] == [64, 128]
    assert "max_length" not in space.of_facts({**FACTS, "longest": 20, "max_length": None})
    assert space.of_facts({**FACTS, "longest": 400, "max_length": None})["max_length"]["of"] == [64, 128, 256, 512]


def test_what_a_recipe_does_not_take_is_not_tried():
    frozen = space.of_facts({**FACTS, "frozen": True})
    assert {"layer_decay", "dropout"}.isdisjoint(frozen)
    text = space.of_facts({**FACTS, "recipe": "finetune_gpt2", "from_checkpoint": False})
    assert {"num_train_epochs", "layer_decay", "max_length"}.isdisjoint(text)
    tagger = space.of_facts({**FACTS, "recipe": "tag_bert"})  # whose checkpoint keeps its dropout
    assert "dropout" not in tagger
    translator = space.of_facts({**FACTS, "recipe": "translate", "tokens_per_batch": 4096, "warmup_steps": 4000})
    assert "per_device_train_batch_size" not in translator
    assert translator["tokens_per_batch"]["of"] == [2048, 4096, 8192]
    assert translator["warmup_steps"] == {"kind": "int", "low": 1000, "high": 8000}


def test_dropout_is_a_field_of_the_models_config():
    facts = {**FACTS, "model_config": {"hidden_size": 64}}
    assert space.as_settings({"dropout": 0.2, "learning_rate": 1e-4}, facts) == {
        "learning_rate": 1e-4,
        "model_config": {"hidden_size": 64, "hidden_dropout_prob": 0.2},
    }


def test_a_range_of_ones_own():
    found = space.chosen(
        space.of_facts(FACTS),
        [],
        ["weight_decay=0:0.1", "num_train_epochs=1:9", "learning_rate=1e-5:1e-2"],
        FACTS,
    )
    assert found["weight_decay"] == {"kind": "float", "low": 0.0, "high": 0.1}
    assert found["num_train_epochs"] == {"kind": "int", "low": 1, "high": 9}
    assert found["learning_rate"]["kind"] == "log"


@pytest.mark.parametrize(
    ("name", "says"),
    [("weight_decai", "did you mean 'weight_decay'"), ("zzz", "--help all lists them"), ("dropout", "keeps its own")],
)
def test_a_range_of_no_setting_is_refused_before_the_first_trial(name, says):
    facts = {**FACTS, "recipe": "tag_bert"}
    with pytest.raises(UserError, match=f"--range {name}: tag_bert has no such setting; .*{says}"):
        space.chosen(space.of_facts(facts), [], [f"{name}=0:0.1"], facts)


def test_the_words_of_train_are_the_words_of_a_search():
    ready = given.as_of_train("classify", ["--config", "movie-reviews", "--max_train_rows", "9"])
    assert ready[0].endswith("movie-reviews.yaml")
    assert ready[1] == ["--max_train_rows", "9"]
    assert given.as_of_train("classify", ["--dataset", "a.csv"]) == ("classify", ["--dataset", "a.csv"])
    with pytest.raises(UserError, match="is no file and no ready configuration"):
        given.as_of_train("classify", ["--config=movie-review"])


def test_flags_are_read_as_settings():
    words = ["--learning_rate", "1e-4", "--bf16=false", "--strict", "--model", "sample:minilm"]
    assert given.of_flags(words) == {"learning_rate": 1e-4, "bf16": False, "strict": True, "model": "sample:minilm"}
    with pytest.raises(UserError, match="'stray' is no flag"):
        given.of_flags(["stray"])
