"""Any number of labels a row: a sigmoid each, F1, a threshold for each label."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasets import List, Value
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from ...errors import UserError
from ...plain import some
from ...report import contests
from . import metrics, tables
from .judged import ByLabel
from .problem import Problem, Refuse, counted
from .ratios import mean, precision_recall_f1, ratio


class MultiLabel(Problem):
    """`gold` and `predicted` are bool [N, K]."""

    problem_type = "multi_label_classification"
    feature = List(Value("float32"))
    headline_names = ["f1_micro", "f1_macro", "subset_accuracy"]
    slice_figure = "share with all labels right"
    several = True

    @classmethod
    def is_missing(cls, value) -> bool:
        return value is None or None in value

    @classmethod
    def checked(cls, values: list, refuse: Refuse) -> list:
        refuse(
            [len(set(value)) < len(value) for value in values],
            "lists a label twice there; a row lists the labels that hold, each once, not a 0 or 1 for every label",
        )
        return values

    def encode(self, values: list) -> list[list[float]]:
        return [[float(one in row) for one in self.labels] for row in values]

    def no_label(self) -> list:
        return self.encode([[]])[0]

    def named(self, encoded: Iterable) -> list[list[str]]:
        return [[name for name, holds in zip(self.label_names, row, strict=True) if holds] for row in encoded]

    def balance_line(self, encoded: list) -> str:
        counts = {name: int(n) for name, n in zip(self.label_names, np.sum(encoded, axis=0), strict=True)}
        none = sum(not any(row) for row in encoded)
        return f"labels of train: {', '.join([*counted(counts, len(encoded)), f'rows without a label {none:,}'])}"

    def decided(self, logits: Any) -> np.ndarray:
        return logits >= 0

    def predicted(self, logits: Any) -> list[str]:
        return ["|".join(names) for names in self.named(self.decided(logits))]

    def gold(self, encoded: np.ndarray) -> list[str]:
        return ["|".join(names) for names in self.named(encoded > 0)]

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(logits)

    @classmethod
    def names_in(cls, text: str) -> list[str]:
        return [name for name in text.split("|") if name]

    def parse(self, text: str) -> np.ndarray:
        row = np.zeros(len(self.label_names), dtype=bool)
        row[[self.ids[name] for name in self.names_in(text)]] = True
        return row

    def shown(self, value: np.ndarray) -> str:
        return some(self.named([value])[0]) or "none"

    def renumbered(self, values: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        return values[:, [self.ids[name] for name in labels]]

    def _figures(self, logits: np.ndarray, encoded: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        if encoded.shape[1] < 2:
            raise UserError(
                "a multi-label problem needs two labels at least: with one, make it a yes/no classification"
            )
        encoded, predicted = encoded.astype(int), predicted.astype(int)
        ranking = metrics.roc_auc(encoded, logits, label_names=self.label_names)
        return metrics.accuracy(encoded, predicted) | metrics.f1(encoded, predicted) | ranking

    def tables(self, encoded: np.ndarray, predicted: np.ndarray) -> list[str]:
        return tables.per_class_table(encoded, predicted, self.label_names)

    def linear_model(self, vectors, texts: Sequence[str], encoded: np.ndarray, test: Sequence[str]):
        linear = OneVsRestClassifier(LogisticRegression(max_iter=1000))
        model = make_pipeline(vectors, linear).fit(texts, encoded.astype(int))
        odds = np.clip(model.predict_proba(test), 1e-9, 1 - 1e-9)
        return "logistic regressions", np.log(odds / (1 - odds))

    def headline_of_weights(self, gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Micro F1, macro F1 (over labels that occur) and the share of rows with all labels right: [b, N] -> [b, 3]."""
        hits, given, there = ((weights @ hit.sum(1)) for hit in (gold & predicted, predicted, gold))
        f1 = _by_label(gold, predicted, weights)[:, 2]
        macro = np.array([np.nanmean(row) if not np.isnan(row).all() else np.nan for row in f1])
        return np.stack([ratio(2 * hits, given + there), macro, mean(weights, self.right(gold, predicted))], axis=1)

    def headline_at(self, share: float, gold: Any) -> np.ndarray:
        """A row that is wrong has none of its labels, and another for each."""
        return np.array([share, share, share])

    def right(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return (gold == predicted).all(axis=1).astype(float)

    row_figure = right

    def wrongness(
        self, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
    ) -> tuple[np.ndarray, bool]:
        """The most that the probability of a wrong label is from what it should be."""
        if probabilities is None:
            return 1 - self.right(gold, predicted), False
        return np.where(gold != predicted, np.abs(probabilities - gold), 0).max(axis=1), True

    def thresholds(self) -> list[tuple[int, list[float]]]:
        return [(label, [0.5]) for label in range(len(self.label_names))]

    def holds(self, gold: np.ndarray, label: int) -> np.ndarray:
        return gold[:, label]

    def unread(self, train: Any, rows: int) -> tuple[str, str, Any]:
        """Those labels for every row whose micro F1 on train is highest: the commonest, as many as pay."""
        there = self.sums(self.array(train))[0]
        order = np.argsort(-there, kind="stable")
        found = np.cumsum(there[order])
        f1 = 2 * found / (np.arange(1, len(order) + 1) * len(train) + max(1, there.sum()))
        best = order[: int(f1.argmax()) + 1]
        return "commonest", some([self.label_names[label] for label in best], most=3), self.always(best, rows)

    def sums(self, gold: Any) -> tuple[np.ndarray, np.ndarray]:
        """How many rows have each label [K], and how many labels each row has [N]."""
        holds = np.asarray(gold) > 0
        return holds.sum(0), holds.sum(1)

    def always(self, labels: np.ndarray, rows: int) -> Any:
        """The same labels for every row."""
        row = np.zeros(len(self.label_names), dtype=bool)
        row[labels] = True
        return np.tile(row, (rows, 1))

    def hits(self, gold: Any, predicted: Any) -> Any:
        """Labels that are there and given."""
        return gold & predicted

    def judged_by(self, gold: Any) -> str:
        return "f1_micro"

    def contest(self, name: str, gold: Any, theirs: Any, ours: Any) -> contests.Contest:
        there = self.sums(gold)[1]
        counts = [
            np.stack([self.sums(self.hits(gold, one))[1], self.sums(one)[1], there], axis=1) for one in (theirs, ours)
        ]
        return contests.f1_of_counts(name, *counts)

    def one_answer(self, predicted: Any) -> str | None:
        by_label, by_row = self.sums(predicted)
        always = by_label == len(by_row)
        if not len(by_row) or by_row.min() != by_row.max() or always.sum() != by_row[0]:
            return None
        return some([self.label_names[label] for label in np.flatnonzero(always)], most=3) or "none"

    def gold_of(self, encoded: Any) -> Any:
        return encoded > 0

    def counts_by_label(self, gold: Any, predicted: Any) -> ByLabel:
        hits, given, there = (self.sums(one)[0] for one in (self.hits(gold, predicted), predicted, gold))
        return hits, given, there

    @classmethod
    def example(cls, number: int, num_labels: int) -> list[float]:
        return [float(label % 2 == number % 2) for label in range(num_labels)]


def _by_label(gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Precision, recall and F1: [b, N] -> [b, 3, K]."""
    return precision_recall_f1(*(weights @ hit.astype(float) for hit in (gold & predicted, predicted, gold)))
