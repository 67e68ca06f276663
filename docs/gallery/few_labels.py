"""The table of docs/how-to/few-labels.md: accuracy of three ways to learn from 8, 16 and 32 rows a label.

    python docs/gallery/few_labels.py FOLDER

Two samples, five seeds, each of which draws other rows. Plain fine-tuning is 20 epochs of 16 rows a step at the same
learning rate, as Mosbach et al. (2021) advise for few rows. No validation rows are used. What has been run is not run
again.
"""

import json
import sys
from pathlib import Path

from datasets import DatasetDict, concatenate_datasets

import hf_xfmr
from hf_xfmr import samples

SAMPLES, ROWS, SEEDS = ("movie-reviews", "product-reviews"), (8, 16, 32), [1, 2, 3, 4, 5]
PLAIN = {
    "eval_strategy": "no",
    "save_strategy": "no",
    "num_train_epochs": 20,
    "learning_rate": 5e-5,
    "warmup_steps": 0.1,
    "per_device_train_batch_size": 16,
}
COMMON = {
    "model": "sample:minilm",
    "text_column": "text",
    "label_column": "label",
    "max_length": 128,
    "report_to": "none",
    "seeds": SEEDS,
    "validation_fraction": 0,
    "max_test_rows": 600,
}


def main(folder: Path) -> None:
    lines = ["| rows a label | " + " | ".join(f"`{name}`: {way}" for name in SAMPLES for way in WAYS) + " |"]
    lines.append("|---|" + "---|" * (len(SAMPLES) * len(WAYS)))
    for rows in ROWS:
        cells = []
        for name in SAMPLES:
            splits = samples.load(f"sample:{name}")
            data = {"train": splits["train"], "test": concatenate_datasets([splits["validation"], splits["test"]])}
            data = DatasetDict(data)
            for settings, split in WAYS.values():
                part = "few" if settings is FEW else "plain"
                place = folder / f"{name}-{rows}-{part}"
                if not (place / "seeds.json").exists() or "summary" not in json.loads(
                    (place / "seeds.json").read_text()
                ):
                    baseline = {"baseline": settings is FEW}
                    hf_xfmr.classify(data, rows_per_label=rows, output_dir=str(place), **settings, **COMMON, **baseline)
                cells.append(cell(place, split))
        lines.append(f"| {rows} | " + " | ".join(cells) + " |")
        print("\n".join(lines), flush=True)


FEW = {"few_labels": True, "save_strategy": "no"}
WAYS = {"TF-IDF": (FEW, "baseline"), "plain": (PLAIN, "test"), "`--few_labels`": (FEW, "test")}


def cell(place: Path, split: str) -> str:
    found = json.loads((place / "seeds.json").read_text())
    runs = [json.loads((place / f"seed-{seed}" / "run.json").read_text()) for seed in found["seeds"]]
    figures = [(run["metrics"] if split == "test" else run["baseline"])["test"]["accuracy"] for run in runs]
    middle = sum(figures) / len(figures)
    spread = (sum((one - middle) ** 2 for one in figures) / (len(figures) - 1)) ** 0.5
    return f"{100 * middle:.1f} ± {100 * spread:.1f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
