"""How a verdict writes numbers, in any language: one precision for a figure, wherever it stands."""

import math
from typing import Any


def number(figure: str, value: float | None) -> str:
    """A figure's value: one decimal of BLEU, chrF and perplexities, three of all else."""
    if value is None or not math.isfinite(value):
        return "–"
    if figure.lower() in ("bleu", "chrf") or "perplexity" in figure:
        return f"{value:,.1f}"
    return f"{value:,.3f}"


def signed(figure: str, value: float | None) -> str:
    """A difference, with its sign."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{'-' if value < 0 else '+'}{number(figure, abs(value))}"


def p_value(found: dict[str, Any]) -> str:
    """`p = 0.031`: how often chance alone makes as much of a difference."""
    return "p < 0.001" if found["p"] < 0.001 else f"p = {found['p']:.3f}"


def chance(found: dict[str, Any], tests: dict[str, str]) -> str:
    """The same with the test that found it, where it has a name: `p < 0.001, McNemar's test`."""
    p = p_value(found)
    return f"{p}, {tests[found['test']]}" if found["test"] in tests else p


def rounded_up(count: float) -> int:
    """A number of rows to two digits."""
    if count < 10:
        return math.ceil(count)
    step = 10 ** (int(math.log10(count)) - 1)
    return math.ceil(count / step) * step


def share(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.1f} %"
