"""Run what depends on our neighbours' versions on the oldest and the newest set that pyproject.toml admits, each in an
environment of its own in .compat/, and print the results as a table: docs/compat.md.

python tests/compat [--python python3.13] [--torch 2.13.0] [--tests tests/models] [oldest newest]
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))
import sets
from sets import Failed

# The models, their generation and checkpoints; the Trainer; scripts for stock classes, and other libraries; a hub.
TESTS = [
    *("tests/test_registration.py", "tests/models", "tests/training/test_training.py", "tests/adoption"),
    "tests/hub/test_hub.py",
]
SHOWN = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "huggingface_hub", "peft", "numpy")
COUNTS = ("passed", "failed", "skipped")
STATES = {"failure": "failed", "error": "failed", "skipped": "skipped"}
INSTALL_SECONDS = 1800  # gigabytes of CUDA libraries, where torch is not given
TEST_SECONDS = 3600


def step(*command: str | Path) -> str:
    """What a command prints. Raises `Failed` with the line of its complaint."""
    try:
        words = [str(one) for one in command]
        done = subprocess.run(words, capture_output=True, text=True, cwd=sets.ROOT, timeout=INSTALL_SECONDS)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"not installed within {INSTALL_SECONDS} seconds") from None
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Failed(next((line for line in said if line.lower().startswith("error")), said[-1] if said else "failed"))
    return done.stdout.strip()


def results(python: Path, tests: list[str]) -> tuple[Counter, list[str]]:
    """How many tests passed, failed and were skipped, and the names of those that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "-n", os.environ.get("WORKERS", "2"), "--dist", "loadfile", "-p", "no:cacheprovider"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [str(python), "-m", "pytest", *options, f"--junitxml={report}", *tests]
        log = python.parents[2] / "tests.log"
        try:
            with log.open("w", encoding="utf-8") as out:
                done = subprocess.run(
                    command, cwd=sets.ROOT, env=environment, stdout=out, stderr=out, timeout=TEST_SECONDS, check=False
                )
        except subprocess.TimeoutExpired:
            raise Failed(f"the tests took longer than {TEST_SECONDS} seconds: {log}") from None
        if not report.exists():
            raise Failed(f"pytest ended with {done.returncode}: {log}")
        return counted(report)


def counted(report: Path) -> tuple[Counter, list[str]]:
    counts, failed = Counter[str](), []
    for case in ElementTree.parse(report).iter("testcase"):
        state = next((STATES[child.tag] for child in case if child.tag in STATES), "passed")
        counts[state] += 1
        if state == "failed":
            failed.append(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}")
    return counts, failed


def row(name: str, python: str, torch: str | None, tests: list[str]) -> tuple[list[str], list[str]]:
    """A set's line of the table, and the names of the tests that failed. What can't be run here says so."""
    print(f"{name}, {python} …", file=sys.stderr, flush=True)
    versions = [python, *["–"] * len(SHOWN)]
    try:
        its = sets.environment(name, python, torch, step)
        asked = f"print(platform.python_version(), *map(m.version, {SHOWN!r}), sep='\\n')"
        versions = step(its, "-c", f"import importlib.metadata as m, platform\n{asked}").split("\n")
        begun = time.monotonic()
        counts, failed = results(its, tests)
    except Failed as error:
        return [name, *versions, *["not run"] * len(COUNTS), str(error)], []
    return [name, *versions, *(str(counts[state]) for state in COUNTS), f"{time.monotonic() - begun:.0f}"], failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*sets.SETS, []], help="oldest, newest; both if none is named")
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters, each with each set")
    parser.add_argument("--torch", help="this version in both sets: where an index has gigabytes for any other")
    parser.add_argument("--tests", nargs="+", default=TESTS)
    args = parser.parse_args()
    head = ["set", "python", *SHOWN, *COUNTS, "seconds"]
    lines, failures = [head, ["---"] * len(head)], []
    for python in args.python:
        for name in args.sets or sets.SETS:
            cells, failed = row(name, python, args.torch, args.tests)
            lines.append(cells)
            failures += [f"- {name}, Python {cells[1]}: `{one}`" for one in failed]
    print(f"{datetime.date.today()}, {platform.system()} {platform.machine()}; {' '.join(args.tests)}\n")
    for cells in lines:
        print(f"| {' | '.join(cell.replace('|', ' ') for cell in cells)} |")
    if failures:
        print("\nFailed:\n", *failures, sep="\n")
    not_run = any("not run" in cells for cells in lines)
    return int(bool(failures) or not_run)


if __name__ == "__main__":
    sys.exit(main())
