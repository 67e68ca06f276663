"""What a classifier predicted: probabilities from logits, labels by name, and the predictions file of a run."""

import csv
from pathlib import Path

import numpy as np
from datasets import Dataset
from scipy.special import expit, softmax


def probabilities(logits: np.ndarray, problem_type: str) -> np.ndarray:
    """logits [N, C] to probabilities [N, C]: of one label among C, or of each label by itself. Not for regression."""
    return expit(logits) if problem_type == "multi_label_classification" else softmax(logits, axis=-1)


def predicted(logits: np.ndarray, problem_type: str, label_names: list[str] | None) -> list[str] | list[float]:
    """What each row of logits [N, C] says: a label's name, several names joined by `|` (those of probability 0.5 or
    more), or a number."""
    if problem_type == "regression":
        return [float(value) for value in logits.reshape(-1)]
    assert label_names is not None
    if problem_type == "multi_label_classification":
        return [_joined(row >= 0, label_names) for row in logits]
    return [label_names[label] for label in logits.argmax(-1)]


def gold(labels: np.ndarray, problem_type: str, label_names: list[str] | None) -> list[str] | list[float]:
    """Labels as `predicted` writes them."""
    if problem_type == "regression":
        return [float(value) for value in labels]
    assert label_names is not None
    if problem_type == "multi_label_classification":
        return [_joined(row > 0, label_names) for row in labels]
    return [label_names[label] for label in labels]


def _joined(chosen: np.ndarray, label_names: list[str]) -> str:
    return "|".join(name for name, yes in zip(label_names, chosen, strict=True) if yes)


def write(path: Path, rows: Dataset, logits: np.ndarray, *, problem_type: str, label_names: list[str] | None) -> None:
    """One CSV line for each row: id, text, gold, predicted, whether it was cut, its tokens, and the probabilities."""
    columns: dict[str, list] = {name: rows[name] for name in ("id", "text", "text_pair") if name in rows.column_names}
    columns["gold"] = gold(np.asarray(rows["labels"]), problem_type, label_names)
    columns["predicted"] = predicted(logits, problem_type, label_names)
    columns |= {"cut": rows["cut"], "tokens": rows["length"]}
    if problem_type != "regression":
        shares = probabilities(logits, problem_type)
        columns |= {f"p_{name}": [f"{p:.6f}" for p in shares[:, i]] for i, name in enumerate(label_names or [])}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
