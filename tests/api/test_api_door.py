"""What Python gets when something is wrong, stopped or called twice: exceptions, and a process as it was."""

import enum
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_calls import BERT, QUICK, reviews
from transformers import IntervalStrategy

import hf_xfmr
from hf_xfmr.api import door
from hf_xfmr.run import program
from hf_xfmr.run.call import Call
from hf_xfmr.training import lock

SETTINGS = {"model_config": BERT, "label_column": "stars", "baseline": False, **QUICK}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_step": 2}, "unknown setting 'max_step'; did you mean 'max_steps'?"),
        ({"qqqq": 2}, "unknown setting 'qqqq'; hf_xfmr.settings('classify') lists them"),
        ({"max_steps": "two"}, "max_steps must be a whole number, not 'two'"),
        ({"label_column": 3}, "label_column must be a text, not 3: put it in quotes"),
        ({"model_config": {"hidden": 3}}, "model_config: unknown field 'hidden'"),
        ({"label_column": "star"}, 'label_column is "star", but the dataset has no such column'),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"config": "none.yaml"}, "none.yaml"),
    ],
)
def test_a_mistake_is_an_exception_of_one_sentence_and_leaves_nothing(settings, message, tmp_path):
    with pytest.raises(hf_xfmr.UserError) as raised:
        hf_xfmr.classify(reviews(), **{**SETTINGS, **settings})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert lock.held() == set()
    assert list(tmp_path.rglob("*/classify-*")) == []


def test_the_sentence_is_that_of_the_command(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("text,x\na,b\n" * 3, encoding="utf-8")
    for dataset in ("nowhere.csv", "rows.csv"):
        flags = ["--dataset", dataset, "--model_config", str(BERT), "--output_dir", "out"]
        with pytest.raises(SystemExit):
            program.run(partial(door.recipe("classify").main, flags))
        printed = capsys.readouterr().err.strip().splitlines()[-1]
        lock.release("out")
        with pytest.raises(hf_xfmr.UserError) as raised:
            hf_xfmr.classify(dataset, model_config=BERT, output_dir="out")
        assert printed == f"error: {raised.value}"


def test_what_else_goes_wrong(monkeypatch):
    """What a user can put right is a UserError, too; a fault of ours comes as it is, and says so."""

    def fails(error):
        def main(call):
            raise error

        monkeypatch.setattr(door.recipe("classify"), "main", main)
        hf_xfmr.classify(reviews())

    with pytest.raises(hf_xfmr.UserError, match="the memory does not suffice"):
        fails(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    with pytest.raises(hf_xfmr.UserError, match="free some space"):
        fails(OSError(28, "No space left on device", "/tmp/x"))
    with pytest.raises(ZeroDivisionError) as raised:
        fails(ZeroDivisionError("by zero"))
    assert "please report it" in raised.value.__notes__[0]


def test_the_same_call_goes_on_and_other_rows_have_a_folder_of_their_own():
    before = signal.getsignal(signal.SIGINT)
    first = hf_xfmr.classify(reviews(), **SETTINGS)
    again = hf_xfmr.classify(reviews().reset_index(drop=True), **SETTINGS, strict=False)
    assert again.folder == first.folder
    assert again.metrics == first.metrics
    assert lock.held() == set()
    other = hf_xfmr.classify(reviews(90), **SETTINGS)
    assert other.folder != first.folder
    with pytest.raises(hf_xfmr.UserError, match=r"checkpoint-2.*dataset|checkpoint-2.*rows"):
        hf_xfmr.classify(reviews(90), **SETTINGS, output_dir=first.folder)
    assert hf_xfmr.load_run(first.folder).metrics == first.metrics
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_interrupted_it_saves_and_the_same_call_goes_on(tmp_path):
    out = tmp_path / "out"
    settings = {**SETTINGS, "max_steps": 120, "save_strategy": "steps", "save_steps": 10, "eval_strategy": "no"}

    def interrupt():
        while not list(out.glob("checkpoint-*")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt, match="the same call goes on"):
        hf_xfmr.classify(reviews(), output_dir=out, **settings)
    assert signal.getsignal(signal.SIGINT) is before
    assert lock.held() == set()
    steps = max(int(one.name.partition("-")[2]) for one in out.glob("checkpoint-*"))
    assert 10 <= steps < 120
    ended = hf_xfmr.classify(reviews(), output_dir=out, **{**settings, "save_steps": 100})
    assert ended.record["log_history"][-1]["step"] == 120


def test_in_a_thread_and_one_at_a_time():
    found = []
    thread = threading.Thread(target=lambda: found.append(hf_xfmr.classify(reviews(), **SETTINGS)))
    thread.start()
    thread.join()
    assert found[0].metrics["test"]
    with door.entered(), pytest.raises(hf_xfmr.UserError, match="another run of this process has not ended"):
        hf_xfmr.classify(reviews(), **SETTINGS)
    assert hf_xfmr.classify(reviews(), **SETTINGS).folder == found[0].folder


def test_values_of_python_are_taken_as_yamls(tmp_path):
    class Kind(enum.Enum):
        WINDOWS = "windows"

    given = {
        "learning_rate": np.float64(1e-3),
        "max_length": np.int64(9),
        "over_long": Kind.WINDOWS,
        "eval_strategy": IntervalStrategy.NO,
        "seeds": (1, 2),
        "output_dir": Path("here"),
        "class_weights": {1: 2.0, "5": 1},
        "max_steps": 5.0,
    }
    call = Call("classify", None, given)
    taken = {name: {int, float, str, list} for name in given} | {"class_weights": {str}, "max_steps": {int}}
    assert call.read(taken) == {
        "learning_rate": 1e-3,
        "max_length": 9,
        "over_long": "windows",
        "eval_strategy": "no",
        "seeds": [1, 2],
        "output_dir": "here",
        "class_weights": '{"1": 2.0, "5": 1}',
        "max_steps": 5,
    }
    told = str(Call("classify", "a.yaml", {"hub_token": "secret", "dataset": reviews(3), "model": "m"}))
    assert "secret" not in told
    assert told.startswith(
        "hf_xfmr.classify(config='a.yaml', hub_token='…', model='m', dataset=<a DataFrame: train 3 rows"
    )


def test_a_config_lies_under_the_keywords(tmp_path):
    text = f"model_config: {BERT}\nlabel_column: nothing\nmax_steps: 9\noutput_dir: told\n"
    (tmp_path / "mine.yaml").write_text(text.replace("'", ""), encoding="utf-8")
    run = hf_xfmr.classify(reviews(), config="mine.yaml", **{**SETTINGS, "model_config": BERT})
    assert run.folder == Path("told")
    assert run.record["arguments"]["max_steps"] == 2
    assert run.record["settings"]["label_column"] == "stars"


@pytest.mark.parametrize("function", ["classify", "tag", "gpt2", "pretrain", "translate"])
def test_the_table_of_settings(function):
    table = hf_xfmr.settings(function)
    assert {"dataset", "model", "learning_rate", "seeds", "check_only"} <= set(table.index)
    assert table.index.is_unique
    assert table.loc["learning_rate", "type"] == "a number"
    assert table.loc["per_device_train_batch_size", "default"] == 32
    assert "sample:" in table.loc["dataset", "help"]
    assert ("tokens_per_batch" in table.index) == (function == "translate")
    with pytest.raises(hf_xfmr.UserError, match="did you mean"):
        hf_xfmr.settings(function[:-1] + "x" if function != "tag" else "tagg")
