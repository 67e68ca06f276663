"""The commands of the pages that start servers, and those that ask them, as they stand there."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pages import PAGES, fenced
from places import ROOT
from serving import PATIENCE, Address
from small_checkpoints import make

from hf_xfmr.export import export

pytestmark = pytest.mark.slow
BLOCKS = [block for page in PAGES for block in fenced(page) if block.mark in ("serves", "asks")]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with runs/mine, runs/mine-onnx and runs/poems-stock."""
    above = tmp_path_factory.mktemp("here")
    models = make(above / "models")
    shutil.copytree(models / "classifier", above / "runs" / "mine")
    export(models / "classifier", to="onnx", out=above / "runs" / "mine-onnx")
    export(models / "gpt2", to="stock", out=above / "runs" / "poems-stock")
    return above


def words_of(command: list[str]) -> tuple[dict[str, str], list[str]]:
    """Variables set before a command, and the command as this environment has it."""
    given = dict(word.split("=", 1) for word in command if "=" in word.split(" ")[0] and word.split("=")[0].isupper())
    name, *rest = [word for word in command if word.split("=", 1)[0] not in given]
    own = [sys.executable, "-m", "hf_xfmr"] if name == "hf_xfmr" else [str(Path(sys.executable).parent / name)]
    return given, [*own, *rest]


@pytest.mark.parametrize("place", [place for place, block in enumerate(BLOCKS) if block.mark == "serves"])
def test_a_server_of_the_page_answers(here, place):
    (command,) = BLOCKS[place].commands()
    given, words = words_of(command)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **given, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    host = ["--host", "127.0.0.1"] if command[0] == "transformers" else []
    running = subprocess.Popen([*words, *host, "--port", str(port)], cwd=here, env=environment)
    try:
        if command[0] == "transformers":
            until = time.monotonic() + PATIENCE
            while (answer := _completed(port)) is None and time.monotonic() < until:
                time.sleep(1)
            assert answer is not None
            assert answer["usage"]["completion_tokens"] == 3
            return
        Address(port, running).ready()
        asks = BLOCKS[place + 1] if place + 1 < len(BLOCKS) and BLOCKS[place + 1].mark == "asks" else None
        for line in asks.commands() if asks else []:
            asked = shlex.join(line).replace("8080", str(port))
            done = subprocess.run(asked, shell=True, capture_output=True, text=True, check=True)
            assert "error" not in json.loads(done.stdout)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()


def _completed(port: int) -> dict | None:
    try:
        body = {"model": "runs/poems-stock", "prompt": "good film", "max_tokens": 3, "temperature": 0}
        status, answer, _ = Address(port).ask("/v1/completions", body)
        return answer if status == 200 else None
    except OSError:
        return None
