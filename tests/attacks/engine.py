"""Runs a command line as a process of its own: forked from one that has imported everything, or started anew."""

import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SILENT = {
    **{"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
    **{"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"},
}


@dataclass
class Done:
    """How it ended. `code` is None where it was ended after its time."""

    code: int | None
    stdout: str
    stderr: str
    seconds: float


def command_line(words: list[str]) -> list[str]:
    """`recipe NAME …` and `COMMAND …` as Python takes them."""
    if words[:1] == ["recipe"]:
        return [str(ROOT / "recipes" / f"{words[1]}.py"), *words[2:]]
    return ["-m", "hf_xfmr", *words]


class Anew:
    """Every command line in a fresh interpreter, as a user's."""

    def run(self, words: list[str], *, folder: Path, stdin: bytes = b"", limit: float = 120, env=None) -> Done:
        with tempfile.TemporaryDirectory() as scratch:
            environment = {**os.environ, **SILENT, "PYTHONPATH": str(ROOT), "TMPDIR": scratch, **(env or {})}
            began = time.perf_counter()
            try:
                done = subprocess.run(
                    [sys.executable, *command_line(words)],
                    cwd=folder,
                    env=environment,
                    input=stdin,
                    capture_output=True,
                    timeout=limit,
                )
                code, out, err = done.returncode, done.stdout, done.stderr
            except subprocess.TimeoutExpired as error:
                code, out, err = None, error.stdout or b"", error.stderr or b""
            left = os.listdir(scratch)
        return _done(code, out, err, time.perf_counter() - began, left)


class Forked:
    """Every command line in a fork of this process, which first imports what they need."""

    def __init__(self) -> None:
        os.environ.update(SILENT)
        sys.path.insert(0, str(ROOT))
        import datasets  # noqa: F401
        import matplotlib.pyplot  # noqa: F401
        import sklearn.linear_model  # noqa: F401
        import torch
        import transformers

        from hf_xfmr import check, commands, predict, verify  # noqa: F401
        from hf_xfmr.export import onnx, stock  # noqa: F401
        from hf_xfmr.tasks.task import all_tasks
        from hf_xfmr.training import trainer  # noqa: F401

        list(all_tasks())
        for command in commands.COMMANDS:
            commands.module_of(command)
        for head in ("BertModel", "BertTokenizer", "GPT2Model", "MarianMTModel"):
            getattr(transformers, head)
        torch.set_num_threads(1)

    def run(self, words: list[str], *, folder: Path, stdin: bytes = b"", limit: float = 60, env=None) -> Done:
        with tempfile.TemporaryDirectory() as scratch:
            box = Path(scratch)
            (box / "in").write_bytes(stdin)
            (box / "tmp").mkdir()
            began = time.perf_counter()
            child = os.fork()
            if child == 0:
                self._be(words, folder, box, env or {})
            code = _wait(child, began + limit)
            left = os.listdir(box / "tmp")
            out, err = (box / "out").read_bytes(), (box / "err").read_bytes()
        return _done(code, out, err, time.perf_counter() - began, left)

    def _be(self, words: list[str], folder: Path, box: Path, env: dict) -> None:
        code = 99
        try:
            for place, (name, flags) in enumerate((("in", os.O_RDONLY), ("out", 577), ("err", 577))):
                os.dup2(os.open(box / name, flags, 0o600), place)  # 577: write, create, truncate
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            import logging

            for logger in (logging.getLogger(name) for name in ("", "transformers", "datasets", "huggingface_hub")):
                for handler in logger.handlers:
                    if isinstance(handler, logging.StreamHandler):
                        handler.stream = sys.stderr
            os.chdir(folder)
            os.environ.update({"TMPDIR": str(box / "tmp"), **env})
            tempfile.tempdir = None
            from hf_xfmr.__main__ import run
            from hf_xfmr.run import program

            line = command_line(words)
            try:
                if words[:1] == ["recipe"]:
                    sys.argv = line
                    runpy.run_path(line[0], run_name="__main__")
                else:
                    sys.argv = ["hf_xfmr", *line[2:]]
                    program.run(run)
                code = 0
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 98
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _wait(child: int, until: float) -> int | None:
    while time.perf_counter() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _done(code, out: bytes, err: bytes, seconds: float, left: list[str]) -> Done:
    note = f"\nleft in the temporary folder: {left}" if any("fault" in one for one in left) else ""
    return Done(code, out.decode(errors="replace"), err.decode(errors="replace") + note, seconds)


def fresh(home: Path, folder: Path) -> Path:
    """An empty folder to attack in."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
