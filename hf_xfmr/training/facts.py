"""What a manifest must say: a seal shows that it is as it was written, not that what was written makes sense."""

import math
from pathlib import PurePosixPath
from typing import Any


def odd_fact(manifest: dict[str, Any]) -> str | None:
    """What is odd about a manifest, in words that go on after its name; None: nothing."""
    for name, is_right in _FACTS.items():
        if name not in manifest:
            return f"does not say {name}"
        if not is_right(manifest[name]):
            return f"has an odd {name}"
    for name, is_right in _MAY_LACK.items():
        if name in manifest and not is_right(manifest[name]):
            return f"has an odd {name}"
    for name, about in manifest["files"].items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            return "names a file that lies elsewhere"
        if not (isinstance(about, dict) and _count(about.get("bytes")) and isinstance(about.get("sha256"), str)):
            return f"has an odd entry for {name}"
    return None


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _amount(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0


def _data(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("weights_only"), bool):
        return False
    return _count(value.get("processes")) and value["processes"] >= 1


_FACTS = {
    "run": lambda value: isinstance(value, str),
    "step": _count,
    "scheduled": lambda value: isinstance(value, bool),
    "seconds": _amount,
    "data": _data,
    "files": lambda value: isinstance(value, dict),
    "saved": _count,
}
_MAY_LACK = {
    "best": lambda value: value is None or (isinstance(value, str) and value.startswith("checkpoint-")),
    "machine": lambda value: isinstance(value, dict),
}
