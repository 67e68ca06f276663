"""From calibrated probabilities to answers: the likeliest label, or what thresholds or costs say that a model's config
stores. numpy is all that this takes, so that it decides alike wherever a model runs.

A config has `decision_thresholds`, {label: probability}, or `decision_costs`, {gold label: {answer: cost}}; neither:
the likeliest label, and of several those from 0.5 on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from .answers import WHOLE, sigmoid, softmax

UNSURE = "unsure"  # the answer that is none
NO_LABEL = -1  # the same in place of a label's number
_LEAST = 1e-12  # a threshold of 0 can't divide


@dataclass(frozen=True)
class Decision:
    """How probabilities [N, K] of `labels` become answers; `several`: a row has any number of them.

    One label a row: of the labels with a threshold those are in question whose probability reaches theirs, and the one
    that exceeds its own most, as a ratio, is answered. If none does, it is the likeliest of the labels without a
    threshold; if all have one, no label (unsure). `costs`: the answer of least expected cost, of which unsure may be
    one. Several labels: each is answered from its threshold on, or from 0.5.
    """

    labels: tuple[str, ...]
    several: bool = False
    thresholds: Mapping[str, float] | None = None
    costs: Mapping[str, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        if self.may_be_unsure:
            refuse_unsure(self.labels)

    @property
    def is_default(self) -> bool:
        """Whether nothing but probabilities decides."""
        return not self.thresholds and not self.costs

    @property
    def may_be_unsure(self) -> bool:
        if self.costs:
            return any(UNSURE in row for row in self.costs.values())
        return not self.several and bool(self.thresholds) and set(self.thresholds or ()) == set(self.labels)

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """The answers: bool [N, K] of several labels, else label numbers, int [N], NO_LABEL where unsure."""
        if self.several:
            wanted = self.thresholds or {}
            return probabilities >= np.array([wanted.get(name, 0.5) for name in self.labels])
        if self.costs:
            found = (probabilities @ self._cost_table()).argmin(axis=1)
            return np.where(found < len(self.labels), found, NO_LABEL)
        if not self.thresholds:
            return probabilities.argmax(axis=1)
        least = np.array([self.thresholds.get(name, np.nan) for name in self.labels])
        reached = probabilities >= least  # never of NaN
        ratio = np.where(reached, probabilities / np.maximum(np.nan_to_num(least, nan=1.0), _LEAST), -1.0)
        rest = np.where(np.isnan(least), probabilities, -1.0)
        otherwise = rest.argmax(axis=1) if np.isnan(least).any() else np.full(len(probabilities), NO_LABEL)
        return np.where(reached.any(axis=1), ratio.argmax(axis=1), otherwise)

    def _cost_table(self) -> np.ndarray:
        """[K, K], or with unsure as the last answer [K, K + 1]."""
        assert self.costs is not None
        answers = [*self.labels, *([UNSURE] if self.may_be_unsure else [])]
        return np.array([[self.costs[gold][answer] for answer in answers] for gold in self.labels])

    def applied(
        self, answers: Iterable[dict], logits: np.ndarray, abstain_below: float | None = None
    ) -> Iterator[dict]:
        """The same answers of `predict`, with the labels decided by the calibrated `logits` [N, K] (divided by the
        run's temperature), and unsure where the answer's confidence is less than `abstain_below`.

        `probability` is that of the label answered; of a row that is unsure that of the likeliest label.
        """
        if self.is_default and abstain_below is None:
            yield from answers
            return
        logits = np.asarray(logits, np.float64)
        shares = sigmoid(logits) if self.several else softmax(logits)
        chosen = self(shares)
        sure = confidence(shares, chosen)
        for answer, decided, share in zip(answers, chosen, sure, strict=True):
            label = self.name_of(decided)
            if abstain_below is not None and share < abstain_below:
                label = UNSURE
            found = {**answer, "label": label}
            if "probability" in answer and label in answer["probabilities"]:
                found["probability"] = answer["probabilities"][label]
            yield found

    def name_of(self, decided: Any) -> str:
        """An answer as `predict` writes it: a label, UNSURE, or several labels joined by |."""
        if self.several:
            return "|".join(name for name, holds in zip(self.labels, decided, strict=True) if holds)
        return UNSURE if decided == NO_LABEL else self.labels[decided]


def refuse_unsure(labels: Sequence[str]) -> None:
    """Raises `UserError` where an answer "unsure" would mean two things."""
    if UNSURE in labels:
        raise UserError(
            f'a label of this model is called "{UNSURE}", which is also the answer that is none: give the label '
            "another name, or leave out --abstain_below and thresholds of all labels"
        )


def check_abstaining(
    abstain_below: float | None, decision: Decision, temperature: float | None, *, has_names: bool
) -> None:
    """Raises `UserError` for a probability to abstain below that can't be, or where nothing is decided by one."""
    if abstain_below is None:
        return
    if not 0 < abstain_below <= 1:
        raise UserError(f"abstain_below is {abstain_below}; it must be above 0 and at most 1, as 0.9")
    if not has_names:
        raise UserError("abstain_below is given, but a rating has no probability: leave it out")
    if decision.several and len(decision.labels) > WHOLE:
        raise UserError(
            f"abstain_below is given, but of {len(decision.labels):,} labels, any of which may hold, one is always "
            "unsure: leave it out"
        )
    if temperature is not None:
        raise UserError(
            "abstain_below is of the calibrated probabilities, and temperature changes those: leave one of them out"
        )
    refuse_unsure(decision.labels)


def confidence(probabilities: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How sure each answer is: [N]. One label a row: the probability of the label answered, and of the likeliest where
    none is. Several: the least sure of all labels, whose answer is that it holds, or that it does not."""
    if chosen.ndim == 2:
        return np.where(chosen, probabilities, 1 - probabilities).min(axis=1)
    rows = np.arange(len(probabilities))
    return np.where(chosen == NO_LABEL, probabilities.max(axis=1), probabilities[rows, chosen])


def of_config(config: Any, labels: Sequence[str], *, several: bool, name: str = "the model") -> Decision:
    """The decision that a config (a mapping, or an object of transformers) stores. Raises `UserError` for one that is
    damaged; `name` is the model's, for the message."""
    thresholds, costs = (
        config.get(key) if isinstance(config, Mapping) else getattr(config, key, None)
        for key in ("decision_thresholds", "decision_costs")
    )
    try:
        _check_thresholds(thresholds, labels)
        _check_costs(costs, labels, several)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{name}: its config.json has decisions that can't be ({error}): correct it, or decide anew with "
            f"hf_xfmr decide {name} --likeliest"
        ) from None
    return Decision(tuple(labels), several, thresholds or None, costs or None)


def _check_thresholds(found: Any, labels: Sequence[str]) -> None:
    for label, value in (found or {}).items():
        if label not in labels:
            raise ValueError(f'a threshold of "{label}", which is no label')
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f'the threshold of "{label}" is {value!r}, not from 0 to 1')


def _check_costs(found: Any, labels: Sequence[str], several: bool) -> None:
    if not found:
        return
    if several:
        raise ValueError("costs, where rows have several labels")
    if missing := [label for label in labels if label not in found]:
        raise ValueError(f'no costs where "{missing[0]}" is right')
    for gold, row in found.items():
        for answer in [*labels, *([UNSURE] if any(UNSURE in one for one in found.values()) else [])]:
            value = row.get(answer)
            if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
                raise ValueError(f'the cost of answering "{answer}" for "{gold}" is {value!r}, no number')
