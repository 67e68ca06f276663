"""All figures of a split as a table for a terminal, in one precision."""

from collections.abc import Mapping

from .names import COUNTS, is_lower, metric_name


def of_figures(ours: Mapping[str, float], baseline: Mapping | None = None) -> list[str]:
    """All figures of a split as the lines of a table, beside the baseline's, and which way each is better."""
    theirs = baseline["test"] if baseline else {}
    ours = {name: value for name, value in ours.items() if name not in COUNTS}
    names = {name: metric_name(name) for name in ours}
    width = max(map(len, names.values()), default=0)
    lines = [f"{'':{width}}      model{'   baseline' if baseline else ''}"]
    for name, value in ours.items():
        beside = f"  {theirs[name]:9,.3f}" if name in theirs else ""
        lines.append(f"{names[name]:{width}}  {value:9,.3f}{beside}{'  lower is better' if is_lower(name) else ''}")
    if not baseline:
        return lines
    some, total = baseline.get("rows") or (0, 0)
    return [*lines, f"baseline: {baseline['name']}{f' on {some:,} of {total:,} rows' if some < total else ''}"]
