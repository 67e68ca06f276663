"""The page and the picture of a curve."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..drawing.style import FIRST, SECOND, WIDTH, as_svg, save, styled
from ..report import page as house
from ..report import plain
from ..report.language import say, speaking
from ..report.names import metric_name
from ..writing import whole
from . import said
from .fit import Law

NAME, PICTURE, RECORD = "curve.html", "curve.png", "curve.json"


def write(folder: Path, record: Mapping[str, Any], law: Law | None, language: str) -> Path:
    """Write curve.html, curve.png and the same figures as curve.json. Returns the page."""
    with whole(folder / RECORD) as aside:
        text = json.dumps(plain(record), ensure_ascii=False, indent=2, default=str, allow_nan=False)
        aside.write_text(text + "\n", encoding="utf-8")
    with speaking(language, in_files=True):
        save(drawn(record, law), folder / PICTURE)
    with speaking(language), whole(folder / NAME) as aside, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's reader has the font, or else none has
        aside.write_text(_render(record, law), encoding="utf-8")
    return folder / NAME


def _render(record: Mapping[str, Any], law: Law | None) -> str:
    return house.other(
        "curve.html",
        room=Path(__file__).parent,
        r=record,
        sentence=said.sentence(record),
        level=said.level(record["gain"]),
        figure_name=metric_name(record["figure"]),
        table=said.table(record),
        picture=as_svg(drawn(record, law)),
        ahead=[{**one, "gain": said.points(one["value"], record), "low": said.points(one["low"], record, unit=False),
                "high": said.points(one["high"], record, unit=False)} for one in record["ahead"]],
    )  # fmt: skip


@styled
def drawn(record: Mapping[str, Any], law: Law | None) -> Figure:
    """Each run, the fitted curve to twice the rows with its band, and TF-IDF's means."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    runs, table, most = record["runs"], said.table(record), max(record["sizes"])
    if law is not None:
        n = np.geomspace(min(record["sizes"]), 2 * most, 60)

        def of(error: np.ndarray) -> np.ndarray:
            return error if record["lower"] else 1 - error

        low, high = law.band(n)
        axes.fill_between(n, of(low), of(high), color=FIRST, alpha=0.15, linewidth=0)
        here = n <= most
        axes.plot(n[here], of(law.error(n[here])), color=FIRST)
        axes.plot(n[~here], of(law.error(n[~here])), color=FIRST, linestyle=(0, (4, 3)))
    axes.plot([one["rows"] for one in runs], [one["value"] for one in runs], "o", color=FIRST, markersize=4,
              label=say("this model"))  # fmt: skip
    theirs = [(one["rows"], one["baseline"]) for one in table if one["baseline"] is not None]
    if theirs:
        axes.plot(*zip(*theirs, strict=True), color=SECOND, marker="s", markersize=4, linewidth=1, label="TF-IDF")
    axes.set_xscale("log")
    ticks = [*record["sizes"], 2 * most] if law is not None else record["sizes"]
    axes.set_xticks(ticks, [f"{one:,}" for one in ticks], rotation=30)
    axes.minorticks_off()
    axes.set(title=metric_name(record["figure"]), xlabel=say("train rows"))
    axes.grid(axis="y")
    axes.legend(loc="best")
    return figure
