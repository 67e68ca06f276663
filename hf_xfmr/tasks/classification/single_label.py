"""One label a row, of two or more: softmax, accuracy, a confusion matrix."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasets import Value
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ...models.losses import IGNORE
from ...report import bootstrap, contests
from . import metrics, tables
from .judged import ByLabel
from .problem import Drawn, Problem, counted
from .ratios import of_table

THRESHOLDS = [t / 10 for t in range(1, 10)]
LOPSIDED = 0.8  # share of rows with one label, from which on accuracy says little


class SingleLabel(Problem):
    """`gold` and `predicted` are int [N], class ids."""

    problem_type = "single_label_classification"
    feature = Value("int64")
    headline_names = ["accuracy", "f1_macro", "f1_weighted", "mcc"]
    slice_figure = "accuracy"

    def encode(self, values: list) -> list[int]:
        ids = {value: number for number, value in enumerate(self.labels)}
        return [ids[value] for value in values]

    def no_label(self) -> int:
        return IGNORE

    def named(self, encoded: Iterable) -> list[str]:
        return [self.label_names[label] for label in encoded]

    def balance_line(self, encoded: list) -> str:
        found = Counter(encoded)
        counts = {name: found[number] for number, name in enumerate(self.label_names)}
        return f"labels of train: {', '.join(counted(counts, len(encoded)))}"

    def class_weights(self, encoded: list) -> list[float]:
        count = Counter(encoded)
        return [
            len(encoded) / (len(count) * count[label]) if count[label] else 0.0
            for label in range(len(self.label_names))
        ]

    def decided(self, logits: Any) -> np.ndarray:
        return logits.argmax(-1)

    def predicted(self, logits: Any) -> list[str]:
        return self.named(self.decided(logits))

    def gold(self, encoded: np.ndarray) -> list[str]:
        return self.named(encoded)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return softmax(logits, axis=-1)

    def parse(self, text: str) -> int:
        return self.ids[text]

    def shown(self, value: np.integer) -> str:
        return self.label_names[value]

    def renumbered(self, values: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        places = {name: place for place, name in enumerate(labels)}
        return np.array([places[name] for name in self.label_names])[values]

    def _figures(self, logits: np.ndarray, encoded: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        ranking = metrics.roc_auc(encoded, softmax(logits, 1), label_names=self.label_names)
        same = metrics.accuracy(encoded, predicted) | metrics.f1(encoded, predicted)
        return same | metrics.matthews_correlation(encoded, predicted) | ranking

    def tables(self, encoded: np.ndarray, predicted: np.ndarray) -> list[str]:
        counts = metrics.confusion(encoded, predicted, len(self.label_names))
        return [
            *tables.per_class_table(encoded, predicted, self.label_names),
            *tables.confusion_table(counts, self.label_names),
        ]

    def linear_model(self, vectors, texts: Sequence[str], encoded: np.ndarray, test: Sequence[str]):
        model = make_pipeline(vectors, LogisticRegression(max_iter=1000)).fit(texts, encoded)
        scores = np.full((len(test), len(self.label_names)), -50.0)
        scores[:, model.classes_] = model.predict_log_proba(test)
        return "logistic regression", scores

    def confusion(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        k = len(self.label_names)
        return np.bincount(gold * k + predicted, minlength=k * k).reshape(k, k)

    def headline_of_weights(self, gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
        k = len(self.label_names)
        cells = gold * k + predicted
        tables = np.stack([np.bincount(cells, weights=row, minlength=k * k) for row in weights])
        return _figures_of(tables.reshape(-1, k, k))

    def headline(self, gold: np.ndarray, predicted: np.ndarray) -> Drawn:
        table = self.confusion(gold, predicted)
        return _figures_of(table[None])[0], bootstrap.resample(_figures_of, bootstrap.counts(table))

    def headline_at(self, share: float, gold: np.ndarray) -> np.ndarray:
        """Each label loses as much, to all others alike."""
        there = np.bincount(gold, minlength=len(self.label_names)).astype(float)
        wrong = (1 - share) * there / max(1, len(there) - 1)
        table = np.repeat(wrong[:, None], len(there), axis=1)
        np.fill_diagonal(table, share * there)
        return _figures_of(table[None])[0]

    def right(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return (gold == predicted).astype(float)

    row_figure = right

    def wrongness(
        self, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
    ) -> tuple[np.ndarray, bool]:
        """The probability of a wrong label."""
        if probabilities is None:
            return 1 - self.right(gold, predicted), False
        return np.where(gold != predicted, probabilities[np.arange(len(gold)), predicted], 0), True

    def thresholds(self) -> list[tuple[int, list[float]]]:
        """Of two labels the second."""
        return [(1, THRESHOLDS)] if len(self.label_names) == 2 else []

    def unread(self, train: Any, rows: int) -> tuple[str, str, np.ndarray]:
        commonest = Counter(train).most_common(1)[0][0]
        return "majority", self.label_names[commonest], np.full(rows, commonest)

    def judged_by(self, gold: np.ndarray) -> str:
        """Accuracy; macro F1 where one label has so many rows that never giving another is nearly always right."""
        return "f1_macro" if np.unique(gold, return_counts=True)[1].max() >= LOPSIDED * len(gold) else "accuracy"

    def contest(self, name: str, gold: np.ndarray, theirs: np.ndarray, ours: np.ndarray) -> contests.Contest:
        if name == "accuracy":
            return contests.right_or_wrong(name, gold == theirs, gold == ours)
        place = self.headline_names.index(name)
        kinds, times = np.unique(np.stack([gold, theirs, ours], axis=1), axis=0, return_counts=True)

        def of(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            there = kinds[:, 0]
            both = [self.headline_of_weights(there, kinds[:, side], weights)[:, place] for side in (1, 2)]
            return both[0], both[1]

        return contests.drawn(name, of, times)

    def one_answer(self, predicted: np.ndarray) -> str | None:
        return self.label_names[predicted[0]] if len(predicted) and np.ptp(predicted) == 0 else None

    def counts_by_label(self, gold: np.ndarray, predicted: np.ndarray) -> ByLabel:
        hits, given, there = (
            np.bincount(ids, minlength=len(self.label_names)) for ids in (gold[gold == predicted], predicted, gold)
        )
        return hits, given, there

    @classmethod
    def example(cls, number: int, num_labels: int) -> int:
        return number % num_labels


def _figures_of(table: np.ndarray) -> np.ndarray:
    """Accuracy, macro F1 (over labels that occur), weighted F1, Matthews correlation: [b, K, K] -> [b, 4]."""
    total, hits = table.sum((1, 2)), np.trace(table, axis1=1, axis2=2)
    given, there = table.sum(1).astype(float), table.sum(2).astype(float)
    f1 = of_table(table)[:, 2]
    spread = np.sqrt(np.maximum((total**2 - (given**2).sum(1)) * (total**2 - (there**2).sum(1)), 0))
    matthews = np.divide(hits * total - (given * there).sum(1), spread, out=np.zeros(len(table)), where=spread > 0)
    return np.stack([hits / total, np.nanmean(f1, axis=1), np.nansum(f1 * there, 1) / total, matthews], axis=1)
