"""From Python: rows in, a run out, for each of the five recipes; asked, shown, and loaded again elsewhere."""

import html
import json
import re
import subprocess
import sys

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from places import ROOT
from small_calls import BERT, CALLS, GPT2, QUICK, reviews, texts

import hf_xfmr
from hf_xfmr.data.given import GivenRows
from hf_xfmr.data.row_hash import hash_of

ASKED = {
    "classify": ("predict", ["a b good", "c bad"], {}),
    "tag": ("predict", ["Mr Li is in Rome 7", "nobody"], {}),
    "answer": ("predict", [{"question": "Who is in Rome?", "context": "Mr Li is in Rome"}], {}),
    "gpt2": ("generate", ["the quick"], {"max_new_tokens": 4, "temperature": 0}),
    "pretrain": ("fill", ["the [MASK] fox"], {"top_k": 2}),
    "translate": ("translate", ["a b c", ""], {}),
}
COLUMNS = {
    "classify": ["text", "label", "probability", "p_1", "p_5"],
    "tag": ["text", "entities"],
    "answer": ["text", "text_pair", "answer", "probability", "start", "end", "no_answer_probability"],
    "gpt2": ["prompt", "text"],
    "pretrain": ["text", "masks", "filled"],
    "translate": ["text", "translation"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each recipe, in the folder that it takes by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        made = {}
        for name, call in CALLS.items():
            rows, settings = call()
            made[name] = getattr(hf_xfmr, name)(rows, **settings, **QUICK)
            made[name].folder = made[name].folder.absolute()
        return made


@pytest.mark.parametrize("name", CALLS)
def test_a_run_has_figures_a_model_and_a_report(runs, name):
    run = runs[name]
    assert re.fullmatch(f"{name}-[0-9a-f]{{8}}", run.folder.name)
    for split, figures in run.metrics.items():
        assert split in ("validation", "test", "baseline")
        assert all(isinstance(figure, int | float) for figure in figures.values())
    assert run.metrics["validation"]
    method, texts, options = ASKED[name]
    answers = getattr(run, method)(texts, **options)
    assert isinstance(answers, pd.DataFrame)
    assert list(answers.columns) == COLUMNS[name]
    assert len(answers) == len(texts)
    assert type(run.model).__name__.startswith("Xfmr")
    assert run.tokenizer is not None
    assert str(run.folder) in repr(run)
    other = "predict" if method != "predict" else "translate"
    with pytest.raises(AttributeError, match=rf"can't {other}.*\.{method}"):
        getattr(run, other)


@pytest.mark.parametrize("name", CALLS)
def test_the_report_is_shown_in_a_frame_of_its_own(runs, name):
    report = runs[name].report
    frame = report._repr_html_()
    page = (runs[name].folder / "report.html").read_text(encoding="utf-8")
    (inside,) = re.findall(r'^<iframe srcdoc="([^"]*)"[^>]*></iframe>$', frame)
    assert html.unescape(inside) == page
    assert "report.html" in repr(report)


@pytest.mark.parametrize("name", CALLS)
def test_the_record_says_how_it_was_called_and_on_what(runs, name):
    record = json.loads((runs[name].folder / "run.json").read_text(encoding="utf-8"))
    assert record["command"].startswith(f"hf_xfmr.{name}(")
    assert re.fullmatch(r"a (DataFrame|list|dict): train \d+ rows [0-9a-f]{16}.*", record["settings"]["dataset"])
    assert f"dataset=<{record['settings']['dataset']}>" in record["command"]
    recipe = {"classify": "classify_bert", "tag": "tag_bert", "answer": "answer_bert"}
    recipe |= {"gpt2": "finetune_gpt2", "pretrain": "pretrain_bert"}
    assert record["recipe"] == recipe.get(name, name)


@pytest.mark.slow
def test_the_same_runs_in_a_fresh_process(runs):
    asked = {str(runs[name].folder): ASKED[name] for name in CALLS}
    program = (
        f"import hf_xfmr, json\nfound = []\nfor folder, (method, texts, options) in {asked!r}.items():\n"
        "    run = hf_xfmr.load_run(folder)\n    answers = getattr(run, method)(texts, **options)\n"
        "    found.append([run.metrics, json.loads(answers.to_json(orient='records'))])\nprint(json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for (metrics, answers), (name, run) in zip(json.loads(done.stdout.splitlines()[-1]), runs.items(), strict=True):
        method, texts, options = ASKED[name]
        here = json.loads(getattr(run, method)(texts, **options).to_json(orient="records"))
        assert metrics == run.metrics, name
        assert answers == here, name


def test_rows_are_answered_with_their_index_and_the_columns_of_the_run(runs):
    frame = reviews()[:5]
    answers = runs["classify"].predict(frame)
    assert list(answers.index) == list(frame.index)
    assert list(answers["text"]) == list(frame["what they said"])
    assert set(frame.join(answers)["label"]) <= {"1", "5"}
    alone = runs["classify"].predict(frame["what they said"])
    pd.testing.assert_frame_equal(alone, answers)
    told = runs["classify"].predict(frame.rename(columns={"what they said": "x"}), text_column="x")
    pd.testing.assert_frame_equal(told, answers)
    with pytest.raises(hf_xfmr.UserError, match="text_column"):
        runs["classify"].predict(frame.rename(columns={"what they said": "x"}))


def test_what_has_no_answer_keeps_its_row_and_is_told(runs):
    texts = pd.Series(["good", None, " ", "bad"], index=list("wxyz"))
    with pytest.warns(UserWarning, match=r"2 rows have an `error`"):
        answers = runs["classify"].predict(texts)
    assert list(answers.index) == list("wxyz")
    assert list(answers["error"].isna()) == [True, False, False, True]
    assert list(answers["label"].isna()) == [False, True, True, False]
    for nothing in ([], reviews()[:0]):
        none = runs["classify"].predict(nothing)
        assert (len(none), list(none.columns)) == (0, COLUMNS["classify"])
    with pytest.raises(hf_xfmr.UserError, match="text 2 is no text but int"):
        runs["classify"].predict(["good", 7])


@pytest.mark.slow
def test_a_run_is_a_model_to_go_on_from_and_several_seeds_are_several_runs(runs, tmp_path):
    several = hf_xfmr.classify(
        reviews(), model=runs["pretrain"], label_column="stars", seeds=(1, 2), output_dir=tmp_path / "two", **QUICK
    )
    assert several.runs[1].record["settings"]["model"] == str(runs["pretrain"].folder)
    assert [run.folder for run in several.runs.values()] == [tmp_path / "two" / f"seed-{seed}" for seed in (1, 2)]
    figures = [run.metrics["test"]["accuracy"] for run in several.runs.values()]
    assert several.metrics["test"]["accuracy"] == pytest.approx(sum(figures) / 2)
    assert several.deviations["test"]["accuracy"] >= 0
    assert repr(hf_xfmr.load_run(tmp_path / "two")) == repr(several)


def test_check_only_gives_what_was_found_and_leaves_nothing(tmp_path):
    frame = reviews()
    frame.loc[1000, "what they said"] = frame.loc[1001, "what they said"] = "twice the same text good"
    frame.loc[[1000, 1001], "stars"] = 5
    out = tmp_path / "out"
    found = hf_xfmr.classify(
        frame, model_config=BERT, label_column="stars", check_only=True, output_dir=out, validation_fraction=0.0,
        test_fraction=0.0, eval_strategy="no", **QUICK,
    )  # fmt: skip
    assert any("repeat" in message for message in found["message"])
    assert not out.exists()


def test_the_same_rows_in_other_clothes_are_the_same_run(runs):
    """A DataFrame of pandas', rows, columns, an Arrow table and a Dataset: one hash, so one folder, done already."""
    rows, settings = CALLS["classify"]()
    rows = rows.reset_index(drop=True)
    clothes = [
        rows.to_dict("records"),
        rows.to_dict("list"),
        pa.Table.from_pandas(rows),
        datasets.Dataset.from_pandas(rows),
        datasets.DatasetDict(train=datasets.Dataset.from_pandas(rows)),
    ]
    hashes = {hash_of(GivenRows(one).splits["train"]) for one in (rows, *clothes)}
    assert len(hashes) == 1
    for one in clothes[:4:3]:
        again = hf_xfmr.classify(one, output_dir=runs["classify"].folder, **settings, **QUICK)
        assert again.metrics == runs["classify"].metrics


def test_a_tokenizer_alone_which_a_run_then_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = hf_xfmr.train_tokenizer(texts(), kind="bpe", vocab_size=300, model_max_length=32)
    assert made.tokenizer.decode(made.tokenizer("the fox")["input_ids"], skip_special_tokens=True) == "the fox"
    assert made.metrics["unknown_rate"] == 0
    assert re.fullmatch("train_tokenizer-[0-9a-f]{8}", made.folder.name)
    assert "unknown" in repr(made)
    run = hf_xfmr.gpt2(texts(), model_config=GPT2, tokenizer=made, **QUICK)
    assert run.tokenizer.get_vocab() == made.tokenizer.get_vocab()
    assert "kind" in hf_xfmr.settings("train_tokenizer").index
    with pytest.raises(hf_xfmr.UserError, match="did you mean 'vocab_size'"):
        hf_xfmr.train_tokenizer(texts(), kind="bpe", vocabsize=300, model_max_length=32)
    with pytest.raises(hf_xfmr.UserError, match="bpe"):
        hf_xfmr.train_tokenizer(texts(), kind="bep", vocab_size=300, model_max_length=32)
