"""The figures of docs/how-to/own-words.md: does a model learn as well when words of the field become a token each?

    python docs/gallery/own_words.py FOLDER

Every pair differs by `--add_words auto` alone. BERT (sample:minilm) reads the movie reviews once more, and then learns
to classify them, with three seeds. A small GPT-2 of movie reviews goes on with plays of Shakespeare, and is measured in
bits per character, which do not depend on how texts are cut. What has been run is not run again.
"""

import json
import sys
from pathlib import Path
from statistics import mean, stdev

import hf_xfmr

WAYS = {"without": {}, "with": {"add_words": "auto"}}
SEEDS = [1, 2, 3]


def main(folder: Path) -> None:
    print("| | without | with the words |\n|---|---|---|")
    accuracies = [classified(folder, way) for way in WAYS]
    print("| accuracy after fine-tuning | " + " | ".join(accuracies) + " |")
    runs = [gpt2(folder, way) for way in WAYS]
    for split in ("validation", "test"):
        found = [json.loads((run / "run.json").read_text())["metrics"].get(split) for run in runs]
        if all(found):
            line(f"bits per character, {split}", [one["bits_per_character"] for one in found], "{:.3f}")
    print(shorter(bert(folder, "with")), shorter(gpt2(folder, "with")), sep="\n")


def line(name: str, values: list, form: str) -> None:
    print(f"| {name} | " + " | ".join(form.format(one) for one in values) + " |", flush=True)


def bert(folder: Path, way: str) -> Path:
    place = folder / f"bert-{way}"
    if not (place / "run.json").exists():
        hf_xfmr.pretrain("sample:movie-reviews", text_column="text", model="sample:minilm", nsp=False,
                         num_train_epochs=1, report_to="none", output_dir=str(place), **WAYS[way])  # fmt: skip
    return place


def classified(folder: Path, way: str) -> str:
    place = folder / f"classified-{way}"
    if "summary" not in ((place / "seeds.json").read_text() if (place / "seeds.json").exists() else ""):
        hf_xfmr.classify("sample:movie-reviews", label_column="label", model=str(bert(folder, way)), max_length=128,
                         num_train_epochs=1, learning_rate=1e-4, warmup_steps=0.1, per_device_train_batch_size=32,
                         weight_decay=0.01, baseline=False, report_to="none", seeds=SEEDS,
                         output_dir=str(place))  # fmt: skip
    found = json.loads((place / "seeds.json").read_text())["seeds"].values()
    figures = [one["test"]["accuracy"] for one in found]
    return f"{mean(figures):.3f} ± {stdev(figures):.3f}"


def gpt2(folder: Path, way: str) -> Path:
    place, base = folder / f"gpt2-{way}", folder / "gpt2-base"
    sizes = {"n_positions": 256, "n_layer": 4, "n_head": 4, "n_embd": 256, "vocab_size": 4000}
    common = {"text_column": "text", "report_to": "none", "sample_every": 0, "per_device_train_batch_size": 8}
    if not (base / "run.json").exists():
        hf_xfmr.gpt2("sample:movie-reviews", tokenizer="bpe", model_config=sizes, num_train_epochs=4,
                     learning_rate=1e-3, output_dir=str(base), **common)  # fmt: skip
    if not (place / "run.json").exists():
        hf_xfmr.gpt2("sample:shakespeare", model=str(base), max_train_documents=12, num_train_epochs=3,
                     learning_rate=5e-4, output_dir=str(place), **common, **WAYS[way])  # fmt: skip
    return place


def shorter(place: Path) -> str:
    return next(line for line in json.loads((place / "run.json").read_text())["data"] if "shorter" in line)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
