"""How many rows would tell a difference from chance, where those at hand do not."""

from typing import Any

from ..comparison import mattering, outcome

LEAST_APART = 6  # rows that only one of two has right: with fewer no exact test says more than chance


def warnings(rival: dict[str, Any], rows: int, unit: str) -> list[dict[str, Any]]:
    """A fact for a verdict, of what `comparison.figure` says: an interval narrows with the root of the rows."""
    if outcome(rival) != "unsure":
        return []
    half, least = (rival["high"] - rival["low"]) / 2, mattering(rival)
    matters = max(abs(rival["difference"]), least)
    needed = max(rows + 1.0, rows * (half / matters) ** 2) if matters else rows + 1.0
    if rival["test"].startswith(("McNemar", "mcnemar")) and matters:
        needed = max(needed, LEAST_APART / matters)  # 5 rows that differ one way and none the other: p = 0.06
    fact = {"kind": "few_rows", "rows": rows, "unit": unit, "of": rival["name"]}
    return [fact | {"difference": matters, "needed": needed}]
