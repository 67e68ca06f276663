"""What the kinds of many labels have in common: nothing here is quadratic in them, and what is shown is a screenful."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers.utils import logging

from ...errors import UserError
from . import most_likely, tables
from .most_likely import Outputs
from .problem import Problem
from .ratios import precision_recall_f1

logger = logging.get_logger(__name__)

BY_LABEL, CONFUSIONS = "labels.csv", "confusions.csv"
FITTED = 20_000_000  # numbers that a linear baseline may take for its weights, or for its rows' scores
SEARCHED = 1000  # test rows compared with all of train at a time
FIGURES = ("precision", "recall", "f1")


class ManyLabels(Problem):
    """A mixin for a kind of problem with more than `answers.WHOLE` labels, of which `logits` are `Outputs`."""

    label_names: list[str]

    def outputs(self, predictions: Any) -> Outputs:
        return predictions if isinstance(predictions, Outputs) else Outputs(*predictions)

    def of_logits(self, logits: np.ndarray) -> Outputs:
        """`Outputs` of logits [N, K]."""
        return most_likely.of_array(logits, self.several)

    def figures(self, logits: Any, encoded: Any) -> dict[str, float]:
        bad = np.flatnonzero(~np.isfinite(logits.shares).all(1))
        if bad.size:
            raise UserError(
                f"the outputs for {bad.size} of {len(logits)} rows (the first is row {bad[0]}) are NaN or infinite; "
                "training has diverged: lower the learning rate and start from the last good checkpoint"
            )
        logger.warning_once(
            f"roc_auc is left out: with {len(self.label_names):,} labels it takes every row's probabilities of all of "
            "them, which are not kept."
        )
        return self._figures(logits, self.array(encoded))

    def example_outputs(self, encoded: Any) -> Outputs:
        return self.sure_of(self.array(encoded))

    def share_columns(self, logits: Outputs) -> dict[str, list]:
        """`top1`, `top1_probability` to `top10`: the likeliest labels; with one label a row also `gold_probability`."""
        columns: dict[str, list] = {}
        if not self.several:
            columns["gold_probability"] = [f"{share:.6f}" for share in logits.gold_share]
        for place in range(logits.labels.shape[1]):
            columns[f"top{place + 1}"] = [self.label_names[label] for label in logits.labels[:, place]]
            columns[f"top{place + 1}_probability"] = [f"{share:.6f}" for share in logits.shares[:, place]]
        return columns

    # What is shown of the labels

    def rows_of(self, gold: Any) -> np.ndarray:
        """Rows that bear each label: [K]."""
        raise NotImplementedError

    def scores(self, gold: Any, predicted: Any) -> np.ndarray:
        """Precision, recall and F1 of each label, [3, K]; NaN where undefined."""
        return precision_recall_f1(*self.counts_by_label(gold, predicted))

    def shown_labels(self, gold: Any) -> Sequence[int]:
        return np.argsort(-self.rows_of(gold), kind="stable")[: tables.LABELS_SHOWN].tolist()

    def left_out(self, gold: Any, predicted: Any) -> dict[str, Any]:
        """`labels` that are not shown, the most `rows` that one of them has, and their mean `f1`."""
        rest = np.setdiff1d(np.arange(len(self.label_names)), self.shown_labels(gold))
        f1 = np.nan_to_num(self.scores(gold, predicted)[2])
        return {"labels": len(rest), "rows": int(self.rows_of(gold)[rest].max()), "f1": float(f1[rest].mean())}

    def label_rows(self, gold: Any, predicted: Any, train: list) -> list[list]:
        """The rows of labels.csv."""
        learned: Counter = Counter()
        for labels in train:
            learned.update(labels if self.several else [labels])
        rows, given = self.rows_of(gold), self.rows_of(predicted)
        cells = [["" if np.isnan(one) else f"{one:.6f}" for one in figure] for figure in self.scores(gold, predicted)]
        header = ["label", "train_rows", "rows", "predicted", *FIGURES]
        numbers = range(len(self.label_names))
        return [header, *([name, learned[n], int(rows[n]), int(given[n]), *(figure[n] for figure in cells)]
                          for n, name in zip(numbers, self.label_names, strict=True))]  # fmt: skip

    # The baseline

    def linear_baseline(self, vectors, texts: Sequence[str], encoded: Any, test: Sequence[str], linear):
        """`linear` scikit-learn's, fitted on texts, where its weights have room; else the nearest text of train."""
        found = vectors.fit_transform(texts)
        if len(self.label_names) * max(found.shape) > FITTED:
            return self._nearest(found, vectors.transform(test), encoded)
        return linear.fit(found, encoded).predict_proba(vectors.transform(test))

    def _nearest(self, train, test, encoded: Any) -> Outputs:
        near = []
        for start in range(0, test.shape[0], SEARCHED):
            near.append(np.asarray((test[start : start + SEARCHED] @ train.T).argmax(axis=1)).ravel())
        return self.sure_of(encoded[np.concatenate(near)])

    def sure_of(self, encoded: Any) -> Outputs:
        """Outputs that answer these labels, and nothing else."""
        raise NotImplementedError
