"""Pictures of a report before and after a change: one made-up run, rendered by the code of a commit and by this tree.

    python docs/gallery/reports.py COMMIT [--chromium PROGRAM]

Writes report-before.png and report-after.png beside this file. The run is drawn at
random from a fixed seed, its texts are this project's own, and no model is needed.
"""

import argparse
import csv
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LABELS = ["delivery", "payment", "product", "return"]
BEGINNINGS = ["Since Monday", "Once more", "For the third time", "After all", "To my surprise", "As promised"]
MIDDLES = {
    "delivery": ["the parcel has not come", "the courier rang at the wrong door", "half of the order is on its way"],
    "payment": ["my card was charged twice", "the voucher was not taken", "the invoice names another sum"],
    "product": ["the lamp flickers", "the shoes are too small", "the kettle is louder than it was said to be"],
    "return": ["I have sent the lamp back", "the label for the return does not print", "the refund is late"],
}
ENDS = ["and nobody answers.", "which I did not expect.", "so I ask you to look into it.", "and I am glad of it."]


def run_folder(folder: Path) -> None:
    """A run as `classify_bert` leaves it."""
    draw = random.Random(7)
    for split, count in (("validation", 300), ("test", 400)):
        with (folder / f"predictions-{split}.csv").open("w", encoding="utf-8", newline="") as file:
            names = ["id", "text", "gold", "predicted", "cut", "tokens", *(f"p_{label}" for label in LABELS)]
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            for number in range(count):
                writer.writerow(_row(draw, number))
    steps = range(1, 41)
    logs = [{"step": one, "loss": 1.4 * math.exp(-one / 14) + 0.2 + draw.gauss(0, 0.03),
             "learning_rate": 1e-4 * (1 - one / 40), "tokens_per_second": 2000 + draw.gauss(0, 40)}
            for one in steps]  # fmt: skip
    evaluations = [{"step": one, "eval_loss": loss, "eval_accuracy": right}
                   for one, loss, right in ((20, 0.66, 0.79), (40, 0.55, 0.84))]  # fmt: skip
    figures = {"accuracy": 0.84, "f1_macro": 0.84, "f1_weighted": 0.84, "mcc": 0.78, "roc_auc": 0.95}
    baseline = {"accuracy": 0.77, "f1_macro": 0.77, "f1_weighted": 0.77, "mcc": 0.69}
    run = {
        "title": "support-letters",
        "recipe": "classify_bert",
        "command": "hf_xfmr train classify --dataset letters.csv --model sample:minilm",
        "settings": {"dataset": "letters.csv", "model": "sample:minilm", "max_length": 64},
        "environment": {"device": "2 cores", "precision": "float32"},
        "finished": "2026-01-02T03:04+00:00",
        "problem_type": "single_label_classification",
        "label_names": LABELS,
        "metrics": {"validation": figures, "test": figures},
        "baseline": {"name": "TF-IDF of words (1-2) + logistic regression", "test": baseline},
        "log_history": [*logs, *evaluations],
        "seconds": 118.0,
        "checks": {"looked_at": "2,400 of 2,400 train", "rows": {"train": 2400, "validation": 300, "test": 400}},
    }
    run["checks"] |= {"findings": [], "costs": []}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")


def _row(draw: random.Random, number: int) -> dict:
    gold = draw.choice(LABELS)
    text = f"{draw.choice(BEGINNINGS)} {draw.choice(MIDDLES[gold])}, {draw.choice(ENDS)}"
    scores = {label: draw.gauss(0, 1) + 2.4 * (label == gold) for label in LABELS}
    total = sum(math.exp(2 * score) for score in scores.values())
    shares = {label: math.exp(2 * score) / total for label, score in scores.items()}
    row = {"id": number, "text": text, "gold": gold, "predicted": max(shares, key=shares.get), "cut": False}
    return row | {"tokens": len(text.split()) + 2} | {f"p_{label}": f"{share:.6f}" for label, share in shares.items()}


def render(code: Path, folder: Path) -> Path:
    """The report of a run's folder, by the code in `code`."""
    call = (
        "import sys; from hf_xfmr import report; from hf_xfmr.tasks.classification.report import evaluate; "
        "report.write(sys.argv[1], evaluate)"
    )
    subprocess.run([sys.executable, "-c", call, folder], cwd=code, check=True)
    return folder / "report.html"


def picture(chromium: str, page: Path, name: str, width: int, height: int) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    size = f"--window-size={width},{height}"
    subprocess.run([chromium, *options, size, f"--screenshot={HERE / name}", page.as_uri()], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="whose report is drawn as the one before")
    parser.add_argument("--chromium", default=os.environ.get("HF_XFMR_CHROMIUM") or shutil.which("chromium"))
    given = parser.parse_args()
    if given.chromium is None:
        parser.error("no chromium on the PATH: name it with --chromium PROGRAM")
    with tempfile.TemporaryDirectory() as scratch:
        old, run = Path(scratch, "old"), Path(scratch, "run")
        old.mkdir()
        run.mkdir()
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", given.commit, "hf_xfmr"], check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", old], input=archive, check=True)
        run_folder(run)
        picture(given.chromium, render(old, run), "report-before.png", 1000, 1250)
        picture(given.chromium, render(ROOT, run), "report-after.png", 1000, 1250)


if __name__ == "__main__":
    main()
