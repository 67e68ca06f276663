"""What a check finds: an error, a warning or a note, the rows it is about, and what to do."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

SHOWN = 5  # rows named in a line
KEPT = 100  # findings of a kind in a run's record and report


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`level` is error (the run must not start), warning (look at it) or note (good to know). `message` is what was
    found and where, `advice` what to do; `split`, `column` and `rows` (ids, the first few) say the place again, for
    programs."""

    level: str
    name: str
    message: str
    advice: str = ""
    split: str | None = None
    column: str | None = None
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.level}: {self.message}" + (f"; {self.advice}" if self.advice else "")

    def as_dict(self) -> dict:
        return asdict(self)


def stricter(findings: Iterable[Finding]) -> list[Finding]:
    """The same findings, warnings as errors."""
    return [replace(one, level="error") if one.level == "warning" else one for one in findings]


def lines(findings: Iterable[Finding]) -> list[str]:
    """What is said of them: of each kind the first few, and how many more there are."""
    kinds: dict[tuple, list[Finding]] = {}
    for one in findings:
        kinds.setdefault((one.level, one.name, one.split), []).append(one)
    said = []
    for (level, name, split), alike in kinds.items():
        said += [str(one) for one in alike[:SHOWN]]
        if len(alike) > SHOWN:
            where = f" of {split}" if split else ""
            said.append(f"{level}: and {len(alike) - SHOWN:,} more like this ({name}{where})")
    return said


def some(findings: Iterable[Finding]) -> list[Finding]:
    """The first KEPT of each kind, and in place of the rest how many there are."""
    kept: list[Finding] = []
    count: Counter = Counter()
    for one in findings:
        count[kind := (one.level, one.name, one.split)] += 1
        if count[kind] <= KEPT:
            kept.append(one)
    rest = [(kind, number - KEPT) for kind, number in count.items() if number > KEPT]
    return kept + [
        Finding(level=level, name=name, message=f"and {number:,} more like this ({name})", split=split)
        for (level, name, split), number in rest
    ]


def ids(rows: Sequence[str]) -> str:
    """`id 3, 7, 12, 40, 41 and 9 more`."""
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return f"id {', '.join(rows[:SHOWN])}{more}"


def counted(count: int, what: str) -> str:
    """`1 train row has`, `12 train rows have`."""
    return f"{count:,} {what} row has" if count == 1 else f"{count:,} {what} rows have"


def per_cent(share: float) -> str:
    """A share for reading; what is not nothing never reads 0 %."""
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.0005 else "under 0.1 %"
