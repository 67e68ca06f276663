"""A model with NaN or infinity in one word's vector: that word's rows are errors, the others are answered."""

import argparse
import csv
import importlib
import json

import pytest
import torch
from small_checkpoints import CLASSES, WORDS, make, said

import hf_xfmr
from hf_xfmr.commands import attention, fill, generate, predict, translate
from hf_xfmr.errors import UserError

GOOD, BAD = "good film", "bad film"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    return make(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(params=[float("nan"), float("inf")], ids=str)
def ruined(checkpoints, tmp_path, request):
    """Makes a copy of a checkpoint in which the vector of `bad` holds the number."""

    def make(name: str) -> str:
        model = getattr(hf_xfmr, CLASSES[name]).from_pretrained(checkpoints / name)
        with torch.no_grad():
            model.get_input_embeddings().weight[WORDS.index("bad")] = request.param
        for tokenizer in ("tokenizer.json", "tokenizer_config.json"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / tokenizer).write_bytes((checkpoints / name / tokenizer).read_bytes())
        model.save_pretrained(tmp_path / name)
        return str(tmp_path / name)

    return make


def run(command, *words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(word) for word in words]))


def strict(line: str) -> dict:
    """JSON as others read it, without NaN."""
    return json.loads(line, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_predict_answers_the_other_rows_and_names_the_one(ruined, capsys, tmp_path, name):
    model = ruined(name)
    with pytest.raises(UserError, match=rf"row 1 \({model} gives it numbers that are not finite") as end:
        run(predict, model, GOOD, BAD, GOOD)
    assert str(end.value).startswith("1 row has an `error`")
    answers = [strict(line) for line in capsys.readouterr().out.splitlines()]
    assert ["error" in one for one in answers] == [False, True, False]
    assert not {"label", "entities"} & set(answers[1])
    (tmp_path / "rows.csv").write_text(f"text\n{GOOD}\n{BAD}\n")
    for kind in ["jsonl"] + ["csv"] * (name == "classifier"):
        out = tmp_path / f"out.{kind}"
        with pytest.raises(UserError, match="row 1"):
            run(predict, model, "--file", tmp_path / "rows.csv", "--out", out)
        text = out.read_text()
        lines = map(strict, text.splitlines()) if kind == "jsonl" else csv.DictReader(text.splitlines())
        good, bad = lines
        assert "not finite" in bad["error"]
        assert not good.get("error")
        assert "nan" not in text.lower()


def test_fill_generate_and_translate_stop_at_the_first_row(ruined, capsys):
    """Their table of words is that of the answers too: no row has finite numbers."""
    for command, name, words in (
        (fill, "masked", ["good [MASK]", "bad [MASK]"]),
        (translate, "transformer", [GOOD, BAD, GOOD]),
        (generate, "gpt2", [BAD, "--max_new_tokens", "3"]),
        (generate, "gpt2", [BAD, GOOD, "--max_new_tokens", "3", "--temperature", "0"]),
    ):
        line = said(capsys, lambda command=command, name=name, words=words: run(command, ruined(name), *words))
        assert words[0] in line
        assert f"{name} gives it numbers that are not finite" in line


def test_the_row_of_a_batch_is_found(checkpoints, tmp_path, capsys):
    """With untied vectors, so that what the model writes does not depend on that of `bad`."""
    config = hf_xfmr.XfmrGPT2Config.from_pretrained(checkpoints / "gpt2", tie_word_embeddings=False)
    model = hf_xfmr.XfmrGPT2ForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[WORDS.index("bad")] = model.lm_head.weight[5]
        model.get_input_embeddings().weight[WORDS.index("bad")] = float("nan")
    model.save_pretrained(tmp_path)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((checkpoints / "gpt2" / file).read_bytes())
    words = [GOOD, "film", BAD, "--max_new_tokens", "1"]
    assert '"bad film" has no answer: ' in said(capsys, lambda: run(generate, tmp_path, *words))


def test_no_picture_is_drawn_of_nan(ruined, tmp_path, capsys):
    for name in ("masked", "gpt2", "transformer"):
        words = [ruined(name), BAD, *([GOOD] if name == "transformer" else ["--word", "film"])]
        out = tmp_path / "picture.png"
        assert BAD in said(capsys, lambda words=words, out=out: run(attention, *words, "--out", out))
        assert not out.exists()


def test_what_a_run_records_is_json_too(tmp_path):
    report = importlib.import_module("hf_xfmr.report")
    made = report.plain({"a": [float("nan"), {"b": float("inf")}], "c": 1.5})
    assert made == {"a": [None, {"b": None}], "c": 1.5}
