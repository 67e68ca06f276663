"""Run transformers' common test suite on stock's classes and on ours, and print both results side by side.

python tests/conformance [Bert GPT2 Transformer]
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
FAMILIES = ("Bert", "GPT2", "Transformer")
LETTERS = {"passed": "passed", "failure": "failed", "error": "failed", "skipped": "skipped"}

# What we do otherwise than the suite wants, on purpose: (family, test) -> why.
CHOSEN: dict[tuple[str, str], str] = {
    ("Bert", "test_reverse_loading_mapping"): (
        "by choice: one table of names serves all heads, so in a class without a head that head's lines match nothing"
    ),
}


def results(side: str, families: list[str], workers: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(family, test) -> (passed, failed or skipped; its message's last line) of one side."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        environment = {**os.environ, "CONFORMANCE": side, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        options = ["-q", "-n", workers, "-p", "no:cacheprovider", "-o", "addopts=", "--tb=line", "-W", "ignore"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"--junitxml={report}"]
            + [f"{HERE / 'cases.py'}::{family}" for family in families],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for case in ElementTree.parse(report).iter("testcase"):
            family = case.get("classname", "").rpartition(".")[2]
            outcome = next((child for child in case if child.tag in LETTERS), None)
            state = "passed" if outcome is None else LETTERS[outcome.tag]
            message = "" if outcome is None else " ".join((outcome.get("message") or "").split())[:160]
            key = (family, case.get("name", ""))
            if found.get(key, ("passed",))[0] != "failed":  # of several subtests one that fails counts
                found[key] = (state, message)
        return found


def main() -> int:
    families = sys.argv[1:] or list(FAMILIES)
    sys.path.insert(0, str(HERE))
    import suite

    suite.folder()  # fetched once, with its progress, before two processes want it
    both = {side: results(side, families, os.environ.get("WORKERS", "2")) for side in ("stock", "ours")}
    print(f"{'':14}{'stock':>28}{'ours':>28}")
    for family in families:
        counts = [Counter(state for (of, _), (state, _) in both[side].items() if of == family) for side in both]
        cells = [f"{c['passed']} passed {c['failed']} failed {c['skipped']} skipped" for c in counts]
        print(f"{family:14}{cells[0]:>34}{cells[1]:>34}")

    unexplained = 0
    for key, (state, message) in sorted(both["ours"].items()):
        stock, _ = both["stock"].get(key, ("absent", ""))
        if state == "failed" or (state == "skipped" and stock == "passed"):
            reason = CHOSEN.get(key)
            unexplained += reason is None and not (state == stock == "failed")
            print(f"{state} in ours, {stock} in stock: {key[0]}.{key[1]}: {reason or message}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
