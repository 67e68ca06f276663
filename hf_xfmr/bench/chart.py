"""The picture of a bench: a bar for each ratio."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..drawing.style import FIRST, INK, SECOND, WIDTH, styled

FARTHEST = 5  # a longer bar ends here; its number says the rest


@styled
def ratios_chart(results: Sequence[dict]) -> Figure:
    """Stock's time by ours for each of the `results` of bench.json, with the quartiles."""
    figure = Figure(figsize=(WIDTH * 1.3, 0.9 + 0.32 * len(results)), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(results):
        low, high = result.get("quartiles", (result["ratio"],) * 2)
        colour = SECOND if result["precision"] == "bfloat16" else FIRST
        axes.barh(row, min(result["ratio"], FARTHEST), height=0.62, color=colour)
        if high < FARTHEST:
            axes.plot([low, high], [row, row], color=INK, linewidth=1)
        beside = min(high, FARTHEST)
        axes.text(beside, row, f"  {result['ratio']:,.2f}", va="center", color=INK)
    axes.set_yticks(range(len(results)), [f"{one['name']} {one['precision']}".strip() for one in results])
    axes.invert_yaxis()
    axes.axvline(1, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1.2 * FARTHEST)
    axes.set_xticks(range(FARTHEST + 1))
    axes.set_title("stock's time by ours (left of 1: ours is slower)")
    return figure
