"""What a manifest must say: a seal shows that it is as it was written, not that what was written makes sense."""

import math
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

LARGEST = 2**63 - 1  # of a whole number; none that is counted here comes near
DEEPEST = 50  # objects within objects; a config of a model within a model has 5


def odd_fact(manifest: dict[str, Any]) -> str | None:
    """What is odd about a manifest, in words that go on after its name; None: nothing."""
    if not _plain(manifest):
        return "holds what no checkpoint says: a number without bounds, or objects nested too deep"
    if odd := _odd(manifest, _FACTS, _MAY_LACK):
        return odd
    if odd := _odd(manifest["data"], _DATA, _DATA_MAY_LACK):
        return f"{odd} of its data"
    if len(manifest["log"]["losses"]) != manifest["data"]["processes"]:
        return "has not one loss for each of its processes"
    for name, about in manifest["files"].items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            return "names a file that lies elsewhere"
        if not (isinstance(about, dict) and _count(about.get("bytes")) and isinstance(about.get("sha256"), str)):
            return f"has an odd entry for {name}"
    return None


def _odd(facts: dict[str, Any], must: "_Checks", may: "_Checks") -> str | None:
    for name, is_right in must.items():
        if name not in facts:
            return f"does not say {name}"
        if not is_right(facts[name]):
            return f"has an odd {name}"
    for name, is_right in may.items():
        if name in facts and not is_right(facts[name]):
            return f"has an odd {name}"
    return None


def _plain(value: Any, depth: int = 0) -> bool:
    """Whether all numbers are finite and of a size that can be computed with, and nothing is nested deep."""
    if depth > DEEPEST:
        return False
    if isinstance(value, dict):
        return all(_plain(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return all(_plain(one, depth + 1) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= LARGEST


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return _whole(value) and value >= 0


def _some(value: Any) -> bool:
    return _whole(value) and value >= 1


def _amount(value: Any) -> bool:
    return (_whole(value) or isinstance(value, float)) and value >= 0


def _number(value: Any) -> bool:
    """A number, or the words for one that is not finite, which JSON has not."""
    return _whole(value) or isinstance(value, float) or value in ("nan", "inf", "-inf")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _bool(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _or_null(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_right(value)


def _hashes(value: Any) -> bool:
    """A hash, or one for each name; null where rows can't be hashed."""
    return _or_null(_text)(value) or (_object(value) and all(map(_or_null(_text), value.values())))


def _settings(value: Any) -> bool:
    return _object(value) and all(_object(value.get(part)) for part in ("recipe", "arguments", "config"))


def _log(value: Any) -> bool:
    if not _object(value) or not isinstance(value.get("losses"), list):
        return False
    return all(map(_number, value["losses"])) and _number(value.get("total")) and _count(value.get("logged_at"))


def _streamed(value: Any) -> bool:
    return _object(value) and _count(value.get("rows")) and _text(value.get("hash"))


_Checks = dict[str, Callable[[Any], bool]]
_FACTS: _Checks = {
    "run": _text,
    "step": _count,
    "best": lambda value: value is None or (_text(value) and value.startswith("checkpoint-")),
    "scheduled": _bool,
    "seconds": _amount,
    "data": _object,
    "machine": lambda value: _object(value) and all(_text(one) or _count(one) for one in value.values()),
    "log": _log,
    "files": _object,
    "saved": _count,
}
_MAY_LACK: _Checks = {"streamed": _streamed}
_DATA: _Checks = {
    "seed": _whole,
    "data_seed": _or_null(_whole),
    "batch_size": _or_null(_some),
    "tokens_per_batch": _or_null(_some),
    "accumulation": _some,
    "processes": _some,
    "weights_only": _bool,
    "settings": _settings,
    "held_out": _hashes,
}
_DATA_MAY_LACK: _Checks = {"rows": _count, "all_rows": _or_null(_text), "order": _text, "evaluated": _hashes}
