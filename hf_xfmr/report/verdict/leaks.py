"""How many held-out texts the model has been trained on."""

from collections.abc import Iterable, Sequence

from ...splits import position


def share_in_train(held_out: Sequence[str], train: Iterable[str]) -> float:
    """The share of held-out texts that stand in train too, up to case, width and white space; 0 of none."""
    known = {position(text) for text in train}
    return sum(position(text) in known for text in held_out) / len(held_out) if held_out else 0.0


def warnings(figure: str, value: float, perfect: float, leaked: float, split: str) -> list[dict]:
    """Facts for a verdict: a figure without a fault, or texts of train among those measured on."""
    if value >= perfect:
        if leaked > 0:
            return [{"kind": "perfect_leak", "figure": figure, "share": leaked, "split": split}]
        return [{"kind": "perfect", "figure": figure}]
    return [{"kind": "leak", "share": leaked, "split": split}] if leaked >= 0.01 else []
