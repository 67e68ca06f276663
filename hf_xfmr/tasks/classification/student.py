"""How a student does beside its teacher: on the same rows, in turns."""

from typing import Any

import numpy as np

from ...engines.pytorch import Rows
from ...report.names import is_lower
from ...run import side_by_side
from .classifier import Classifier
from .data import ClassificationData
from .many_labels import ManyLabels
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
    name = problem.judged_by(problem.gold_of(gold))
    said: Any = teacher.logits(rows["text"][:], pairs, problem, bf16=bool(trainer.args.bf16))
    answers = {
        "student": problem.outputs(trainer.predictions(rows)),
        "teacher": problem.of_logits(said) if isinstance(problem, ManyLabels) else said,
    }
    found = {who: problem.figures(one, gold) for who, one in answers.items()}
    scores = {who: float(one[name]) for who, one in found.items()}
    more = [figure for figure in problem.headline_names if figure != name and figure in found["student"]]
    place, there = problem.headline_names.index(name), problem.gold_of(gold)
    decided = [problem.decided(answers[who]) for who in ("student", "teacher")]

    def drawn(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        student, teacher = (problem.headline_of_weights(there, one, weights)[:, place] for one in decided)
        return student, teacher

    student = Classifier(str(trainer.args.output_dir), engine=Rows.of(model, corpus.tokenizer), temperature=1.0)
    was = model.training
    model.eval()
    texts, beside = rows["text"][:ROWS], None if pairs is None else pairs[:ROWS]
    told = side_by_side.beside(
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
        drawn=drawn,
        lower=is_lower(name),
        more={figure: {who: float(one[figure]) for who, one in found.items()} for figure in more},
    )
    model.train(was)
    return told
