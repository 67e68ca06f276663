"""What a contest of precisions found: lines for a terminal, and a page for the exported folder."""

import textwrap
from collections.abc import Sequence

from ...engines.onnx import threads
from ...machine import processor_name
from ...report.names import metric_name
from ...report.verdict.numbers import number, signed
from .contest import Found, Side

NAME = "int8.md"
MIB = 2**20


def lines(sides: Sequence[Side], found: Sequence[Found], sizes: Sequence[int]) -> list[str]:
    """What int8 comes to, the answers first."""
    last = found[-1]
    main = last.figures[0]
    name = main["name"]
    said = [
        f"int8 answers {_percent(last.same)} of {last.rows:,} rows as float32 does; {metric_name(name)} "
        f"{number(name, main['b'])}, of float32 {number(name, main['a'])}",
        f"difference {_difference(main)}, 95 % interval; rows of {last.file}",
        f"{sizes[1] / MIB:,.1f} MiB, of float32 {sizes[0] / MIB:,.1f}; {_speed(last, 1)}, {_ratio(last)} times "
        f"PyTorch's float32 ({_speed(last, 0)}) on {_threads()}",
    ]
    return [*said, *(_beside(side, one) for side, one in zip(sides[1:-1], found[:-1], strict=True))]


def _beside(side: Side, one: Found) -> str:
    main = one.figures[0]
    return (
        f"{side.name}: {_percent(one.same)} the same, {metric_name(main['name'])} {number(main['name'], main['b'])}, "
        f"{_ratio(one)} times float32's speed"
    )


def page(run: str, sides: Sequence[Side], found: Sequence[Found], sizes: Sequence[int]) -> str:
    """Markdown: the lines, then each figure of each precision."""
    last = found[-1]
    head = [f"# {run} in int8", "", *(_wrapped(f"- {line}", "  ") for line in lines(sides, found, sizes)), ""]
    table = ["| figure | " + " | ".join(side.name for side in sides) + " |", "|---" * (1 + len(sides)) + "|"]
    for place, figure in enumerate(last.figures):
        name = figure["name"]
        cells = [number(name, figure["a"])]
        for one in found:
            cells.append(f"{number(name, one.figures[place]['b'])} ({_difference(one.figures[place])})")
        table.append(f"| {metric_name(name)} | {' | '.join(cells)} |")
    table.append(f"| same answer | | {' | '.join(_percent(one.same) for one in found)} |")
    speeds = [_speed(found[0], 0), *(f"{_speed(one, 1)} (x{_ratio(one)})" for one in found)]
    table.append(f"| speed | {' | '.join(speeds)} |")
    foot = [
        "",
        _wrapped(
            f"{last.rows:,} rows of {last.file}, each figure with its difference to float32 and that difference's "
            f"95 % interval (paired bootstrap over rows). Speed on {_threads()}, in turns, medians of five."
        ),
        "",
    ]
    return "\n".join([*head, *table, *foot])


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 80, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _difference(figure: dict) -> str:
    difference, low, high = (signed(figure["name"], figure[end]) for end in ("difference", "low", "high"))
    return f"{difference}, {low} to {high}"


def _speed(found: Found, side: int) -> str:
    return f"{found.speeds[side]:,.0f} {found.unit}/s"


def _ratio(found: Found) -> str:
    return f"{found.speeds[1] / max(found.speeds[0], 1e-9):.2f}"


def _threads() -> str:
    count = threads()
    return f"{count} thread{'s' * (count != 1)} of {processor_name()}"
