"""The memory that a process can have is what its container allows, not what the machine has."""

import subprocess
import sys

import psutil
import pytest

from hf_xfmr import XfmrBertConfig, machine
from hf_xfmr.errors import UserError
from hf_xfmr.hub import folder
from hf_xfmr.run import starting_point

GB = 10**9


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Make the groups of processes: {"place/file": content} of the tree, and this process's lines."""

    def make(lines: str, files: dict[str, str]) -> None:
        for name, content in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (tmp_path / "own").write_text(lines)
        monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(machine, "OWN_GROUPS", str(tmp_path / "own"))

    return make


V2 = {
    "memory.max": "2000000000\n",
    "memory.current": "1500000000\n",
    "memory.stat": "anon 9\ninactive_file 500000000\n",
}
V1 = {
    "memory.limit_in_bytes": "2000000000\n",
    "memory.usage_in_bytes": "1500000000\n",
    "memory.stat": "inactive_file 7\ntotal_inactive_file 500000000\n",
}


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/\n", V2),  # within a container
        ("0::/job/step\n", {f"job/{name}": content for name, content in V2.items()}),  # the limit of the group above
        ("0::/job\n", {**{f"job/{name}": "max\n" for name in V2}, **V2}),
        ("4:cpu,memory:/docker/1f\n", {f"memory/docker/1f/{name}": content for name, content in V1.items()}),
        ("4:memory:/docker/1f\n0::/\n", {f"memory/{name}": content for name, content in V1.items()}),  # unseen place
    ],
)
def test_the_limit_of_a_container_is_all_the_memory_there_is(groups, lines, files):
    groups(lines, files)
    assert machine.memory() == 2 * GB
    assert machine.free_memory() == GB  # what files have left there can be had back


def test_what_is_unlimited_is_the_machine(groups):
    groups(
        "4:memory:/\n0::/\n",
        {"memory.max": "max\n", "memory.current": "5\n", "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"},
    )
    assert machine.memory() == psutil.virtual_memory().total
    groups("4:memory:/gone\n", {})
    assert machine.memory() == psutil.virtual_memory().total


def test_models_are_refused_by_the_limit(groups, tmp_path):
    groups("0::/\n", V2)
    sizes = {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 8192}
    with pytest.raises(
        UserError, match=r"about 1\.3 billion parameters, 10 GB of weights and gradients, and 2 GB of memory"
    ):
        starting_point.new_config(XfmrBertConfig, sizes)
    with pytest.raises(UserError, match=r"and 0\.9 GiB of memory are free"):
        folder.check_config(tmp_path, {"model_type": "bert", "vocab_size": 30_522, **sizes})


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_the_limit_of_the_address_space_counts():
    code = (
        "import resource; from hf_xfmr import machine; import psutil\n"
        "held = psutil.Process().memory_info().vms\n"
        "resource.setrlimit(resource.RLIMIT_AS, (held + 10**9, held + 10**9))\n"
        "assert machine.memory() <= held + 10**9; assert 0 < machine.free_memory() <= 10**9; print('counted')"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "counted\n"
