"""Run tests of transformers, and of libraries beside it, on stock's classes and on ours, and print both side by side.

python tests/conformance [Bert GPT2 Transformer Roberta XLMRoberta Camembert DistilBert] [peft[=FOLDER]]

The families are transformers' common test suite, which runs by default. `peft` are PEFT's own tests of BERT and
GPT-2. Both are fetched by version the first time; PEFT's are read from its sources in FOLDER if that is named.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
FAMILIES = ("Bert", "GPT2", "Transformer", "Roberta", "XLMRoberta", "Camembert", "DistilBert")
LETTERS = {"passed": "passed", "failure": "failed", "error": "failed", "skipped": "skipped"}

# What we do otherwise than a suite wants, on purpose: (family, a beginning of the test's name, a part of it) -> why.
CHOSEN: dict[tuple[str, str, str], str] = {
    **{
        (family, "test_reverse_loading_mapping", ""): (
            "by choice: one table of names serves all heads, so in a class without a head its lines match nothing"
        )
        for family in ("Bert", "Roberta", "XLMRoberta", "Camembert", "DistilBert")
    },
    ("peft", "", "ShadowConfig"): (
        "by choice: ShadowPEFT wraps stock's decoder blocks, and ours drop the padding between them: it is refused"
    ),
}


def reason(family: str, test: str) -> str | None:
    return next(
        (why for (of, start, part), why in CHOSEN.items() if of == family and test.startswith(start) and part in test),
        None,
    )


def results(side: str, family: str, workers: str, options: list[str], environment: dict, cwd: Path | None = None):
    """(family, test) -> (passed, failed or skipped; its message's last line) of one side."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        environment = {**os.environ, "CONFORMANCE": side, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **environment}
        common = ["-q", "-n", workers, "-p", "no:cacheprovider", "-o", "addopts=", "--tb=line", "-W", "ignore"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *common, f"--junitxml={report}", *options],
            env=environment,
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for case in ElementTree.parse(report).iter("testcase"):
            outcome = next((child for child in case if child.tag in LETTERS), None)
            state = "passed" if outcome is None else LETTERS[outcome.tag]
            message = "" if outcome is None else " ".join((outcome.get("message") or "").split())[:160]
            of = family or case.get("classname", "").rpartition(".")[2]
            where = "" if family == "" else f" of {case.get('classname', '').rpartition('.')[2]}"
            key = (of, case.get("name", "") + where)
            if found.get(key, ("passed",))[0] != "failed":  # of several subtests one that fails counts
                found[key] = (state, message)
        return found


def of_transformers(families: list[str], workers: str) -> dict[str, dict]:
    import suite

    suite.folder()  # fetched once, with its progress, before two processes want it
    options = [f"{HERE / 'cases.py'}::{family}" for family in families]
    return {side: results(side, "", workers, options, {}) for side in ("stock", "ours")}


def of_peft(folder: str, workers: str) -> dict[str, dict]:
    import neighbours

    tests = neighbours.sources(folder)
    options = [
        "--dist",
        "load",
        "-p",
        "side",
        "-k",
        neighbours.CHOICE,
        *(f"{tests.name}/{file}" for file in neighbours.FILES),
    ]
    with tempfile.TemporaryDirectory() as hub:
        neighbours.make_hub(Path(hub))
        paths = os.pathsep.join(filter(None, [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]))
        environment = {"PYTHONPATH": paths, "HF_HUB_CACHE": hub}
        return {side: results(side, "peft", workers, options, environment, tests.parent) for side in ("stock", "ours")}


def main() -> int:
    named = sys.argv[1:] or list(FAMILIES)
    sys.path.insert(0, str(HERE))
    workers = os.environ.get("WORKERS", "2")
    families = [name for name in named if name in FAMILIES]
    both: dict[str, dict] = {"stock": {}, "ours": {}}
    found = [of_transformers(families, workers)] if families else []
    for name in named:
        suite, _, folder = name.partition("=")
        if suite == "peft":
            families.append(suite)
            found.append(of_peft(folder, workers))
        elif suite not in FAMILIES:
            print(f"{name} is none of {', '.join(FAMILIES)} and peft[=FOLDER]", file=sys.stderr)
            return 2
    for one in found:
        for side, of_side in one.items():
            both[side] |= of_side
    print(f"{'':14}{'stock':>34}{'ours':>34}")
    for family in families:
        counts = [Counter(state for (of, _), (state, _) in both[side].items() if of == family) for side in both]
        cells = [f"{c['passed']} passed {c['failed']} failed {c['skipped']} skipped" for c in counts]
        print(f"{family:14}{cells[0]:>34}{cells[1]:>34}")

    unexplained, chosen = 0, Counter()
    for key, (state, message) in sorted(both["ours"].items()):
        stock, _ = both["stock"].get(key, ("absent", ""))
        if (state == "failed" and stock != "failed") or (state == "skipped" and stock == "passed"):
            if why := reason(*key):
                chosen[key[0], why] += 1
                continue
            unexplained += 1
            print(f"{state} in ours, {stock} in stock: {key[0]}.{key[1]}: {message}")
    for (family, why), count in chosen.items():
        print(f"{count} of {family} fail in ours alone, {why}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
