"""What Python gets when something is wrong, stopped or called twice: exceptions, and a process as it was."""

import asyncio
import enum
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from places import ROOT
from small_calls import BERT, QUICK, in_a_thread, reviews
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
        ({"config": "movie-review"}, "did you mean 'movie-reviews'?"),
    ],
)
def test_a_mistake_is_an_exception_of_one_sentence_and_leaves_nothing(settings, message, tmp_path):
    held = lock.held()  # by tests before, whose runs were called as scripts
    with pytest.raises(hf_xfmr.UserError) as raised:
        hf_xfmr.classify(reviews(), **{**SETTINGS, **settings})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert lock.held() <= held
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


@pytest.mark.slow
def test_the_same_call_goes_on_and_other_rows_have_a_folder_of_their_own():
    held = lock.held()
    before = signal.getsignal(signal.SIGINT)
    first = hf_xfmr.classify(reviews(), **SETTINGS)
    again = hf_xfmr.classify(reviews().reset_index(drop=True), **SETTINGS, strict=False)
    assert again.folder == first.folder
    assert again.metrics == first.metrics
    assert lock.held() == held
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
    ended = threading.Event()  # a call that fails leaves no checkpoint to wait for

    def interrupt():
        while not list(out.glob("checkpoint-*")):
            if ended.wait(0.02):
                return
        os.kill(os.getpid(), signal.SIGINT)

    held = lock.held()
    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt, match="the same call goes on"):
            hf_xfmr.classify(reviews(), output_dir=out, **settings)
    finally:
        ended.set()
    assert signal.getsignal(signal.SIGINT) is before
    assert lock.held() == held
    steps = max(int(one.name.partition("-")[2]) for one in out.glob("checkpoint-*"))
    assert 10 <= steps < 120
    with pytest.raises(hf_xfmr.UserError, match="a run that has ended"):
        hf_xfmr.load_run(out)
    whole = hf_xfmr.classify(reviews(), output_dir=out, **{**settings, "save_steps": 100})
    assert whole.record["log_history"][-1]["step"] == 120


def test_in_a_thread_and_one_at_a_time():
    found = in_a_thread(lambda: hf_xfmr.classify(reviews(), **SETTINGS))
    assert found.metrics["test"]
    with door.entered(), pytest.raises(hf_xfmr.UserError, match="another run of this process has not ended"):
        hf_xfmr.classify(reviews(), **SETTINGS)
    assert hf_xfmr.classify(reviews(), **SETTINGS).folder == found.folder
    with pytest.raises(hf_xfmr.UserError, match="unknown setting"):
        in_a_thread(lambda: hf_xfmr.classify(reviews(), max_step=3))


def test_within_a_running_event_loop():
    async def cell():
        return hf_xfmr.classify(reviews(), **SETTINGS).predict(["good"])

    assert list(asyncio.run(cell())["text"]) == ["good"]


def test_a_call_gives_the_process_back_as_it_was():
    """Its numbers are its own, whatever ran before; and what is drawn afterwards is what would have been drawn."""

    def state():
        loggers = {name: logging.getLogger(name).level for name in ("", "transformers", "datasets", "hf_xfmr")}
        handlers = {name: list(logging.getLogger(name).handlers) for name in loggers}
        exact = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
        signals = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
        told = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        return loggers, handlers, exact, signals, told, sys.excepthook, list(sys.argv), Path.cwd()

    def drawn():
        return random.random(), np.random.rand(), torch.rand(1).item()

    first = hf_xfmr.classify(reviews(), output_dir="first", **SETTINGS)
    before = state()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    expected = drawn()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    odd = {"full_determinism": True, "log_level": "error", "seed": 7, "hub_token": "hf_none"}
    hf_xfmr.classify(reviews(), output_dir="other", **SETTINGS, **odd)
    with pytest.raises(hf_xfmr.UserError):
        hf_xfmr.classify(reviews(), output_dir="wrong", **{**SETTINGS, **odd, "label_column": "none"})
    assert drawn() == expected
    assert state() == before
    again = hf_xfmr.classify(reviews(), output_dir="again", **SETTINGS)
    assert again.metrics == first.metrics


@pytest.mark.slow
def test_a_fresh_program_keeps_its_own_hook_for_errors():
    """A recipe's program ends with one line whatever is wrong: not so that of whoever calls from Python."""
    program = (
        "import sys, hf_xfmr\nmine = sys.excepthook = lambda *error: print('mine', error[0].__name__)\n"
        "hf_xfmr.settings('classify')\nassert sys.excepthook is mine\nhf_xfmr.load_run('nowhere')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "mine UserError", done.stderr


def test_rows_that_nothing_can_be_learned_of(tmp_path):
    empty = reviews(0)
    for rows in (empty, [], {"train": empty}):
        with pytest.raises(hf_xfmr.UserError) as raised:
            hf_xfmr.classify(rows, **SETTINGS)
        assert "row" in str(raised.value)
        assert "\n" not in str(raised.value)
    frame = reviews()
    for rows, what in ((7, "int"), (frame["stars"], "single column"), (dict(frame.items()), "single column")):
        with pytest.raises(hf_xfmr.UserError, match=what):
            hf_xfmr.classify(rows, **SETTINGS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine", encoding="utf-8")
    hf_xfmr.classify(reviews(), output_dir="full", **SETTINGS)
    assert (tmp_path / "full" / "thesis.txt").read_text(encoding="utf-8") == "mine"
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(hf_xfmr.UserError, match="file"):
        hf_xfmr.classify(reviews(), output_dir="file", **SETTINGS)


def test_a_folder_that_holds_no_run(tmp_path):
    with pytest.raises(hf_xfmr.UserError, match=r"nowhere holds no run\.json"):
        hf_xfmr.load_run("nowhere")
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(hf_xfmr.UserError):
        hf_xfmr.load_run(tmp_path)


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
    ready = Call("classify", "movie-reviews", {})
    assert ready.config.name == "movie-reviews.yaml"
    assert str(ready).startswith("hf_xfmr.classify(config='")


@pytest.mark.parametrize("function", ["classify", "tag", "answer", "gpt2", "pretrain", "translate"])
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
