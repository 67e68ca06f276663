"""Where the tests of other libraries come from for `make conformance`: git at the installed version, or a sentence."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from places import ROOT

from hf_xfmr.errors import UserError

sys.path.insert(0, str(ROOT / "tests" / "conformance"))
import sources


def test_tests_are_cloned_at_the_installed_version_or_asked_for(tmp_path, monkeypatch):
    repository = tmp_path / "github" / "them" / "peft"
    (repository / "tests").mkdir(parents=True)
    (repository / "tests" / "test_one.py").touch()
    (repository / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"], ["tag", f"v{version('peft')}"]):
        subprocess.run(["git", "-C", repository, *words], check=True)
    monkeypatch.setattr(sources, "HOME", tmp_path / "cache")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/github/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    there = sources.of_git("peft", "them/peft", ["tests"])
    assert (there / "tests" / "test_one.py").is_file()
    assert sources.version_of(there) == "1.2.3"
    assert sources.of_git("peft", "gone/peft", ["tests"]) == there  # asks nobody again
    with pytest.raises(
        UserError, match=r"could not be cloned .*: name a folder .* make conformance ARGS=pytest=FOLDER"
    ):
        sources.of_git("pytest", "them/pytest", ["tests"])
    assert sources.version_of(tmp_path) == "unknown version"
