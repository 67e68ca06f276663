"""What says how far long work has come, on a terminal and where nothing moves."""

import os
import pty
import subprocess
import sys
import termios

import pytest

from hf_xfmr import progress


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have gone, to be moved on."""
    gone = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: gone[0])
    return gone


def test_without_a_terminal_long_work_says_a_plain_line_now_and_then(clock, capsys):
    for _ in progress.progress(range(10), what="predict", unit="row", mininterval=0):
        clock[0] += progress.EVERY / 3
    said = capsys.readouterr().err
    assert "\r" not in said
    lines = said.splitlines()
    assert len(lines) == 3
    assert [line.partition(", ")[0] for line in lines] == ["predict: 30 %", "predict: 60 %", "predict: 90 %"]
    assert " 3 of 10 rows, " in lines[0]
    assert "gone" in lines[0]
    assert "left" in lines[0]


def test_a_figure_that_changes_is_no_line_of_its_own(clock, capsys):
    with progress.progress(total=1000, what="training", unit="step") as bar:
        for step in range(1000):
            bar.set_postfix({"loss": f"{step}"})
            bar.update(1)
        clock[0] += progress.EVERY
        bar.set_postfix({"loss": "0.25"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("training: 100 %, 1000 of 1000 steps, ")
    assert line.endswith("loss=0.25")


def test_work_that_is_soon_done_or_without_an_end_says_what_there_is(clock, capsys):
    assert list(progress.progress([1, 2], what="read", unit="text")) == [1, 2]
    assert capsys.readouterr().err == ""
    for _ in progress.progress(iter(range(4)), what="read", unit="text", mininterval=0):
        clock[0] += progress.EVERY
    assert capsys.readouterr().err.startswith("read: 1 texts, ")


def test_on_a_terminal_it_is_a_bar():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    code = "from hf_xfmr.progress import progress\nfor _ in progress(range(3), what='predict', unit='row'): pass"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=os.environ)
    assert process.wait(60) == 0
    os.close(theirs)
    said = os.read(ours, 10_000).decode()
    assert "\r" in said
    assert "100%|" in said
