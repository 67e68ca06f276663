"""Any number of labels a row, of very many: a row is the ids of its labels, not a 0 or 1 for each of all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasets import List, Value
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from ...models.losses import IGNORE
from ...report import bootstrap
from . import metrics, tables
from .many_labels import BY_LABEL, ManyLabels
from .most_likely import Outputs
from .multi_label import MultiLabel
from .problem import counted
from .ratios import mean, precision_recall_f1, ratio

NAMED = 12  # labels of a row, for reading
_NUMBERS = 4_000_000  # of all labels in the resamples that are counted at a time


class ManyMultiLabel(ManyLabels, MultiLabel):
    """`gold` and `predicted` are sparse, bool [N, K]; `logits` are `Outputs`, `encode` gives the ids of a row."""

    feature = List(Value("int32"))

    @property
    def indicators(self) -> int | None:
        return len(self.label_names)

    def encode(self, values: list) -> list[list[int]]:  # type: ignore[override]
        ids = {value: number for number, value in enumerate(self.labels)}
        return [sorted(ids[value] for value in row) for row in values]

    def array(self, encoded: Any) -> sparse.csr_matrix:
        """Lists of ids, or ids [N, m] filled up with `IGNORE`."""
        if sparse.issparse(encoded):
            return encoded
        if isinstance(encoded, np.ndarray):
            there = encoded != IGNORE
            ids, sizes = encoded[there], there.sum(1)
        else:
            ids = np.array([one for row in encoded for one in row], dtype=np.int64)
            sizes = np.array([len(row) for row in encoded], dtype=np.int64)
        ends = np.concatenate([[0], np.cumsum(sizes)])
        return sparse.csr_matrix((np.ones(len(ids), bool), ids, ends), shape=(len(sizes), len(self.label_names)))

    def named(self, encoded: Any) -> list[list[str]]:
        rows: Iterable = np.split(encoded.indices, encoded.indptr[1:-1]) if sparse.issparse(encoded) else encoded
        return [[self.label_names[one] for one in row] for row in rows]

    def balance_line(self, encoded: list) -> str:
        found = Counter(one for row in encoded for one in row)
        counts = {name: found[number] for number, name in enumerate(self.label_names)}
        none = sum(not row for row in encoded)
        return f"labels of train: {', '.join([*counted(counts, len(encoded)), f'rows without a label {none:,}'])}"

    def decided(self, logits: Any) -> sparse.csr_matrix:
        return self.array(logits.answers)

    def sums(self, gold: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        return self.rows_of(gold), np.diff(gold.indptr)

    def always(self, labels: np.ndarray, rows: int) -> sparse.csr_matrix:
        return self.array([labels.tolist()] * rows)

    def hits(self, gold: sparse.csr_matrix, predicted: sparse.csr_matrix) -> sparse.csr_matrix:
        return gold.multiply(predicted).tocsr()

    def gold(self, encoded: Any) -> list[str]:
        return ["|".join(names) for names in self.named(self.array(encoded))]

    def parse(self, text: str) -> list[int]:  # type: ignore[override]
        return sorted({self.ids[name] for name in self.names_in(text)})

    def stack(self, parsed: list) -> sparse.csr_matrix:
        return self.array(parsed)

    def shown(self, value: Any) -> str:
        names = self.named(value)[0]
        more = [f"and {len(names) - NAMED:,} more"] if len(names) > NAMED else []
        return ", ".join(names[:NAMED] + more) or "none"

    def key(self, value: Any) -> Any:
        return tuple(sorted(self.named(value)[0]))

    def _figures(self, logits: Any, encoded: sparse.csr_matrix) -> dict[str, float]:
        predicted = self.array(logits.answers)
        wrong = encoded != predicted
        right = {
            "subset_accuracy": float(self.right(encoded, predicted).mean()),
            "hamming_loss": float(wrong.nnz / np.prod(encoded.shape)),
        }
        return right | metrics.f1(encoded.astype(int), predicted.astype(int))

    def tables(self, logits: Any, encoded: sparse.csr_matrix) -> list[str]:
        gold, predicted = (one.astype(int) for one in (encoded, self.array(logits.answers)))
        return tables.per_class_table(gold, predicted, self.label_names, file=BY_LABEL)

    def files(self, logits: Any, encoded: sparse.csr_matrix, train: list) -> dict[str, list[list]]:
        return {BY_LABEL: self.label_rows(encoded, self.array(logits.answers), train)}

    def linear_model(self, vectors, texts: Sequence[str], encoded: sparse.csr_matrix, test: Sequence[str]):
        linear = OneVsRestClassifier(LogisticRegression(max_iter=1000))
        found = self.linear_baseline(vectors, texts, encoded.astype(int), test, linear)
        if isinstance(found, Outputs):
            return "the nearest text of train", found
        odds = np.clip(found, 1e-9, 1 - 1e-9)
        return "logistic regressions", self.of_logits(np.log(odds / (1 - odds)))

    def sure_of(self, encoded: sparse.csr_matrix) -> Outputs:
        sizes = np.diff(encoded.indptr)
        answers = np.full((encoded.shape[0], max(1, sizes.max(initial=0))), IGNORE)
        answers[np.arange(answers.shape[1]) < sizes[:, None]] = encoded.indices
        return Outputs(answers[:, :1], np.ones((len(answers), 1)), answers, np.full(len(answers), np.nan))

    def rows_of(self, gold: sparse.csr_matrix) -> np.ndarray:
        return np.bincount(gold.indices, minlength=len(self.label_names))

    def right(self, gold: sparse.csr_matrix, predicted: sparse.csr_matrix) -> np.ndarray:
        return (np.diff((gold != predicted).tocsr().indptr) == 0).astype(float)

    row_figure = right

    def headline_of_weights(self, gold, predicted, weights: np.ndarray) -> np.ndarray:
        parts = _hits_given_there(gold, predicted)
        hits, given, there = (weights @ np.diff(one.indptr) for one in parts)
        macro = []
        step = max(1, _NUMBERS // len(self.label_names))
        for start in range(0, len(weights), step):
            some = precision_recall_f1(*(weights[start : start + step] @ one for one in parts))[:, 2]
            macro += [np.nanmean(row) if not np.isnan(row).all() else np.nan for row in some]
        return np.stack(
            [ratio(2 * hits, given + there), np.array(macro), mean(weights, self.right(gold, predicted))], axis=1
        )

    def headline(self, gold, predicted):
        rows = gold.shape[0]
        drawn = bootstrap.resample(lambda w: self.headline_of_weights(gold, predicted, w), bootstrap.weights(rows))
        return self.headline_of_weights(gold, predicted, np.ones((1, rows)))[0], drawn

    def wrongness(self, gold, predicted, probabilities: np.ndarray | None) -> tuple[np.ndarray, bool]:
        """How many labels are wrong, most first: probabilities of all labels are not kept."""
        return np.diff((gold != predicted).tocsr().indptr).astype(float), False


def _hits_given_there(gold, predicted) -> list[sparse.csr_matrix]:
    """What adds up rows by label: [N, K] each."""
    return [one.tocsr().astype(float) for one in (gold.multiply(predicted), predicted, gold)]
