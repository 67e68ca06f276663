"""The picture of a bench: a bar for each ratio, and a mark where its goal is."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..drawing import FIRST, INK, SECOND, WIDTH, styled


@styled
def ratios_chart(results: Sequence[dict]) -> Figure:
    """Stock's time by ours for each of the `results` of bench.json, with the quartiles."""
    figure = Figure(figsize=(WIDTH * 1.3, 0.9 + 0.32 * len(results)), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(results):
        low, high = result.get("quartiles", (result["ratio"],) * 2)
        colour = SECOND if result["precision"] == "bfloat16" else FIRST
        axes.barh(row, result["ratio"], height=0.62, color=colour)
        axes.plot([low, high], [row, row], color=INK, linewidth=1)
        if result.get("goal"):
            axes.plot([result["goal"]] * 2, [row - 0.42, row + 0.42], color=INK, linewidth=2)
        axes.text(max(result["ratio"], high), row, f"  {result['ratio']:.2f}", va="center", color=INK)
    axes.set_yticks(range(len(results)), [f"{one['name']} {one['precision']}".strip() for one in results])
    axes.invert_yaxis()
    axes.axvline(1, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 3, 5, 10, 20, 50], ["0.5", "1", "2", "3", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.set_title("times faster than stock (thick mark: the goal)")
    axes.margins(x=0.12)
    return figure
