"""Every attack as a process of its own: prints what is wrong, and the count. Exit code 0 if nothing is.

    python tests/attacks/run.py [--forked] [--only WORD] [--show] [--limit SECONDS]

--forked: in forks of one process, ten times as fast. --only: cases whose name or kind holds WORD; --names: those that a
file names, one a line. --show: what is said.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import engine
import judge
import models
from cases import CASES
from place import Place


def prepare(home: Path):
    """The models in `home`, and what runs command lines in forks."""
    forked = engine.Forked()
    home.mkdir(parents=True, exist_ok=True)
    models.make_all(home)
    models.make_run(home, forked)
    return forked


def attack(case, home: Path, folder: Path, runner, limit: float = 60):
    """Make the input in `folder` and run the command line there: how it ended, and what is wrong with that."""
    engine.fresh(home, folder)
    words = case.make(Place(home, folder))
    before = judge.contents(folder)
    done = runner.run([str(word) for word in words], folder=folder, stdin=case.stdin, limit=limit, env=case.env)
    return done, judge.fault(case, done, before, judge.contents(folder))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forked", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--names", type=Path)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--limit", type=float, default=180, help="seconds, after which a program is said to hang")
    asked = parser.parse_args()
    began, wrong, tried = time.time(), [], 0
    names = asked.names.read_text(encoding="utf-8").split("\n") if asked.names else None
    with tempfile.TemporaryDirectory(prefix="attacks-") as scratch:
        home = Path(scratch) / "home"
        forked = prepare(home)
        runner = forked if asked.forked else engine.Anew()
        for case in CASES:
            if (asked.only not in case.name and asked.only not in case.kind) or (names and case.name not in names):
                continue
            done, fault = attack(case, home, Path(scratch) / "here", runner, limit=asked.limit)
            tried += 1
            if fault:
                wrong.append(case)
                print(f"WRONG {case.kind}: {case.name}: {fault}\n      {done.stderr.strip()[-600:]!r}", flush=True)
            elif asked.show:
                print(f"ok    {case.kind}: {case.name}: {done.stderr.strip()}", flush=True)
    print(f"tried {tried}, clear {tried - len(wrong)}, wrong {len(wrong)} ({time.time() - began:.0f} s)")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
