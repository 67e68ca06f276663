"""Which rows a split has, by a hash of their text: carved from train where a dataset lacks it, and limited."""

from collections.abc import Collection, Hashable, Sequence

from datasets import Dataset

from ..errors import UserError
from ..splits import position, split_of
from .picked import picked
from .wording import listed

CHANCE = 0.02  # that so many rows all miss a split: below it, it was none
FEWEST = 10  # different texts of which a share can be carved


def carve(
    splits: dict[str, Dataset],
    column: str,
    *,
    validation: float,
    test: float,
    learned: Sequence[Collection] | None = None,
    notes: list[str] | None = None,
    salt: str = "",
) -> dict[str, Dataset]:
    """The same splits, with a missing `validation` or `test` taken out of `train`; a given one is never touched.

    `validation` and `test` are shares of the train split, in [0, 1); 0 makes no such split. The side of a row depends
    on the text in `column` alone, so rows with equal texts (up to case, width and white space) share a side, and
    neither the order of the rows nor other rows matter. But where `learned` says for each row of train what has to be
    learned of it (its labels), no split takes the last rows of a label: they stay in train, with all of equal texts,
    and `notes` says how many. Another `salt` takes other rows: those of a dataset that was split by the hash already
    would all fall on one side. Raises UserError for impossible shares, for a train split too small to share, and for
    one that such a split left.
    """
    if min(validation, test) < 0 or validation + test >= 1:
        raise UserError(
            f"validation_fraction {validation} and test_fraction {test} leave nothing to train on; "
            "each is at least 0 and together they stay under 1"
        )
    shares = {"validation": validation, "test": test}
    shares = {split: 0.0 if split in splits else share for split, share in shares.items()}
    if not any(shares.values()):
        return dict(splits)
    train = splits["train"]
    texts = train[column][:]
    sides = [split_of(salt + text, **shares) for text in texts]
    hashed = set(sides)
    if learned is not None:
        _keep_the_last(sides, texts, learned, notes)
    carved = dict(splits)
    for split in ("train", *(split for split, share in shares.items() if share)):
        if split not in sides:
            raise UserError(_why_none(split, [salt + text for text in texts], hashed, shares))
        carved[split] = picked(train, [row for row, side in enumerate(sides) if side == split])
    return carved


def _why_none(split: str, texts: Sequence[str], hashed: Collection[str], shares: dict[str, float]) -> str:
    """What is to be said where a split gets no row: that the rows are few, or, where so many can't all have missed by
    chance what the hash did not choose, that they are one part of rows that it dealt out before."""
    places = sorted({position(text) for text in texts})
    asked = {**{name: share for name, share in shares.items() if share}, "train": 1 - sum(shares.values())}
    missed = [name for name in asked if name not in hashed]
    flags = _flags_for(places, asked)
    if not missed or (1 - sum(asked[name] for name in missed)) ** len(places) > CHANCE:
        more = f", or carve more by {flags}" if flags else ""
        return (
            f"the train split's {len(texts):,} rows are too few to carve {split} rows from ({split} would get none of "
            f"them); add rows, or give a {split} file{more}"
        )
    more = f", or carve these rows by {flags}" if flags else ""
    return (
        f"the train split's {len(texts):,} rows can't be carved: a hash of the text says which split a row is in, and "
        f"it puts none of them into {' or '.join(missed)}, so they are most likely one split of a larger table (the "
        "train rows of an earlier run, say); give its other splits too, as files named train, validation and test in "
        f"one folder{more}"
    )


def _flags_for(places: Sequence[float], asked: dict[str, float]) -> str | None:
    """The flags that carve about the shares that were `asked` of rows at these `places`, least first; None: none do."""
    for digits in (2, 4) if len(places) >= FEWEST else ():
        end, rest, flags, counts = 1.0, len(places), {}, []
        for split in ("test", "validation"):  # the last of [0, 1), and what is before it
            if split in asked:
                wanted = max(1, round(asked[split] * len(places)))
                if wanted >= rest:
                    return None
                begin = round((places[rest - wanted - 1] + places[rest - wanted]) / 2, digits)
                counts.append(sum(begin <= place < end for place in places) / wanted)
                flags[split], end, rest = round(end - begin, digits), begin, rest - wanted
        if all(0.5 <= one <= 2 for one in counts) and places[0] < end:
            return " ".join(f"--{split}_fraction {flags[split]:g}" for split in asked if split in flags)
    return None


def _keep_the_last(
    sides: list[str], texts: Sequence[str], learned: Sequence[Collection], notes: list[str] | None
) -> None:
    """Change `sides` such that whatever is in a row of `learned` is in one of train."""
    known = {one for side, labels in zip(sides, learned, strict=True) if side == "train" for one in labels}
    lost = {one for labels in learned for one in labels} - known
    if not lost:
        return
    kept = {position(text) for text, labels in zip(texts, learned, strict=True) if not lost.isdisjoint(labels)}
    moved = [row for row, text in enumerate(texts) if sides[row] != "train" and position(text) in kept]
    for row in moved:
        sides[row] = "train"
    if notes is not None:
        notes.append(
            f"kept in train: {len(moved):,} rows that a hash of the text would have held out, among them all of "
            f"{len(lost):,} rare label{'s' if len(lost) > 1 else ''} ({listed(sorted(map(str, lost)))})"
        )


def limit_rows(rows: Dataset, limit: int | None, *, split: str, notes: list[str], column: str = "text") -> Dataset:
    """At most `limit` rows, those whose texts come first by their hash: the same ones in whatever order."""
    if limit is None or limit >= len(rows):
        return rows
    if limit < 1:
        raise UserError(f"max_{split}_rows is {limit}; it must be at least 1")
    places = [position(text) for text in rows[column][:]]
    notes.append(
        f"max_{split}_rows: {limit:,} of {len(rows):,} {split} rows are used, chosen by a hash of their {column}"
    )
    return picked(rows, sorted(sorted(range(len(rows)), key=places.__getitem__)[:limit]))


def draw_rows(rows: Dataset, most: int | None, *, labels: Sequence[Hashable], seed: int, notes: list[str]) -> Dataset:
    """At most so many rows of each label, drawn by the seed and a hash of their texts: the same ones in whatever order.
    `notes` gets how many, and which labels have fewer. None: all rows. Raises UserError for less than one."""
    if most is None:
        return rows
    if most < 1:
        raise UserError(f"rows_per_label is {most}; it must be at least 1")
    order = [position(f"{seed} {text}") for text in rows["text"][:]]
    kept: dict[Hashable, list[int]] = {}
    for place in sorted(range(len(rows)), key=order.__getitem__):
        of_label = kept.setdefault(labels[place], [])
        if len(of_label) < most:
            of_label.append(place)
    places = sorted(place for of_label in kept.values() for place in of_label)
    notes.append(
        f"rows_per_label: {len(places):,} of {len(rows):,} train rows are used, {most:,} of a label, drawn by seed "
        f"{seed}"
    )
    if fewer := sorted(str(label) for label, of_label in kept.items() if len(of_label) < most):
        notes.append(f"rows_per_label: all rows are used of {listed(fewer)}, which have fewer")
    return picked(rows, places)
