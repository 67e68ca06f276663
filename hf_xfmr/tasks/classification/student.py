"""How a student does beside its teacher: on the same rows, in turns."""

from typing import Any

import numpy as np

from ...engines.pytorch import Rows
from ...run import side_by_side
from .classifier import Classifier
from .data import ClassificationData
from .teacher import Teacher

ROWS = 256  # whose reading is timed


def beside_teacher(trainer: Any, model: Any, corpus: ClassificationData, teacher: Teacher) -> dict[str, Any] | None:
    """What run.json keeps as `distilled` (see `side_by_side.beside`), by the figure that the rows are judged by, with
    tokenizing in the speeds; None where nothing is held out."""
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
    right = [np.asarray(problem.decided(np.asarray(answers[who])) == gold, float) for who in ("student", "teacher")]
    student = Classifier(str(trainer.args.output_dir), engine=Rows.of(model, corpus.tokenizer), temperature=1.0)
    was = model.training
    model.eval()
    texts, beside = rows["text"][:ROWS], None if pairs is None else pairs[:ROWS]
    found = side_by_side.beside(
        {"name": teacher.name, "split": split, "rows": len(rows), "figure": name},
        scores,
        {"student": model, "teacher": teacher.model},
        {
            "student": lambda: student._logits(student.encoder(pairs is not None), texts, beside, 64),
            "teacher": lambda: teacher.classifier._logits(
                teacher.classifier.encoder(pairs is not None), texts, beside, 64
            ),
        },
        len(texts),
        drawn=lambda weights: (weights @ right[0] / len(rows), weights @ right[1] / len(rows)),
    )
    model.train(was)
    return found
