"""How a corpus writes its tags: `B-PER`, `b_per`, `PER-B`, `U-PER`, `PER`; and the same tags in the form of schemes.py.

| scheme | letters | reading |
|--------|---------|---------|
| BIO | B I | as schemes.py says |
| IOB1 | B I | B only between two entities of one type that touch |
| IO | I, or the bare type | a run of one type is one entity |
| IOE | I E | E ends an entity, in IOE1 only where the next one touches it |
| BIOES, BMES, BILOU | B I E S, B M E S (or W), B I L U | first, inner, last and only words |
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ...data.wording import listed, short
from ...errors import UserError
from .schemes import OUTSIDE, SCHEMES, entities

NAMES = ("BIO", "IOB1", "IO", "IOE", "BIOES", "BMES", "BILOU")
LETTERS = {"BIO": "BI", "IOB1": "BI", "IO": "I", "IOE": "IE", "BIOES": "BIES", "BMES": "BMESW", "BILOU": "BILU"}
SAME = {"L": "E", "U": "S", "W": "S"}  # letters of other schemes that say what one of ours does
NO_ENTITY = ("O", "o", "0", "_", "")
SPELT_OUT = ("other", "none", "null", "outside", "out", "nil")  # the same, among types without a place
UNNAMED = "ENTITY"  # the type, where tags are B, I and O alone
PREFIX = re.compile(r"([BIMESLUWbimesluw])[-_:./|](.+)", re.DOTALL)
SUFFIX = re.compile(r"(.+)[-_:./|]([BIMESLUWbimesluw])", re.DOTALL)


@dataclass
class Notation:
    """`canonical` has each tag as it is written in the form of schemes.py (`B-PER`); `notes` say what was guessed."""

    scheme: str
    canonical: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def written_as(self) -> str | None:
        """The scheme of schemes.py that tags in order are equal to; None where any order is one."""
        return "BIOES" if self.scheme == "BILOU" else self.scheme if self.scheme in SCHEMES else None


def find(sentences: Sequence[Sequence[str]], told: str | None, where: Callable[[str], str] = str) -> Notation:
    """The notation of all tags of a corpus. `told` is the scheme that the user says; `where` says for a tag in which
    row it stands.

    Raises UserError for a tag that is none beside the others, for tags of two schemes, and for words that all have a
    type and no place, as parts of speech do.
    """
    scheme = _named(told)
    counts = Counter(tag for tags in sentences for tag in tags)
    notes: list[str] = []
    kinds = _outside(counts, notes, where)
    places = _placed([tag for tag in counts if tag not in kinds], scheme, notes, where)
    bare = not places and len(counts) > len(kinds)
    if bare:
        if scheme not in (None, "IO"):
            raise UserError(f"tag_scheme is {scheme}, but no tag has a place ({listed(sorted(counts))}); leave it out")
        spelt = [tag for tag in counts if tag.casefold() in SPELT_OUT]
        if not kinds and len(spelt) == 1:
            kinds = spelt
            notes.append(f'outside of entities words have "{spelt[0]}"')
        if not kinds and scheme != "IO":
            raise UserError(
                f"no tag is O and none says where an entity begins ({listed(sorted(counts))}), as with parts of "
                "speech: this recipe finds entities; to read each run of one tag as an entity, say --tag_scheme IO"
            )
        places = {tag: ("I", tag) for tag in counts if tag not in kinds}
    used = {place for place, _ in places.values()}
    found = _scheme(used, places, scheme)
    canonical = dict.fromkeys(kinds, OUTSIDE)
    same = SAME if found == "BMES" else SAME | {"M": "I"}
    canonical |= {tag: f"{same.get(place, place)}-{kind}" for tag, (place, kind) in places.items()}
    if found == "BIO" and scheme is None and _is_iob1([[canonical[tag] for tag in tags] for tags in sentences]):
        found = "IOB1"
    if found == "IO" and places:
        how = "types without a place" if bare else "I- alone"
        notes.append(f"tags are {how} (IO): words of one type that touch are one entity")
    if folded := _differ_in_case({kind for _, kind in places.values()}):
        notes.append(f"types that differ in case alone are types of their own: {listed(folded)}")
    return Notation(found, canonical, notes)


def _named(told: str | None) -> str | None:
    if told is None:
        return None
    name = {"IOB2": "BIO", "IOB": "BIO", "BILUO": "BILOU", "BIOLU": "BILOU", "IOBES": "BIOES", "BMEWO": "BMES"}.get(
        told.upper(), told.upper()
    )
    name = {"BMESO": "BMES", "IOE1": "IOE", "IOE2": "IOE"}.get(name, name)
    if name not in NAMES:
        raise UserError(f'tag_scheme is "{told}"; it is one of {", ".join(NAMES)}')
    return name


def _outside(counts: Counter, notes: list[str], where: Callable) -> list[str]:
    """The tags of words outside of entities."""
    found = [tag for tag in NO_ENTITY if tag in counts]
    if "" in found and len(found) > 1:
        raise UserError(
            f'{where("")}: {counts[""]:,} words have an empty tag, and others "{found[0]}": write "{found[0]}" where '
            "no entity is"
        )
    if found and found != ["O"]:
        notes.append(f"outside of entities words have {listed(found)}")
    return found


def _placed(tags: list[str], told: str | None, notes: list[str], where: Callable) -> dict[str, tuple[str, str]]:
    """Place and type of each tag; nothing if none has a place. Raises UserError if some have one and others not."""
    if tags and all(len(tag) == 1 and tag.upper() in "BIMESLUW" for tag in tags) and {"B", "b"} & set(tags):
        notes.append(f'tags have no type: theirs is called "{UNNAMED}"')
        return {tag: (tag.upper(), UNNAMED) for tag in tags}
    before = {tag: (one[1].upper(), one[2]) for tag in tags if (one := PREFIX.fullmatch(tag))}
    after = {tag: (one[2].upper(), one[1]) for tag in tags if (one := SUFFIX.fullmatch(tag))}
    best = after if len(after) > len(before) else before
    if told == "IO" and len(best) < len(tags):
        return {}
    if len(before) == len(after) == len(tags) > 0:
        notes.append('the place is what stands first in a tag, as in "B-PER"')
    if best is after and best:
        notes.append(f'the place is at the end of a tag: "{short(next(iter(best)))}"')
    if not best or len(best) == len(tags):
        return best
    odd = [tag for tag in tags if tag not in best]
    if len(best) < len(odd) and not ({"B", "I"} & {place for place, _ in best.values()}):
        return {}  # types as E-mail among others
    raise UserError(
        f"{where(odd[0])}: {listed([odd[0]])} is no tag of {', '.join(NAMES)}, as others are "
        f'({listed([next(iter(best))])}): a tag is O, or a place and a type, as "B-PER" (if all are types without a '
        "place, say --tag_scheme IO)"
    )


def _scheme(used: set[str], places: dict, told: str | None) -> str:
    """The scheme with these letters. Raises UserError for letters of two, or other than those of the scheme told."""
    by_place = {place: tag for tag, (place, _) in sorted(places.items())}
    if told is not None:
        if wrong := sorted(used - set(LETTERS[told])):
            raise UserError(
                f"tag_scheme is {told}, which has no tag as {listed([by_place[wrong[0]]])}; leave it out, and the "
                "scheme is found"
            )
        return told
    for one, other in (("I", "M"), ("E", "L"), ("S", "U"), ("S", "W"), ("U", "W")):
        if {one, other} <= used:
            raise UserError(
                f'the tags "{by_place[one]}" and "{by_place[other]}" are of two schemes ({one}- and {other}- say the '
                "same): write all in one"
            )
    if used <= {"B", "I"}:
        return "BIO" if "B" in used or not used else "IO"
    if used <= {"I", "E"} and "I" in used:
        return "IOE"
    return next((name for name in ("BIOES", "BMES", "BILOU") if used <= set(LETTERS[name])), _mixed(by_place))


def _mixed(by_place: dict[str, str]) -> str:
    if {"M", "W"} & set(by_place):
        return "BMES"
    return "BILOU"


def _is_iob1(sentences: list[list[str]]) -> bool:
    """Whether entities begin with I, and B stands where one of its type goes before."""
    inner = False
    for tags in sentences:
        for before, tag in zip([OUTSIDE, *tags], tags, strict=False):
            if tag[:1] == "B" and before[2:] != tag[2:]:
                return False
            inner = inner or (tag[:1] == "I" and before[2:] != tag[2:])
    return inner


def _differ_in_case(types: Iterable[str]) -> list[str]:
    by_fold: dict[str, list[str]] = {}
    for kind in sorted(types):
        by_fold.setdefault(kind.casefold(), []).append(kind)
    return [kind for kinds in by_fold.values() if len(kinds) > 1 for kind in kinds]


def types_in(sentences: Iterable[Sequence[str]]) -> list[str]:
    """The types of the entities in canonical tags, sorted."""
    return sorted({entity.type for tags in sentences for entity in entities(tags)})
