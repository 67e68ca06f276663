"""The kind of a classification problem, with its labels: how labels become ids, logits become answers, and answers
figures. All that depends on the kind is asked of this one object; single_label.py, multi_label.py and regression.py are
the kinds, and kinds.py finds the one at hand."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from datasets import ClassLabel, LargeList, List

from ...data.wording import short
from ...errors import UserError
from ...report import bootstrap
from .judged import Judged

Refuse = Callable[[list[bool], str], None]  # which rows are wrong, and why: a `UserError` if any is
Drawn = tuple[np.ndarray, np.ndarray]  # figures' values [F], and those of each resample [RESAMPLES, F]


class Problem(Judged):
    """Labels and logits of one kind. `labels` are the distinct values in order of their ids; none for regression.

    Of more than `answers.WHOLE` labels many_single.py and many_multi.py are the kinds.

    Arrays of N rows and K labels: `logits` [N, K] ([N, 1] for regression); `gold` and `predicted` as `gold_type` says.
    """

    problem_type: ClassVar[str]  # as transformers' configs name the kind
    feature: ClassVar[Any]  # of the column `labels` of the finished splits
    headline_names: ClassVar[list[str]]  # of what `headline` gives
    slice_figure: ClassVar[str]  # what the mean of `row_figure` is called
    noun: ClassVar[str] = "label"  # what a row bears, in messages
    has_names: ClassVar[bool] = True  # labels are names, and probabilities theirs
    several: ClassVar[bool] = False  # a row may have any number of labels

    def __init__(self, labels: Sequence[Any] = ()):
        self.labels = list(labels)
        self.label_names = [label_name(value) for value in self.labels]
        self.ids = {name: number for number, name in enumerate(self.label_names)}

    # From a dataset's label column to what the model reads

    @classmethod
    def raw(cls, column: list, feature) -> list:
        """Labels as values that mean the same in every split: names for a ClassLabel, lists of them for several. A
        missing one is None: null, NaN, an empty text, a ClassLabel's -1."""
        inner = feature.feature if isinstance(feature, List | LargeList) else feature
        names = dict(enumerate(inner.names)) if isinstance(inner, ClassLabel) and cls.has_names else None

        def value(one):
            if one is None or one == "" or one != one:
                return None
            return one if names is None else names.get(one)

        return [[value(one) for one in row] if isinstance(row, list) else value(row) for row in column]

    @classmethod
    def is_missing(cls, value: Any) -> bool:
        """Whether a row of `raw` lacks its label."""
        return value is None

    @classmethod
    def checked(cls, values: list, refuse: Refuse) -> list:
        """The values of `raw`, none of them missing, as they are from here on; the wrong ones are refused."""
        return values

    @abstractmethod
    def encode(self, values: list) -> list:
        """Values as `feature` has them."""

    @abstractmethod
    def no_label(self) -> Any:
        """What stands in the place of what `encode` gives, of a row that has no label and of which none is learned."""

    @abstractmethod
    def named(self, encoded: Iterable) -> list:
        """What `encode` made, by name again: a name, a list of names, or a number."""

    @abstractmethod
    def balance_line(self, encoded: list) -> str:
        """How often each label occurs, as a line."""

    def class_weights(self, encoded: list) -> list[float]:
        """Weights that make all classes count alike: rows / (classes * rows of the class), 0.0 for a class without
        rows. Raises `UserError` unless every row has one label."""
        raise UserError(f"class weights need one label a row, but this is {self.problem_type}; leave class_weights out")

    # From logits to answers; what `predict` says of a row stands in answers.py

    @property
    def indicators(self) -> int | None:
        """How many labels a batch says 0 or 1 of, where the rows have the ids of theirs alone."""
        return None

    def array(self, encoded: Sequence) -> Any:
        """What `encode` made, of a whole column, for the figures."""
        return np.asarray(encoded)

    def outputs(self, predictions: Any) -> Any:
        """What a trainer predicted, as all that follows takes it for `logits`: these, or of many labels `Outputs`."""
        return np.asarray(predictions)

    @abstractmethod
    def predicted(self, logits: np.ndarray) -> list:
        """What each row says, as the predictions file writes it."""

    @abstractmethod
    def gold(self, encoded: np.ndarray) -> list:
        """What `encode` made, as `predicted` writes it."""

    def example_outputs(self, encoded: Any) -> Any:
        """Outputs of a model that has learned nothing, for as many rows."""
        return np.random.default_rng(0).normal(size=(len(encoded), len(self.label_names) or 1))

    def probabilities(self, logits: np.ndarray) -> np.ndarray | None:
        """[N, K]; None where there are none."""
        return None

    def share_columns(self, logits: Any) -> dict[str, list]:
        """The columns of the predictions file that hold probabilities: `p_<label>` for each."""
        shares = self.probabilities(logits)
        if shares is None:
            return {}
        return {f"p_{name}": [f"{p:.6f}" for p in shares[:, i]] for i, name in enumerate(self.label_names)}

    # From the predictions file back to arrays

    @classmethod
    def names_in(cls, text: str) -> list[str]:
        """The label names in a cell of the predictions file."""
        return [text]

    @abstractmethod
    def parse(self, text: str) -> Any:
        """A cell of the predictions file as a row of `gold` or `predicted`. Raises KeyError or ValueError."""

    def stack(self, parsed: list) -> Any:
        """The rows that `parse` gave as `gold` or `predicted`."""
        return np.array(parsed)

    @abstractmethod
    def shown(self, value: Any) -> str:
        """A row of `gold` or `predicted` for reading."""

    def key(self, value: Any) -> Any:
        """A row of `gold`, by which the same row is known in another file."""
        return self.shown(value) if self.label_names else float(value)

    def renumbered(self, values: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """`gold` or `predicted` with the same labels in another order."""
        return values

    # Figures

    def figures(self, logits: np.ndarray, encoded: np.ndarray, predicted: Any = None) -> dict[str, float]:
        """All metrics of a whole split, flat, with the answers `predicted` (None: `decided`). Raises `UserError` for
        logits that are not finite."""
        logits = np.asarray(logits, dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(logits.reshape(len(logits), -1)).all(1))
        if bad.size:
            raise UserError(
                f"the outputs for {bad.size} of {len(logits)} rows (the first is row {bad[0]}) are NaN or infinite; "
                "training has diverged: lower the learning rate and start from the last good checkpoint"
            )
        return self._figures(logits, np.asarray(encoded), self.decided(logits) if predicted is None else predicted)

    @abstractmethod
    def _figures(self, logits: np.ndarray, encoded: np.ndarray, predicted: Any) -> dict[str, float]: ...

    def tables(self, encoded: np.ndarray, predicted: Any) -> list[str]:
        """The lines of tables for the terminal: by label, and what was taken for what."""
        return []

    def files(self, logits: Any, encoded: Any, train: list) -> dict[str, list[list]]:
        """Tables too long for terminal and report, by the names of files: rows, the first of which is the header."""
        return {}

    @abstractmethod
    def linear_model(self, vectors, texts: Sequence[str], encoded: np.ndarray, test: Sequence[str]):
        """A linear model on `vectors` (scikit-learn's), fitted on texts: its name, and the like of logits of `test`."""

    @abstractmethod
    def headline_of_weights(self, gold: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The headline figures with each row counted `weights` times: [b, N] -> [b, F]."""

    def headline(self, gold: np.ndarray, predicted: np.ndarray) -> Drawn:
        """The headline figures [F], and of resampled rows."""
        drawn = bootstrap.resample(
            lambda weights: self.headline_of_weights(gold, predicted, weights), bootstrap.weights(len(gold))
        )
        return self.headline_of_weights(gold, predicted, np.ones((1, len(gold))))[0], drawn

    def headline_at(self, share: float, gold: Any) -> np.ndarray:
        """What the headline figures [F] are where that share of the rows is right, and the rest wrong as can be."""
        raise NotImplementedError

    def confusion(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray | None:
        """Counts [K, K] of gold (row) and predicted (column), where a row has one label."""
        return None

    def confused(self, gold: np.ndarray, predicted: np.ndarray) -> dict[str, Any] | None:
        """What a report says of `confusion`."""
        counts = self.confusion(gold, predicted)
        return None if counts is None else {"labels": self.label_names, "counts": counts}

    def shown_labels(self, gold: Any) -> Sequence[int]:
        """The labels of which a report speaks."""
        return range(len(self.label_names))

    def left_out(self, gold: Any, predicted: Any) -> dict[str, Any]:
        """What a report says of the labels that are not shown; nothing if all are."""
        return {}

    def right(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray | None:
        """Which rows are all right: [N]."""
        return None

    @abstractmethod
    def row_figure(self, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """What is averaged over a part of the rows: [N]."""

    @abstractmethod
    def wrongness(
        self, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
    ) -> tuple[np.ndarray, bool]:
        """How wrong each row is [N], 0 where it is right, and whether that says more than right and wrong."""

    def thresholds(self) -> list[tuple[int, list[float]]]:
        """The labels that are answered from a probability on, and the probabilities to try for each."""
        return []

    def holds(self, gold: np.ndarray, label: int) -> np.ndarray:
        """Which rows of `gold` have a label: [N] bool."""
        return gold == label

    # Checks

    @classmethod
    @abstractmethod
    def example(cls, number: int, num_labels: int) -> Any:
        """The label of an invented row, as a number or a list of them."""


def label_name(value: Any) -> str:
    """How a label is called: a text as it is, 2 and 2.0 as `2`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def label_key(label: Any) -> Any:
    """By what rows of a label, of a set of labels or of a rating are put together and in order."""
    if isinstance(label, list):
        return tuple(sorted(map(label_name, label)))
    return label if isinstance(label, float) else label_name(label)


def counted(counts: dict[str, int], rows: int) -> list[str]:
    """`negative 4,012 (49.8 %)` of each label, or of the ten most frequent if there are more than twelve."""
    shown = list(counts) if len(counts) <= 12 else sorted(counts, key=lambda name: -counts[name])[:10]
    parts = [f"{short(name, 40)} {counts[name]:,} ({100 * counts[name] / rows:.1f} %)" for name in shown]
    if len(shown) < len(counts):
        rest = [count for name, count in counts.items() if name not in shown]
        parts.append(f"and {len(rest)} more with {min(rest):,} to {max(rest):,} rows")
    return parts
