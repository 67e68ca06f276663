"""The picture of how cost grows: a panel for each line, both axes logarithmic, with the steepest that it may be."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..drawing.style import FAINT, FIRST, SECOND, WIDTH, styled


@styled
def growth_chart(lines: Sequence[dict]) -> Figure:
    """`lines` are those of scale.json; one whose slope is above its bound has the other colour."""
    figure = Figure(figsize=(WIDTH * 1.8, 2.4 * ((len(lines) + 1) // 2)), layout="constrained")
    for place, line in enumerate(lines, 1):
        axes = figure.add_subplot((len(lines) + 1) // 2, 2, place)
        sizes, values = zip(*line["points"], strict=True)
        middle = (len(sizes) - 1) // 2
        bound = [values[middle] * (size / sizes[middle]) ** line["most"] for size in sizes]
        axes.plot(sizes, bound, color=FAINT, linewidth=0.8, linestyle=":")
        axes.plot(sizes, values, color=FIRST if line["holds"] else SECOND, marker="o", markersize=3)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_xticks(sizes, [_short(size) for size in sizes])
        ends = sorted({min(values), values[middle], max(values)})
        axes.set_yticks(ends, [f"{value:,.3g}" for value in ends])
        axes.set_title(f"{line['name']}: {line['of']}^{line['slope']:.2f}")
        axes.set_xlabel(line["of"])
        axes.set_ylabel(line["unit"])
    return figure


def _short(size: int) -> str:
    """A size as it fits under an axis: 1M, 10k, 512."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return str(size)
