"""From logits to what `predict` says of a row. NumPy alone: what answers without torch imports it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...errors import UserError

WHOLE = 100  # the most labels of which everything is written: probabilities, tables, confusions
KEPT = 10  # of more labels, those whose probabilities an answer has


class OneLabel:
    """The likeliest label."""

    several = False

    def __init__(self, names: Sequence[str], whole: bool):
        self.names, self.whole = list(names), whole

    @property
    def columns(self) -> list[str]:
        """The names of an answer's values in a table."""
        return ["label", "probability", *self._share_columns]

    @property
    def _share_columns(self) -> list[str]:
        if self.whole:
            return [f"p_{name}" for name in self.names]
        return [name for place in range(1, KEPT + 1) for name in (f"top{place}", f"top{place}_probability")]

    def __call__(self, logits: np.ndarray, temperature: float) -> Iterator[dict[str, Any]]:
        """Of each row of logits [N, K] what is said of it, with probabilities of the logits divided by the
        temperature."""
        for row, label in zip(self._probabilities(logits, temperature, softmax), logits.argmax(-1), strict=True):
            yield {"label": self.names[label], "probability": round(float(row[label]), 6), **self._shares(row)}

    def _probabilities(self, logits: np.ndarray, temperature: float, shares: Callable) -> Iterable[np.ndarray]:
        """Those of each row [K], at once, or where there are very many labels one row after another."""
        if self.whole:
            return shares(logits / temperature)
        return (shares(row / temperature) for row in logits)

    def _shares(self, row: np.ndarray) -> dict[str, Any]:
        """The probabilities of a row's labels by name; of very many labels those of the likeliest, and how many labels
        are not among them."""
        if self.whole:
            named = zip(self.names, row, strict=True)
            return {"probabilities": {name: round(float(share), 6) for name, share in named}}
        some = np.sort(np.argpartition(-row, KEPT)[:KEPT])
        likeliest = some[np.argsort(-row[some], kind="stable")]
        shares = {self.names[label]: round(float(row[label]), 6) for label in likeliest}
        return {"probabilities": shares, "other_labels": len(self.names) - len(shares)}

    def flat(self, answer: dict) -> dict:
        """An answer with the names of `columns`."""
        rest = {name: value for name, value in answer.items() if name not in ("probabilities", "other_labels")}
        shares = answer.get("probabilities", {})
        if self.whole:
            return rest | {f"p_{name}": share for name, share in shares.items()}
        for place, (name, share) in enumerate(shares.items(), 1):
            rest |= {f"top{place}": name, f"top{place}_probability": share}
        return rest


class SeveralLabels(OneLabel):
    """Every label whose own probability is a half or more."""

    several = True

    @property
    def columns(self) -> list[str]:
        return ["label", *self._share_columns]

    def __call__(self, logits: np.ndarray, temperature: float) -> Iterator[dict[str, Any]]:
        for row, holds in zip(self._probabilities(logits, temperature, sigmoid), logits >= 0, strict=True):
            yield {"label": "|".join(self.names[label] for label in np.flatnonzero(holds)), **self._shares(row)}


class Rating(OneLabel):
    """A number."""

    @property
    def columns(self) -> list[str]:
        return ["value"]

    def __call__(self, logits: np.ndarray, temperature: float) -> Iterator[dict[str, Any]]:
        yield from ({"value": float(value)} for value in logits.reshape(-1))


KINDS = {
    "single_label_classification": OneLabel,
    "multi_label_classification": SeveralLabels,
    "regression": Rating,
}


def of_kind(problem_type: str | None, names: Sequence[str], *, model: str, all_probabilities: bool = False) -> OneLabel:
    """What answers for a kind of problem, as transformers' configs name it (None: one label a row). Raises `UserError`
    for another name, which is told of the `model`."""
    kind = KINDS.get(problem_type or "single_label_classification")
    if kind is None:
        raise UserError(
            f"{model}: its config has the problem type '{problem_type}', which is none of {', '.join(KINDS)}"
        )
    return kind(names, all_probabilities or len(names) <= WHOLE)


def softmax(logits: np.ndarray) -> np.ndarray:
    """[..., K] to probabilities that sum to 1."""
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Each logit's own probability."""
    with np.errstate(over="ignore"):  # exp of a great number is infinite, and its probability 0
        return 1 / (1 + np.exp(-logits))
