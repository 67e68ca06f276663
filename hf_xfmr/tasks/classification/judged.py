"""What a verdict asks of a kind of classification problem: what can be answered without reading, by which figure two
sets of answers are set against one another, and which labels were never given."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ...report.contests import Contest

ByLabel = tuple[np.ndarray, np.ndarray, np.ndarray]


class Judged(ABC):
    """The questions; `gold` and `predicted` are as the kind of the problem says, `train` is what `encode` gave of the
    train split."""

    @abstractmethod
    def decided(self, logits: Any) -> Any:
        """The answers, as `predicted`, that these outputs give."""

    @abstractmethod
    def unread(self, train: Any, rows: int) -> tuple[str, str, Any]:
        """The best that can be answered without reading a text: which kind of answer (as verdicts call their rivals),
        what it says, and so many rows of it as `predicted`."""

    @abstractmethod
    def judged_by(self, gold: Any) -> str:
        """The figure that tells most of these rows."""

    @abstractmethod
    def contest(self, name: str, gold: Any, theirs: Any, ours: Any) -> Contest:
        """Two sets of answers by that figure."""

    def one_answer(self, predicted: Any) -> str | None:
        """What every row got, if all got the same."""
        return None

    def gold_of(self, encoded: Any) -> Any:
        """What `array` made, as `gold`."""
        return encoded

    def counts_by_label(self, gold: Any, predicted: Any) -> ByLabel:
        """Of each label, [K] each: rows that bear it and got it, that got it, that bear it. Asked where labels are
        names."""
        raise NotImplementedError
