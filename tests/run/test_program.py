"""The one door of every program: what goes wrong is one line and an exit code, and its own trouble changes nothing."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from hf_xfmr.errors import UserError
from hf_xfmr.run import program

PYTHON = [sys.executable, "-m", "hf_xfmr"]


def ends(error, capsys, *flags: str, monkeypatch=None) -> tuple[int, str]:
    """The exit code of a program that raises `error`, and what it says."""

    def fails():
        raise error

    if monkeypatch is not None:
        monkeypatch.setattr(sys, "argv", ["recipe.py", *flags])
    with pytest.raises(SystemExit) as ended:
        program.run(fails)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("x.csv: no rows; give some"), "error: x.csv: no rows; give some"),
        (MemoryError(), "error: the memory does not suffice (MemoryError): take smaller batches"),
        (RuntimeError("CPUAllocator: can't allocate memory"), "error: the memory does not suffice (CPUAllocator"),
        (RecursionError("maximum recursion depth exceeded"), "error: something in the input is nested too deep"),
        (UnicodeEncodeError("ascii", "这", 0, 1, "ordinal not in range"), "error: a text can't be written as ascii"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "error: a text is not utf-8 (byte 0)"),
        (ModuleNotFoundError("No module named 'wandb'", name="wandb"), "error: what was asked for needs the package w"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"), "error: No space left on device at runs/a: free"),
        (PermissionError(errno.EACCES, "Permission denied", "runs/a"), "error: runs/a: Permission denied; check"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", b"a\xff"), "error: a�: Is a directory; check"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "error: BrokenPipeError: [Errno 32] Broken pipe; this is"),
        (ValueError("a\x1b[31m\nb"), "error: ValueError: a\\x1b[31m b; this is a fault of hf_xfmr"),
    ],
)  # fmt: skip
def test_any_error_is_one_line_and_exit_code_2(error, said, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(program, "_nobody_reads", lambda: False)  # a pipe that is not standard output's
    code, words = ends(error, capsys, monkeypatch=monkeypatch)
    assert code == 2, words
    assert words.startswith(said), words
    assert words.count("\n") == 1, words
    assert bool(list(tmp_path.iterdir())) == ("fault of hf_xfmr" in words)


def test_an_error_whose_own_text_fails(capsys, monkeypatch):
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    code, words = ends(Odd(), capsys, monkeypatch=monkeypatch)
    assert code == 2, words
    assert words.startswith("error: Odd (and RuntimeError while telling of it)"), words


def test_a_fault_goes_into_a_file_without_passwords_and_tokens(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    token = "hf_" + "a1B2" * 8
    code, words = ends(
        KeyError(f"https://me:secret@example.org/x {token}"), capsys, "--hub_token", token, monkeypatch=monkeypatch
    )
    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert code == 2
    assert str(file) in words
    assert "Traceback" in text
    assert "KeyError" in text
    assert "recipe.py --hub_token '…'" in text
    assert "transformers" in text
    assert "secret" not in words + text
    assert token not in text


def test_a_fault_without_a_folder_for_temporary_files(capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    code, words = ends(ZeroDivisionError("division by zero"), capsys, monkeypatch=monkeypatch)
    assert code == 2, words
    assert "please report it with what the same command prints with --traceback" in words, words


def test_traceback_is_taken_from_the_arguments_and_printed(capsys, monkeypatch):
    code, words = ends(UserError("wrong"), capsys, "--traceback", "--seed", "1", monkeypatch=monkeypatch)
    assert code == 2
    assert "Traceback (most recent call last)" in words
    assert words.endswith("error: wrong\n")
    assert sys.argv == ["recipe.py", "--seed", "1"]
    code, words = ends(ZeroDivisionError("zero"), capsys, "--traceback", monkeypatch=monkeypatch)
    assert "report it with the traceback above" in words


def test_what_adopt_runs_keeps_its_own_traceback_flag(monkeypatch):
    for words, taken in (
        (["adopt", "--traceback", "script.py"], True),
        (["adopt", "script.py", "--traceback"], False),
        (["predict", "model", "--", "--traceback"], False),
    ):
        monkeypatch.setattr(sys, "argv", ["hf_xfmr", *words])
        assert program._take_traceback() is taken, words
        assert ("--traceback" in sys.argv) is not taken


def test_ctrl_c_while_a_command_still_imports(tmp_path):
    """At any time from its start on: one line, and the exit code of a shell."""
    spoken = 0
    for seconds in (0.4, 1.2, 2.5):  # of CPU time, which tells where it is on a busy machine too
        process = subprocess.Popen(
            [*PYTHON, "predict", "sample:no", "text"], stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # as in a terminal
        )  # fmt: skip
        while process.poll() is None and sum(psutil.Process(process.pid).cpu_times()[:2]) < seconds:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        words = process.communicate(timeout=60)[1]
        assert "Traceback" not in words, words
        assert words.count("\n") == 1, words
        assert (process.returncode, words[:8]) in ((130, "stopped;"), (-2, "stopped;"), (2, "error: '")), (
            process.returncode,
            words,
        )
        spoken += process.returncode in (130, -2)
    assert spoken


def test_a_reader_that_goes_away_ends_a_command_quietly():
    words = "from hf_xfmr.run import program\nprogram.run(lambda: [print('line' * 99) for _ in range(9999)])"
    listed = subprocess.Popen(
        [sys.executable, "-c", words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    listed.stdout.readline()
    listed.stdout.close()
    words = listed.stderr.read()
    assert listed.wait(timeout=60) == 141
    assert words == ""


@pytest.mark.parametrize("closed", [1, 2])
def test_closed_streams(closed):
    """`>&-` and `2>&-`: an error is still an exit code, and nothing else goes wrong."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *PYTHON, "push"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert closed == 2 or done.stderr.startswith("error: the following arguments"), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_onto_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PYTHON, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: No space left on device"), done.stderr


def test_a_terminal_that_has_no_chinese():
    done = subprocess.run(
        [sys.executable, "-c", "from hf_xfmr.run import program\nprogram.run(lambda: print('这个'))"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "\\u8fd9\\u4e2a\n")


def test_the_list_of_commands_comes_at_once():
    """Nothing heavy is imported for `--help`, of the program or of a command, nor for a wrong argument."""
    for words in (["--help"], ["predict", "--help"], ["export", "--help"], ["predict"], ["no-such-command"]):
        code = (
            f"import sys; sys.argv = ['hf_xfmr', *{words}]\nfrom hf_xfmr import __main__\n"
            "from hf_xfmr.run import program\ntry: program.run(__main__.run)\nexcept SystemExit: pass\n"
            "print([name for name in ('torch', 'transformers', 'datasets', 'pyarrow') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", (words, done.stdout, done.stderr)
