"""Label Studio's export: tasks with `data` and the annotations of one person or several."""

from collections import Counter
from typing import Any

from ...data.wording import listed
from ...errors import UserError
from .span_items import Span, read_item

GIVEN = ("annotations", "completions")  # now, and in old exports


def is_task(row: dict) -> bool:
    """Whether a row is one of its tasks."""
    given = next((row[name] for name in GIVEN if name in row), None)
    return isinstance(row.get("data"), dict) and isinstance(given, list)


def read(row: dict, where: str, counts: Counter) -> tuple[str, list[Span]] | None:
    """Text and spans of a task, those of its first annotation that was not cancelled; None for one without.

    Raises UserError, which begins with `where`, for a task without a text, and for spans that are no characters of it.
    """
    given = _objects(row.get("annotations") or row.get("completions"), "annotations", where)
    kept = [one for one in given if not one.get("was_cancelled")]
    if not kept:
        counts[
            "tasks whose annotations were all cancelled are left out"
            if given
            else "tasks without an annotation are left out"
        ] += 1
        return None
    counts["tasks have annotations of several people, and the first is used"] += len(kept) > 1
    counts["cancelled annotations are left out"] += len(given) - len(kept)
    spans: list[Span] = []
    for one in _objects(kept[0].get("result"), "result", where):
        given_value = one.get("value")
        value: dict = given_value if isinstance(given_value, dict) else {}
        key = next((key for key in value if key.endswith("labels")), None)
        if key is None or "start" not in value:
            counts[f'results of type "{one.get("type")}" are no spans and are not used'] += 1
            continue
        spans += read_item({**value, "labels": value[key]}, where)
    return _text(row["data"], where), spans


def _objects(value: Any, name: str, where: str) -> list[dict]:
    if value is not None and not (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        raise UserError(f'{where}: "{name}" is no list of objects; export the tasks again')
    return value or []


def _text(data: dict[str, Any], where: str) -> str:
    texts = [name for name, value in data.items() if isinstance(value, str)]
    if "text" in texts:
        return data["text"]
    if len(texts) != 1:
        raise UserError(
            f'{where}: "data" has {listed(texts) or "no texts"}, and none is called "text"; rename the text'
        )
    return data[texts[0]]
