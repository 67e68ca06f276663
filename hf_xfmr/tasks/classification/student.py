"""How a student does beside its teacher: on the same rows, in turns."""

import statistics
import time
from typing import Any

import numpy as np
import torch

from ...engines.pytorch import Rows
from .classifier import Classifier
from .data import ClassificationData
from .teacher import Teacher

TURNS, ROWS = 5, 256  # of each model, of so many rows


def beside_teacher(trainer: Any, model: Any, corpus: ClassificationData, teacher: Teacher) -> dict[str, Any] | None:
    """What run.json keeps as `distilled`: the figure that the rows are judged by of both and the share kept, rows a
    second of both in float32 (medians of TURNS, taken in turns), and their sizes; None where nothing is held out."""
    split = next((name for name in ("test", "validation") if name in corpus.splits), None)
    if split is None:
        return None
    rows, problem = corpus.splits[split], corpus.problem
    pairs = rows["text_pair"][:] if "text_pair" in rows.column_names else None
    gold = problem.array(rows["labels"][:])
    name = "accuracy"
    answers = {
        "student": problem.outputs(trainer.predictions(rows)),
        "teacher": teacher.logits(rows["text"][:], pairs, problem, bf16=bool(trainer.args.bf16)),
    }
    scores = {who: float(problem.figures(np.asarray(one), gold)[name]) for who, one in answers.items()}
    student = Classifier(str(trainer.args.output_dir), engine=Rows.of(model, corpus.tokenizer), temperature=1.0)
    was = model.training
    model.eval()
    speeds = _speeds(
        {"student": student, "teacher": teacher.classifier},
        rows["text"][:ROWS],
        None if pairs is None else pairs[:ROWS],
    )
    model.train(was)
    sizes = {
        who: sum(p.numel() for p in one.parameters()) for who, one in (("student", model), ("teacher", teacher.model))
    }
    return {
        "name": teacher.name,
        "split": split,
        "rows": len(rows),
        "figure": name,
        **{who: {name: scores[who], "rows_per_second": speeds[who], "parameters": sizes[who]} for who in scores},
        "kept": scores["student"] / scores["teacher"] if scores["teacher"] else None,
        "times": speeds["student"] / speeds["teacher"],
        "threads": torch.get_num_threads(),
        "turns": TURNS,
    }


def _speeds(models: dict[str, Classifier], texts: list[str], pairs: list[str] | None) -> dict[str, float]:
    """Rows a second of each, tokenizing too: medians of turns in which one follows the other."""
    took: dict[str, list[float]] = {who: [] for who in models}
    for turn in range(TURNS + 1):
        for who, one in models.items():
            begun = time.perf_counter()
            one._logits(one.encoder(pairs is not None), texts, pairs, 64)
            if turn:  # the first is to warm up
                took[who].append(time.perf_counter() - begun)
    return {who: len(texts) / statistics.median(seconds) for who, seconds in took.items()}


def lines(found: dict[str, Any] | None) -> list[str]:
    """What is said of it."""
    if found is None:
        return ["student beside teacher: nothing is held out to compare them on; give --test_fraction 0.1"]
    small, large, name = found["student"], found["teacher"], found["figure"]
    kept = "" if found["kept"] is None else f", {found['kept']:.1%} kept"
    return [
        f"student beside teacher ({found['split']}, {found['rows']:,} rows): {name} {small[name]:.3f} and "
        f"{large[name]:.3f}{kept}",
        f"  {found['times']:.2f} times as fast: {small['rows_per_second']:,.0f} and {large['rows_per_second']:,.0f} "
        f"rows/s (float32, threads: {found['threads']}, medians of {found['turns']} turns)",
        f"  parameters: {small['parameters'] / 1e6:,.1f} and {large['parameters'] / 1e6:,.1f} million",
    ]
