"""The figures of docs/how-to/wrong-labels.md: how many of 60 labels flipped on purpose `--folds 5` finds.

    python docs/gallery/wrong_labels.py FOLDER [--few_labels true …]

The rows are 1,200 of sample:movie-reviews' train split, those first by the hash of their text among the reviews whose
mean rating is at least 2 or at most -2, so that a flipped label is surely wrong. What follows FOLDER are flags of the
recipe; without any, the last layers learn on a frozen encoder. A stopped run goes on.
"""

import csv
import random
import sys
from pathlib import Path

from hf_xfmr import samples
from hf_xfmr.run import recipes
from hf_xfmr.splits import position

ROWS, SHARE, SURE = 1200, 0.05, 2
NAMES = ("negative", "positive")
PLAIN = ["--freeze_encoder", "true", "--num_train_epochs", "20", "--learning_rate", "3e-3"]


def write(file: Path) -> set[str]:
    """The table with the flipped labels. Returns the ids of the flipped rows."""
    sure = [row for row in samples.load("sample:movie-reviews")["train"] if abs(row["rating"]) >= SURE]
    rows = sorted(sure, key=lambda row: position(row["text"]))[:ROWS]
    flipped = set(random.Random(0).sample(range(ROWS), int(ROWS * SHARE)))
    with file.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["id", "text", "label"])
        for at, row in enumerate(rows):
            table.writerow([row["id"], row["text"], NAMES[row["label"] ^ (at in flipped)]])
    return {rows[at]["id"] for at in flipped}


def main(folder: Path, *flags: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    flipped = write(folder / "flipped.csv")
    words = [
        "--dataset",
        str(folder / "flipped.csv"),
        "--model",
        "sample:minilm",
        "--folds",
        "5",
        "--max_length",
        "128",
    ]
    out = folder / "run"
    recipes.run("classify", [*words, *(flags or PLAIN), "--report_to", "none", "--output_dir", str(out)])
    with (out / "wrong-labels.csv").open(encoding="utf-8-sig", newline="") as handle:
        listed = [row["id"] for row in csv.DictReader(handle) if "likely wrong" in row["why"]]
    for most in (len(flipped), len(listed)):
        hits = len(flipped & set(listed[:most]))
        print(f"the first {most} listed: precision {hits / most:.3f}, recall {hits / len(flipped):.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
