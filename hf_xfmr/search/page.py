"""The page of a search: what it means, the settings, what they gained, and all trials, in one file."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..drawing.style import as_svg
from ..report import page as house
from ..report import plain
from ..report.language import say, speaking
from ..report.names import metric_name
from ..writing import whole
from . import pictures, said

NAME = "search.html"
MOST, MOST_FAILED = 100, 5  # trials, and reasons, that are shown


def write(folder: Path, record: Mapping[str, Any], language: str = "en") -> Path:
    """Write the page, and the same figures as `result.json`."""
    with whole(folder / "result.json") as aside:
        text = json.dumps(plain(record), ensure_ascii=False, indent=2, default=str, allow_nan=False)
        aside.write_text(text + "\n", encoding="utf-8")
    with speaking(language), whole(folder / NAME) as aside, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's reader has the font, or else none has
        aside.write_text(_render(record), encoding="utf-8")
    return folder / NAME


def _render(record: Mapping[str, Any]) -> str:
    trials, gains = record["trials"], said.gains(record)
    drawn = pictures.shares(record["importance"]) if record["importance"] else None
    failed = [one for one in trials if one["state"] == "failed"]
    best = next(one for one in trials if one["number"] == record["best_trial"])
    shown = trials if len(trials) <= MOST else [*trials[: MOST - 1], best]
    return house.other(
        "search.html",
        room=Path(__file__).parent,
        filters={"setting": _setting, "range": said.in_words, "percent": _percent, "last_part": _last_part},
        r=record,
        title=Path(record["folder"]).name.removeprefix("search-"),
        about=_about(record),
        sentence=said.sentence(record),
        level="better" if gains and list(gains.values())[-1]["sure"] else "",
        gains=gains,
        own_figure=said.own_figure(record) if record["best_is_own"] and record["refit"] else "",
        seeds=len(record["refit"]["best"]["seeds"]) if record["refit"] else 0,
        figure_name=metric_name(record["figure"]),
        course=as_svg(pictures.course(record)),
        shares=as_svg(drawn) if drawn else None,
        shown=shown,
        left_out=len(trials) - len(shown),
        failed=failed[:MOST_FAILED],
    )


def _about(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    count = {state: sum(one["state"] == state for one in record["trials"]) for state in ("pruned", "failed")}
    minutes = sum(one["seconds"] or 0 for one in record["trials"]) / 60
    return [
        (say("Trials"), f"{len(record['trials'])}"),
        (say("given up early"), f"{count['pruned']}"),
        (say("failed"), f"{count['failed']}"),
        (say("train rows"), f"{record['rows']:,}" if record["rows"] is not None else "–"),
        (say("minutes of trials"), f"{minutes:.1f}"),
    ]


def _setting(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _last_part(at: Mapping[Any, float]) -> str:
    last = max(at, key=int)
    return f"{at[last]:.4f} · {last} %"
