"""What a curve means, in a sentence and a few lines."""

from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

from ..report.language import say
from ..report.names import metric_name
from ..report.verdict.numbers import number

MATTERS = 0.005  # of a figure up to 1: half a point
LITTLE = 0.01
SURELY = 0.001  # the fitted law never falls: a gain of nothing is not below 0 but at it


def level(gain: Mapping[str, float] | None) -> str:
    """`better`: more rows surely help; `tie`: they will not help much; `unsure`."""
    if gain is None:
        return "unsure"
    scale = gain["scale"]
    if gain["low"] > SURELY * scale and gain["value"] >= MATTERS * scale:
        return "better"
    return "tie" if gain["high"] < LITTLE * scale else "unsure"


def sentence(record: Mapping[str, Any]) -> str:
    gain = record["gain"]
    if gain is None:
        return say("Too few sizes to say what more labels would bring: give four at least.")
    texts = {
        "better": say("{more} more labels would bring about {value} ({low} to {high}) of {figure}."),
        "tie": say("More labels will not help much: {more} more bring about {value} ({low} to {high}) of {figure}."),
        "unsure": say(
            "More labels may help: {more} more bring {value} ({low} to {high}) of {figure}, which is not sure."
        ),
    }
    shown = {end: points(gain[end], record, unit=end == "value") for end in ("value", "low", "high")}
    return texts[level(gain)].format(more=f"{gain['more']:,}", figure=metric_name(record["figure"]), **shown)


def points(gain: float, record: Mapping[str, Any], *, unit: bool = True) -> str:
    """A gain as it is read: points of a share, else the figure's own unit, where less may be better."""
    if not unit and not record["lower"]:
        return f"{100 * gain:+.1f}"
    if record["lower"]:
        return f"{-gain:+.3f}"
    return say("{n} points", n=f"{100 * gain:+.1f}")


def table(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line for each size: the mean over the seeds, its standard deviation, and the baseline's mean."""
    found = []
    for rows in record["sizes"]:
        runs = [one for one in record["runs"] if one["rows"] == rows]
        values = [one["value"] for one in runs]
        theirs = [one["baseline"] for one in runs if one["baseline"] is not None]
        spread = stdev(values) if len(values) > 1 else None
        found.append({"rows": rows, "mean": mean(values), "sd": spread, "baseline": mean(theirs) if theirs else None})
    return found


def lines(record: Mapping[str, Any]) -> list[str]:
    """For the terminal, the sentence first."""
    figure = record["figure"]
    said = [sentence(record), f"{metric_name(figure)} on {record['split']}, mean ± sd of {record['seeds']} seeds:"]
    for one in table(record):
        spread = "" if one["sd"] is None else f" ± {one['sd']:.3f}"
        beside = "" if one["baseline"] is None else f"   TF-IDF {number(figure, one['baseline'])}"
        said.append(f"{one['rows']:>9,} rows  {number(figure, one['mean'])}{spread}{beside}")
    if (tried := record["tried"]) is not None:
        said.append(
            f"tried: from the smaller sizes alone the curve says {number(figure, tried['told'])} "
            f"({number(figure, tried['low'])} to {number(figure, tried['high'])}) for {tried['rows']:,} rows; "
            f"it was {number(figure, tried['was'])}"
        )
    return said
