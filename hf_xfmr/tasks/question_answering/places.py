"""Where answers stand in their contexts: checked, and found where it is not told. Nothing is guessed unasked."""

from collections.abc import Sequence
from typing import NamedTuple

from ...data.wording import at, short
from ...errors import UserError
from .layouts import Item, name_of

SHOWN = 5  # places named in a message


class Placed(NamedTuple):
    """Questions whose answers stand where `starts` say (white space around them taken off), and what was done, as
    lines for a report."""

    items: list[Item]
    notes: list[str]


class _Fault(NamedTuple):
    item: Item
    kind: str  # moved: not where it is told; several: at several places; nowhere: not in the context
    words: str
    place: int | None  # where it would be mended to


def placed(items: Sequence[Item], split: str, faulty: str) -> Placed:
    """Each question with its answers' places. `faulty` says what becomes of answers that have none (see the settings).
    Raises `UserError` for those, under `error`, with the first one's row and what is there instead."""
    kept, faults, trimmed = [], [], []
    mended: list[int] = []
    left: list[int] = []
    for item in items:
        starts, own, was_trimmed = _of_item(item)
        faults += own
        if was_trimmed:
            trimmed.append(item.row)
        if own and faulty == "leave_out":
            left.append(item.row)
            continue
        if own and faulty == "mend":
            good = [number for number, start in enumerate(starts) if start is not None]
            if not good:
                left.append(item.row)
                continue
            mended.append(item.row)
            starts = [starts[number] for number in good]
            item = item._replace(answers=[item.answers[number] for number in good])
        kept.append(item._replace(answers=[one.strip() for one in item.answers], starts=starts))
    if faults and faulty == "error":
        raise UserError(_words(faults, split))
    notes = []
    if trimmed:
        notes.append(f"answers of {split}: white space taken off around {len(trimmed):,}: {at(split, trimmed)}")
    if mended:
        notes.append(f"answers of {split}: {len(mended):,} stand elsewhere than told, mended: {at(split, mended)}")
    if left:
        notes.append(f"answers of {split}: {len(left):,} left out, question and all: {at(split, left)}")
    return Placed(kept, notes)


def _of_item(item: Item) -> tuple[list[int | None], list[_Fault], bool]:
    """Where each answer starts, without white space around it; its faults, each with the place it is mended to."""
    starts: list[int | None] = []
    faults: list[_Fault] = []
    trimmed = False
    for answer, told in zip(item.answers, item.starts, strict=True):
        lead = len(answer) - len(answer.lstrip())
        if told is not None and answer.strip() and item.context.startswith(answer, told):
            starts.append(told + lead)
            trimmed |= answer != answer.strip()
            continue
        bare = answer.strip()
        found = occurrences(item.context, bare) if bare else []
        trimmed |= told is None and answer != bare
        if told is None and len(found) == 1:
            starts.append(found[0])
            continue
        if not found:
            starts.append(None)
            faults.append(_Fault(item, "nowhere", _nowhere(item.context, answer), None))
        elif told is None:
            starts.append(found[0])
            faults.append(_Fault(item, "several", _several(answer, found), found[0]))
        else:
            nearest = min(found, key=lambda place: abs(place - told))
            starts.append(nearest)
            faults.append(_Fault(item, "moved", _moved(item.context, answer, told, nearest), nearest))
    return starts, faults, trimmed


def occurrences(context: str, answer: str) -> list[int]:
    """The characters that an answer begins at, overlapping ones too."""
    found, place = [], context.find(answer)
    while place >= 0:
        found.append(place)
        place = context.find(answer, place + 1)
    return found


def _nowhere(context: str, answer: str) -> str:
    said = f'the answer "{short(answer)}" does not stand in the context'
    bare = " ".join(answer.split())
    if not bare:
        return "an answer is white space alone"
    if (place := context.casefold().find(bare.casefold())) >= 0:
        there = context[place : place + len(bare)]
        return f'{said} letter by letter, where "{short(there)}" stands at {place:,}'
    return said


def _several(answer: str, found: Sequence[int]) -> str:
    some = ", ".join(f"{place:,}" for place in found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
    return (
        f'the answer "{short(answer)}" stands at {len(found):,} places of the context ({some}), and answer_start does '
        "not say which"
    )


def _moved(context: str, answer: str, told: int, nearest: int) -> str:
    there = context[told : told + len(answer)]
    where = f'at answer_start {told:,} stands "{short(there)}"'
    return f'{where} and not the answer "{short(answer)}", which is at {nearest:,}'


def _words(faults: Sequence[_Fault], split: str) -> str:
    first = faults[0]
    rows = list(dict.fromkeys(one.item.row for one in faults))
    others = f"; in all {len(rows):,} such: {at(split, rows)}" if len(rows) > 1 else ""
    kinds = {one.kind for one in faults}
    if kinds == {"nowhere"}:
        advice = "correct them, or leave them out with --faulty_answers leave_out"
    else:
        advice = (
            "correct them (answer_start counts the characters before it, from 0), take the nearest place, else the "
            "first, with --faulty_answers mend, or leave them out with --faulty_answers leave_out"
        )
    return f"{name_of(first.item, split)}: {first.words}{others}; {advice}"
