"""The figures of a bench as a Markdown table, to be put on a page as it is."""

from collections.abc import Mapping

from .workloads import WORKLOADS


def markdown(record: Mapping) -> str:
    """What bench.json holds, the processor named above: a row for each contest and each opponent in it, stock's first;
    a column for each precision. What ours is slower at is in bold."""
    results = record["results"]
    precisions = [kind for kind in ("float32", "bfloat16") if any(one["precision"] == kind for one in results)]
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for one in results:
        for who, ratio in {"stock": one["ratio"], **one.get("others", {})}.items():
            rows.setdefault((one["name"], who), {})[one["precision"]] = ratio
    machine, ceilings = record["machine"], record["ceilings"]
    rates = ", ".join(
        f"{ceilings[f'matrix products, {kind}, flop/s'] / 1e9:,.0f} Gflop/s in {kind}" for kind in precisions
    )
    lines = [
        f"{machine['device']}; {machine['threads']} threads; torch {machine['torch']}, transformers "
        f"{machine['transformers']}; models of {record['layers']} layers; matrix products at best {rates}.",
        "",
        f"| work | its time by ours, of | {' | '.join(precisions)} |",
        "|---|---|" + "---|" * len(precisions),
    ]
    for (name, who), ratios in rows.items():
        if name in WORKLOADS:
            about = " ".join((WORKLOADS[name].__doc__ or name).split()).rstrip(".")
            lines.append(f"| {about} | {who} | {' | '.join(_cell(ratios.get(kind)) for kind in precisions)} |")
    return "\n".join(lines) + "\n"


def _cell(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio >= 1 else f"**{ratio:.2f}**"
