"""Attacks end in one sentence: each kind by a few of its cases; `python tests/attacks/run.py` tries them all."""

import os
import subprocess
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES

SLOW = ("checkpoints",)  # a training each
QUICK = 1  # cases of a kind in the default suite, spread over it


def chosen() -> list[str]:
    kinds = defaultdict(list)
    for case in CASES:
        kinds[case.kind].append(case.name)
    picked = []
    for kind, names in kinds.items():
        count = 2 if kind in SLOW else QUICK
        picked += islice(names, 0, None, max(1, len(names) // count))
    return picked


def run(*words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, str(Path(__file__).with_name("run.py")), "--forked", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options
    )


def test_attacks_of_each_kind_end_in_one_sentence(tmp_path):
    names = tmp_path / "names"
    names.write_text("\n".join(chosen()))
    done = run("--names", str(names))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "wrong 0" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_attack_ends_in_one_sentence():
    done = run()
    assert done.returncode == 0, done.stdout[-20000:]


def test_no_two_cases_have_one_name():
    assert len({(case.kind, case.name) for case in CASES}) == len(CASES) > 400
