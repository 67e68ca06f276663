"""What a report promised of a model that may say "unsure", beside what became of the rows at hand."""

import json
from pathlib import Path
from typing import Any

STEPS = 100  # probabilities to abstain below that a report has looked at: 0.00, 0.01, … 0.99


def promised(found: dict[str, Any], limit: float) -> dict[str, Any] | None:
    """Of a report's `coverage`, at a probability to abstain below, to two decimals: the `share` of the rows that was
    answered, the `rows`, and those of them that were `right`. None where no row was answered so surely."""
    step = min(round(limit * STEPS), STEPS - 1)
    answered, right = found["answered"][step], found["right"][step]
    return {"share": answered / found["rows"], "rows": answered, "right": right} if answered else None


def summary(folder: str | Path, rows: int, unsure: int, limit: float | None) -> str:
    """How many rows a prediction left unsure, beside what the report in the model's folder promised, if it did."""
    share = f"unsure: {unsure:,} of {rows:,} rows ({_percent(unsure / rows)})"
    promise = _promise(Path(folder), limit or 0.0)
    if promise is None:
        return f"{share}; no report in {folder} says what to expect"
    split, expected = promise
    if expected is None:
        return f"{share}; of the {split} rows all were"
    right = _percent(expected["right"] / expected["rows"])
    return (
        f"{share}; of the {split} rows {_percent(1 - expected['share'])} were, and of the other {expected['rows']:,} "
        f"{right} right"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _promise(folder: Path, limit: float) -> tuple[str, dict[str, Any] | None] | None:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return str(report["split"]), promised(report["coverage"], limit)
    except (OSError, ValueError, LookupError, TypeError):  # none, or not ours: no promise
        return None
