"""A number a row, as a rating: squared error, correlations."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasets import Value
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from ...report import bootstrap, contests
from . import metrics
from .problem import Problem, Refuse
from .ratios import mean, ratio

LARGEST = np.finfo(float).max
MOST = 1e15  # of a rating: with room for the sums of squares that a loss takes


class Regression(Problem):
    """`gold` and `predicted` are float [N]; there are no labels, and no probabilities."""

    problem_type = "regression"
    feature = Value("float32")
    headline_names = ["pearson", "spearman", "r2", "rmse", "mae"]
    slice_figure = "mean absolute error"
    noun = "rating"
    has_names = False

    @classmethod
    def checked(cls, values: list, refuse: Refuse) -> list[float]:
        values = [_number(value) for value in values]
        refuse(
            [not math.isfinite(value) for value in values],
            "holds no finite number there, and regression needs one a row; correct it, or remove the rows",
        )
        refuse(
            [abs(value) > MOST for value in values],
            f"holds a number beyond {MOST:.0e}, whose square float32 can't hold; give the ratings a smaller scale",
        )
        return values

    def encode(self, values: list) -> list[float]:
        return values

    def no_label(self) -> float:
        return math.nan

    def named(self, encoded: Iterable) -> list[float]:
        return list(encoded)

    def balance_line(self, encoded: list) -> str:
        values = np.array(encoded)
        spread = f"sd {values.std():.3g}, from {values.min():.4g} to {values.max():.4g}"
        return f"ratings of train: mean {values.mean():.3g}, {spread}"

    def decided(self, logits: Any) -> np.ndarray:
        return np.asarray(logits, float).reshape(-1)

    def predicted(self, logits: np.ndarray) -> list[float]:
        return [float(value) for value in logits.reshape(-1)]

    def gold(self, encoded: np.ndarray) -> list[float]:
        return [float(value) for value in encoded]

    def parse(self, text: str) -> float:
        value = float(text)
        if not -LARGEST <= value <= LARGEST:  # NaN too
            raise ValueError(text)
        return value

    def shown(self, value: float) -> str:
        return f"{value:.3g}"

    def _figures(self, logits: np.ndarray, encoded: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        gold = encoded.astype(np.float64).reshape(-1)
        correlations = metrics.pearson(gold, predicted) | metrics.spearman(gold, predicted)
        return correlations | metrics.errors(gold, predicted)

    def linear_model(self, vectors, texts: Sequence[str], encoded: np.ndarray, test: Sequence[str]):
        model = make_pipeline(vectors, Ridge()).fit(texts, encoded)
        return "ridge regression", model.predict(test).reshape(len(test), -1)

    def headline_of_weights(self, gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Pearson, Spearman, R², root mean squared and mean absolute error: [b, N] -> [b, 5]."""
        gold_ranks, predicted_ranks = (bootstrap.weighted_ranks(values, weights) for values in (gold, predicted))
        error = predicted - gold
        squared, apart = mean(weights, error**2), gold - gold.mean()  # centred first: a variance of large numbers
        return np.stack(
            [
                bootstrap.pearson(gold, predicted, weights),
                bootstrap.pearson(gold_ranks, predicted_ranks, weights),
                1 - ratio(squared, mean(weights, apart**2) - mean(weights, apart) ** 2),
                np.sqrt(squared),
                mean(weights, np.abs(error)),
            ],
            axis=1,
        )

    def row_figure(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return np.abs(gold - predicted)

    def wrongness(
        self, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
    ) -> tuple[np.ndarray, bool]:
        return np.abs(predicted - gold), True

    def unread(self, train: Any, rows: int) -> tuple[str, str, np.ndarray]:
        average = float(np.mean(train))
        return "mean", f"{average:.3g}", np.full(rows, average)

    def gold_of(self, encoded: np.ndarray) -> np.ndarray:
        return np.asarray(encoded, float)

    def judged_by(self, gold: np.ndarray) -> str:
        return "rmse"

    def contest(self, name: str, gold: np.ndarray, theirs: np.ndarray, ours: np.ndarray) -> contests.Contest:
        squares = [(one - gold) ** 2 for one in (theirs, ours)]
        return contests.of_rows(
            name, lambda w: (np.sqrt(mean(w, squares[0])), np.sqrt(mean(w, squares[1]))), len(gold), "lower"
        )

    def one_answer(self, predicted: np.ndarray) -> str | None:
        return f"{predicted[0]:.3g}" if len(predicted) and np.ptp(predicted) <= 1e-6 * abs(predicted[0]) else None

    @classmethod
    def example(cls, number: int, num_labels: int) -> float | list[float]:
        value = number / 4 - 1
        return [value] * num_labels if num_labels > 1 else value


def _number(value) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
