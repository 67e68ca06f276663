"""The sets are those of pyproject.toml; an environment is made once a day; what can't be installed is a line of the
table that says so."""

import subprocess
import sys
from pathlib import Path

import pytest
import sets
from packaging.requirements import Requirement

NEEDED = {Requirement(line).name: Requirement(line) for line in sets.project()["dependencies"]}


def test_the_oldest_set_is_every_lower_bound_and_the_newest_pins_nothing():
    pinned = sets.constraints("oldest")
    assert len({Requirement(line).name for line in pinned}) == len(pinned) == len(sets.listed()) > len(NEEDED)
    assert f"transformers=={sets.lower_bound(NEEDED['transformers'])}" in pinned
    assert sets.constraints("newest") == []
    assert sets.constraints("newest", torch="2.13.0") == ["torch==2.13.0"]


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """The commands on the way to environments in a folder of the test's own; "uv pip" fails."""
    ran = []

    def step(*command):
        words = [str(one) for one in command]
        ran.append(" ".join(words))
        if words[1] == "-c":
            return "3.12.1"
        if words[:2] == ["uv", "pip"]:
            raise sets.Failed("no such mirror")
        if "venv" in words:
            its = Path(words[-1], "bin", "python")
            its.parent.mkdir(parents=True)
            its.touch()
        return ""

    monkeypatch.setattr(sets, "HOME", tmp_path)
    monkeypatch.setattr(sets.shutil, "which", lambda name: None)
    step.ran = ran
    return step


def test_an_environment_of_today_is_used_again(steps, tmp_path):
    its = sets.environment("oldest", "python3.12", None, steps)
    assert its == tmp_path / "oldest-3.12.1/venv/bin/python"
    assert "transformers==" in (tmp_path / "oldest-3.12.1/constraints.txt").read_text()
    done = len(steps.ran)
    assert sets.environment("oldest", "python3.12", None, steps) == its
    assert steps.ran[done:] == steps.ran[:1]  # which Python it is, and no more
    assert sets.environment("oldest", "python3.12", "2.13.0", steps) != its
    assert any("pip install" in one for one in steps.ran[done:])


def test_pip_installs_where_uv_can_not(steps, monkeypatch):
    monkeypatch.setattr(sets.shutil, "which", lambda name: f"/usr/bin/{name}")
    its = sets.environment("newest", "python3.12", None, steps)
    assert [one.partition(" --")[0] for one in steps.ran[1:]] == [
        *("uv venv", "uv pip install", f"python3.12 -m venv {its.parents[1]}", f"{its} -m pip install")
    ]


def test_what_can_not_be_installed_is_said_in_the_table(tmp_path):
    missing = str(tmp_path / "python9")
    done = subprocess.run(
        [sys.executable, Path(__file__).parent, "oldest", "--python", missing], capture_output=True, text=True
    )
    assert done.returncode == 1
    row = next(line for line in done.stdout.splitlines() if line.startswith("| oldest"))
    assert row.count("not run") == 3
    assert missing in row
