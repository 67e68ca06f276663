"""One label a row, of very many: what occurs is counted, and no table of all labels by all labels is made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from ...report import bootstrap
from . import metrics, tables
from .many_labels import BY_LABEL, CONFUSIONS, ManyLabels
from .most_likely import Outputs
from .problem import Drawn
from .ratios import precision_recall_f1
from .single_label import SingleLabel

DRAWN = 24  # labels in the picture of confusions


class ManySingleLabel(ManyLabels, SingleLabel):
    """`gold` and `predicted` are int [N], class ids; `logits` are `Outputs`."""

    def decided(self, logits: Any) -> np.ndarray:
        return logits.answers[:, 0]

    def _figures(self, logits: Any, encoded: np.ndarray) -> dict[str, float]:
        predicted = logits.answers[:, 0]
        same = metrics.accuracy(encoded, predicted) | metrics.f1(encoded, predicted)
        return same | metrics.matthews_of_many(encoded, predicted, len(self.label_names))

    def tables(self, logits: Any, encoded: np.ndarray) -> list[str]:
        pairs = metrics.confusion_pairs(encoded, logits.answers[:, 0], len(self.label_names))
        return [
            *tables.per_class_table(encoded, logits.answers[:, 0], self.label_names, file=BY_LABEL),
            *tables.top_confusions(pairs, self.label_names, file=CONFUSIONS),
        ]

    def files(self, logits: Any, encoded: np.ndarray, train: list) -> dict[str, list[list]]:
        predicted = logits.answers[:, 0]
        wrong = metrics.wrong_pairs(metrics.confusion_pairs(encoded, predicted, len(self.label_names)))
        names = self.label_names
        pairs = [[names[gold], names[other], int(rows)] for gold, other, rows in zip(*wrong, strict=True)]
        return {
            BY_LABEL: self.label_rows(encoded, predicted, train),
            CONFUSIONS: [["gold", "predicted", "rows"], *pairs],
        }

    def linear_model(self, vectors, texts: Sequence[str], encoded: np.ndarray, test: Sequence[str]):
        model = LogisticRegression(max_iter=1000)
        found = self.linear_baseline(vectors, texts, encoded, test, model)
        if isinstance(found, Outputs):
            return "the nearest text of train", found
        scores = np.full((len(test), len(self.label_names)), -50.0)
        scores[:, model.classes_] = np.log(np.maximum(found, 1e-20))
        return "logistic regression", self.of_logits(scores)

    def sure_of(self, encoded: np.ndarray) -> Outputs:
        ids, ones = encoded[:, None], np.ones((len(encoded), 1))
        return Outputs(ids, ones, ids, np.full(len(encoded), np.nan))

    def rows_of(self, gold: np.ndarray) -> np.ndarray:
        return np.bincount(gold, minlength=len(self.label_names))

    def headline_of_weights(self, gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _Cells(gold, predicted).figures(weights)

    def headline(self, gold: np.ndarray, predicted: np.ndarray) -> Drawn:
        pairs = metrics.confusion_pairs(gold, predicted, len(self.label_names))
        cells = _Cells(pairs.gold, pairs.predicted)
        return cells.figures(pairs.rows[None])[0], bootstrap.resample(cells.figures, bootstrap.counts(pairs.rows))

    def headline_at(self, share: float, gold: np.ndarray) -> np.ndarray:
        """Without a table of all labels by all: Matthews of many labels nears the share itself."""
        return np.array([share, share, share, share])

    def confused(self, gold: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
        """Beside `labels` and `counts`, which are those of the labels that are confused most and of all others
        together: the `pairs` confused most, how many rows are `right`, `rows`, and `of` how many labels."""
        pairs = metrics.confusion_pairs(gold, predicted, len(self.label_names))
        wrong = metrics.wrong_pairs(pairs)
        both = np.column_stack([wrong.gold, wrong.predicted])[: DRAWN * DRAWN].ravel().tolist()
        shown = list(dict.fromkeys([*both, *self.shown_labels(gold)]))[:DRAWN]
        place = np.full(len(self.label_names), len(shown))
        place[shown] = np.arange(len(shown))
        counts = np.zeros((len(shown) + 1, len(shown) + 1), dtype=np.int64)
        np.add.at(counts, (place[pairs.gold], place[pairs.predicted]), pairs.rows)
        names = self.label_names
        return {
            "labels": [*(names[label] for label in shown), f"({len(names) - len(shown):,} others)"],
            "counts": counts,
            "pairs": [
                {"gold": names[one], "predicted": names[other], "rows": int(rows)}
                for one, other, rows in list(zip(*wrong, strict=True))[: tables.LABELS_SHOWN]
            ],
            "different_pairs": len(wrong.rows),
            "right": int((gold == predicted).sum()),
            "rows": len(gold),
            "of": len(names),
        }

    def wrongness(self, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None):
        """The probability of a wrong label; `probabilities` [N] are those of the predicted ones."""
        if probabilities is None:
            return 1 - self.right(gold, predicted), False
        return np.where(gold != predicted, probabilities, 0), True


class _Cells:
    """Pairs of a gold and a predicted label, counted any number of times: figures of `weights` [b, U] of U pairs.

    `labels` are those looked at; None: all that occur.
    """

    def __init__(self, gold: np.ndarray, predicted: np.ndarray, labels: Sequence[int] | None = None):
        known = np.unique(np.concatenate([gold, predicted])) if labels is None else np.sort(labels)
        self.order = slice(None) if labels is None else np.searchsorted(known, labels)
        self.right = gold == predicted
        self.there, self.given = (_sums(ids, known) for ids in (gold, predicted))
        self.hits = sparse.diags(self.right.astype(float)).tocsr() @ self.there

    def figures(self, weights: np.ndarray) -> np.ndarray:
        """Accuracy, macro F1 (over labels that occur), weighted F1, Matthews correlation: [b, 4]."""
        weights = np.asarray(weights, float)
        total, hits = weights.sum(1), weights @ self.right
        given, there = weights @ self.given, weights @ self.there
        f1 = precision_recall_f1(weights @ self.hits, given, there)[:, 2]
        spread = np.sqrt(np.maximum((total**2 - (given**2).sum(1)) * (total**2 - (there**2).sum(1)), 0))
        chance = (given * there).sum(1)
        matthews = np.divide(hits * total - chance, spread, out=np.zeros(len(weights)), where=spread > 0)
        return np.stack([hits / total, np.nanmean(f1, axis=1), np.nansum(f1 * there, 1) / total, matthews], axis=1)


def _sums(ids: np.ndarray, known: np.ndarray) -> sparse.csr_matrix:
    """What adds up the weights of pairs by label: [U, L], 1 where the pair has the label."""
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    there = np.flatnonzero(known[place] == ids)
    return sparse.csr_matrix((np.ones(len(there)), (there, place[there])), shape=(len(ids), len(known)))
