"""Run tests of transformers, and of libraries beside it, on stock's classes and on ours, and print both side by side.

python tests/conformance [Bert GPT2 Transformer Roberta XLMRoberta Camembert DistilBert]
                         [trainer] [peft] [sentence-transformers] [trl]

The families are transformers' common test suite, which runs by default; `trainer` are its Trainer's tests, with
XfmrTrainer in Trainer's place. All are fetched at the version that is installed, the first time; NAME=FOLDER takes a
checkout in its place. WORKERS=2 says how many processes run the tests; FILES='one.py two.py' runs these files alone.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from hf_xfmr.errors import UserError

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
    ("trl", "test_train_nll_loss", "TestSFTTrainer"): (
        "by choice: in training only the labelled words are scored, and nll of TRL 1.10 reads the logits of all"
    ),
    ("trl", "", "TestReferenceModel"): (
        "by choice: they read the weights of stock's `transformer.h.0.attn.c_attn`, here a query, a key and a value"
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
        report, log = Path(folder, "report.xml"), Path(folder, "log")
        environment = {**os.environ, "CONFORMANCE": side, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **environment}
        common = ["-q", "-n", workers, "-p", "no:cacheprovider", "-o", "addopts=", "--tb=line", "-W", "ignore"]
        with log.open("w") as written:
            subprocess.run(
                [sys.executable, "-m", "pytest", *common, "--timeout=300", f"--junitxml={report}", *options],
                env=environment,
                cwd=cwd,
                stdout=written,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if not report.is_file():
            raise UserError(f"pytest ended without results of {family or 'transformers'}: {log.read_text()[-1000:]}")
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for case in ElementTree.parse(report).iter("testcase"):
            outcome = next((child for child in case if child.tag in LETTERS), None)
            state = "passed" if outcome is None else LETTERS[outcome.tag]
            message = "" if outcome is None else " ".join((outcome.get("message") or "").split())[:160]
            where = case.get("classname", "")
            name = case.get("name", "") + (f" of {where.removeprefix('tests.')}" if family else "")
            key = (family or where.rpartition(".")[2], name)
            if found.get(key, ("passed",))[0] != "failed":  # of several subtests one that fails counts
                found[key] = (state, message)
        return found


def of_transformers(families: list[str], workers: str) -> dict[str, dict]:
    import suite

    suite.folder()  # fetched once, with its progress, before two processes want it
    options = [f"{HERE / 'cases.py'}::{family}" for family in families]
    return {side: results(side, "", workers, options, {}) for side in ("stock", "ours")}


def of_neighbour(name: str, folder: str, workers: str) -> dict[str, dict]:
    from neighbours import NEIGHBOURS, prepare

    neighbour = NEIGHBOURS[name]
    with tempfile.TemporaryDirectory() as scratch:
        where, tested = prepare(neighbour, folder, Path(scratch))
        if tested:
            print(f"{name}: tests of {tested}, with {version(neighbour.package)} installed")
        files = os.environ.get("FILES", "").split() or neighbour.files
        options = [
            "--dist",
            "load",
            "--continue-on-collection-errors",
            "-p",
            "side",
            "-k",
            neighbour.choice,
            *(f"tests/{file}" for file in files),
        ]
        paths = os.pathsep.join(filter(None, [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]))
        environment = {
            "PYTHONPATH": paths,
            "HF_HUB_CACHE": str(Path(scratch, "hub")),
            "CONFORMANCE_OF": name,
            "CONFORMANCE_DATA": str(Path(scratch, "data")),
        }
        return {side: results(side, name, workers, options, environment, where) for side in ("stock", "ours")}


def compared(named: list[str]) -> int:
    workers = os.environ.get("WORKERS", "2")
    families = [name for name in named if name in FAMILIES]
    both: dict[str, dict] = {"stock": {}, "ours": {}}
    found = [of_transformers(families, workers)] if families else []
    for one in named:
        name, _, folder = one.partition("=")
        if name not in FAMILIES:
            families.append(name)
            found.append(of_neighbour(name, folder, workers))
    for one in found:
        for side, of_side in one.items():
            both[side] |= of_side
    print(f"{'':21}{'stock':>34}{'ours':>34}")
    for family in families:
        counts = [Counter(state for (of, _), (state, _) in both[side].items() if of == family) for side in both]
        cells = [f"{c['passed']} passed {c['failed']} failed {c['skipped']} skipped" for c in counts]
        print(f"{family:21}{cells[0]:>34}{cells[1]:>34}")

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


def main() -> int:
    sys.path.insert(0, str(HERE))
    from neighbours import NEIGHBOURS

    named = sys.argv[1:] or list(FAMILIES)
    for one in named:
        if one.partition("=")[0] not in {*FAMILIES, *NEIGHBOURS}:
            print(f"{one} is none of {', '.join([*FAMILIES, *NEIGHBOURS])} (or NAME=FOLDER)", file=sys.stderr)
            return 2
    try:
        return compared(named)
    except UserError as fault:
        print(fault, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
