"""Tags of words -> entities, and back: the schemes BIO, BIOES and BMES.

| scheme | first word of an entity | words inside | last word | only word |
|--------|-------------------------|--------------|-----------|-----------|
| BIO    | B-                      | I-           | I-        | B-        |
| BIOES  | B-                      | I-           | E-        | S-        |
| BMES   | B-                      | M-           | E-        | S-        |

A word outside of all entities is O. Models here learn BIO, which says the same and is what `pipeline` aggregates.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...data.wording import listed
from ...errors import UserError

OUTSIDE = "O"
SCHEMES = {"BIO": "BI", "BIOES": "BIES", "BMES": "BMES"}


class Entity(NamedTuple):
    """The words [start, end) of a sentence, and what they are."""

    type: str
    start: int
    end: int


def bio_labels(types: Sequence[str]) -> list[str]:
    """What a model predicts: O, then B- and I- of each type."""
    return [OUTSIDE, *(f"{place}-{kind}" for kind in types for place in "BI")]


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of a sentence, of whichever scheme, read as conlleval reads them: one also begins where a tag stands
    that goes on with an entity of this type which is not there."""
    found: list[Entity] = []
    start, open_type, closed = 0, "", False
    for index, (place, kind) in enumerate([*map(_split, tags), (OUTSIDE, "")]):
        if open_type and (closed or place in ("O", "B", "S") or kind != open_type):
            found.append(Entity(open_type, start, index))
            open_type = ""
        if kind and not open_type:
            start, open_type = index, kind
        closed = place in ("E", "S")
    return found


def write_tags(found: Iterable[Entity], length: int, scheme: str = "BIO") -> list[str]:
    """The tags of a sentence of `length` words with these entities."""
    inside, ends = ("M" if scheme == "BMES" else "I"), scheme != "BIO"
    tags = [OUTSIDE] * length
    for kind, start, end in found:
        places = ["B", *[inside] * (end - start - 1)]
        if ends:
            places = ["S"] if len(places) == 1 else [*places[:-1], "E"]
        tags[start:end] = [f"{place}-{kind}" for place in places]
    return tags


def _split(tag: str) -> tuple[str, str]:
    """`B-PER` as ("B", "PER"), `O` as ("O", ""). Raises UserError for what is no tag."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    place, dash, kind = tag.partition("-")
    if place not in ("B", "I", "M", "E", "S") or not dash or not kind:
        raise UserError(
            f'{listed([tag])} is no tag of {", ".join(SCHEMES)}: a tag is O, or a place and a type, as "B-PER"'
        )
    return place, kind
