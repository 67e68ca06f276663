"""A verdict as lines of a terminal, 80 columns wide."""

import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 80
WARNINGS_SHOWN = 6


def lines(verdict: Mapping[str, Any]) -> list[str]:
    """What a run says first when it ends: the sentence, its figures, what is to be heeded, what to do next."""
    said = [_wrapped(f"verdict: {verdict['sentence']}", "  ")]
    if verdict["why"]:
        said.append(_wrapped(f"  {verdict['why']}", "  "))
    told = verdict["claim"] is None  # then the sentence is the first warning
    for place, one in enumerate(verdict["warnings"][:WARNINGS_SHOWN]):
        if place or not told:
            said.append(_wrapped(f"  ! {one['text']}", "    "))
        if one["try"]:
            said.append(f"    try {one['try']}")
    if (more := len(verdict["warnings"]) - WARNINGS_SHOWN) > 0:
        said.append(f"  ! and {more} more in report.html")
    return [*said, verdict["next"]]


def _wrapped(text: str, indent: str) -> str:
    # flags and long names stay whole: they are to be pasted
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
