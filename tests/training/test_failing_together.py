"""What the main process alone does, and fails at, ends all processes alike; and what only one may write, one writes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import small_checkpoints
from loopback_hub import LoopbackHub
from test_many_processes import WORDS, command
from transformers import BertTokenizer

import hf_xfmr

TOKEN = "hf_loopback_of_alice"
SCRIPT = """
import os, sys
from pathlib import Path
from peft import PeftModel
save = PeftModel.save_pretrained
def watched(self, folder, **options):
    if Path(folder).parent.name == "adapter":
        Path(folder).parent.with_name(f"adapter-written-by-{os.environ['RANK']}").touch()
    return save(self, folder, **options)
PeftModel.save_pretrained = watched
sys.path.insert(0, str(Path(sys.argv[1]).parent))
sys.argv = sys.argv[1:]
import classify_bert
from hf_xfmr.run import program
program.run(classify_bert.main)
"""


def checkpoint(folder: Path) -> Path:
    """A tiny BERT that knows the words of the data."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *map(str, range(110))]
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}, model_max_length=32).save_pretrained(folder)
    config = hf_xfmr.XfmrBertConfig(**{**small_checkpoints.BERT, "vocab_size": len(words)})
    hf_xfmr.XfmrBertModel(config).save_pretrained(folder)
    return folder


def start(words: list[str], hub: LoopbackHub) -> list[subprocess.Popen]:
    """Two processes that no launcher ends when one of them fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    common |= {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    common |= {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *words],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]


def end(processes: list[subprocess.Popen]) -> list[tuple[int, str]]:
    """The exit code of each, and the last line of what it said of errors. None is waited for in vain."""
    try:
        said = [process.communicate(timeout=200)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    last = [errors.strip().splitlines()[-1] for errors in said]
    return [(process.returncode, line) for process, line in zip(processes, last, strict=True)]


@pytest.mark.distributed
def test_an_error_of_the_check_ends_all_processes_too(tmp_path):
    words = [*command("classify_bert", tmp_path, 2), "--strict", "true", "--output_dir", str(tmp_path / "run")]
    with (tmp_path / "data.csv").open("a") as file:
        file.write("\nthe film,bad" * 3)  # of which it warns
    with LoopbackHub({TOKEN: ("alice", "write")}) as hub:
        both = end(start(words, hub))
    assert both[0] == both[1]
    assert both[0][0] == 2
    assert both[0][1].startswith("error: the check found ")


@pytest.mark.distributed
@pytest.mark.parametrize("refused", ["/commit/", "/api/repos/create"])
def test_a_push_that_the_hub_refuses_ends_all_processes_with_its_error(tmp_path, refused):
    """At the end of the run, and before its first step; the adapter was written by the main process alone."""
    words = command("classify_bert", tmp_path, 2)
    place = words.index("--model_config")
    words[place : place + 2] = ["--model", str(checkpoint(tmp_path / "base"))]
    words += ["--lora_rank", "2", "--num_train_epochs", "1"]
    words += ["--output_dir", str(tmp_path / "run"), "--push_to_hub", "true", "--hub_model_id", "alice/model"]
    with LoopbackHub({TOKEN: ("alice", "write")}) as hub:
        hub.faults.append({"match": refused, "status": 403, "times": 1000})
        (code, error), other = end(start(words, hub))
    assert code == 2
    assert other == (code, error)
    assert error.startswith("error: ")
    assert TOKEN not in error
    if refused == "/commit/":
        assert "the push to alice/model broke off" in error
        assert [path.name for path in Path(tmp_path / "run").glob("adapter-written-by-*")] == ["adapter-written-by-0"]
        assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
        assert (tmp_path / "run" / "model.safetensors").is_file()
    else:
        assert "can't be made on the Hub" in error
        assert not list((tmp_path / "run").glob("checkpoint-*"))
