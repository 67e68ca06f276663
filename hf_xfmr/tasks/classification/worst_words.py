"""The words that decided the worst errors, for a run's report: found while the model is still at hand.

It takes no longer than predicting the split did: rows are explained until they have had as many tokens, ROWS at most.
"""

from pathlib import Path
from typing import Any

from ...engines.pytorch import Rows
from ...training import XfmrTrainer
from ...training.many_processes import is_spread
from . import evaluation, left_out, predictions
from .classifier import Classifier
from .data import ClassificationData
from .words import Row, spans_of

ROWS = 20
SPANS = 24  # of a row: of longer texts several words are one
MANY = 100  # labels from which answers name the likeliest only


def of_worst(
    trainer: XfmrTrainer, model: Any, corpus: ClassificationData, split: str, folder: Path
) -> dict[str, Any] | None:
    """{"split", "rows": {id: [[start, end, share] of each word of the text]}}, from the split's predictions file; None
    where the model lies in parts on several devices, or has very many labels."""
    problem = corpus.problem
    if is_spread(model) or len(problem.label_names) > MANY or not trainer.is_world_process_zero():
        return None
    rows = predictions.read(
        folder / f"predictions-{split}.csv", problem_type=problem.problem_type, labels=problem.label_names or None
    )
    model.eval()
    classifier = Classifier(str(folder), engine=Rows.of(model, corpus.tokenizer), temperature=1.0)
    found: dict[str, Any] = {}
    room = sum(rows.tokens if rows.tokens is not None else map(len, rows.texts))
    for one in evaluation.worst(rows.only_answered(), most=ROWS):
        row = Row(one["text"], one["text_pair"])
        spans = spans_of(row, SPANS)
        room -= (one["tokens"] or len(row.text)) * (len(spans) + 2)
        if room < 0:
            break
        shares = left_out.shares(classifier, row, spans)["shares"]
        found[str(one["id"])] = [
            [span.start, span.end, round(share, 4)]
            for span, share in zip(spans, shares, strict=True)
            if not span.of and share > 0
        ]
    return {"split": split, "rows": found} if found else None
