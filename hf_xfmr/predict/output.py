"""What becomes of the answers: given one by one, or written to a file, with what is said of them in the end."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..plain import printable
from ..progress import progress
from . import keep, launched
from .row import BY_NAME, Columns, Row

if TYPE_CHECKING:
    from .answering import Answering
    from .file import Form, PredictionFile

FAULTS_NAMED = 5


@dataclass
class Wanted:
    """The file that is wanted: `pair` whether rows are pairs, `kept` the columns beside the answers, as they are called
    there; `source` the file that is read, and `columns` what was said of its columns."""

    out: str | Path
    model: str
    pair: bool = False
    kept: list[str] = field(default_factory=list)
    source: str | Path | None = None
    columns: Columns = BY_NAME

    def is_flat(self, shares: "Answering") -> bool:
        """Whether an answer is a row of columns."""
        return Path(self.out).suffix.lower() != ".jsonl" and shares.columns is not None


def check_name(out: str | Path) -> None:
    """Raises `UserError` for a name that no predictions are written to."""
    from .file import check_name as check

    check(out)


def _windows(rows: Iterable[Row], many: int) -> Iterator[list[Row]]:
    given = iter(rows)
    while window := list(islice(given, many)):
        yield window


class _Seen:
    """What is said of the answers in the end: how many were unsure, and which rows had none."""

    def __init__(self) -> None:
        self.labels: Counter = Counter()
        self.faults: list[str] = []

    def add(self, answers: Iterable[dict]) -> None:
        for one in answers:
            self.labels[one.get("label") == "unsure"] += 1
            if "error" in one:
                self.faults.append(f"row {one['id']} ({one['error']})")

    def tell(self, shares: "Answering") -> None:
        if said := shares.summary(self.labels.total(), self.labels[True]):
            print(printable(said), file=sys.stderr, flush=True)

    def refuse(self) -> None:
        """Raises `UserError` for rows that had no answer."""
        if faults := self.faults:
            more = f" and {len(faults) - FAULTS_NAMED:,} more" if len(faults) > FAULTS_NAMED else ""
            have = "row has" if len(faults) == 1 else "rows have"
            raise UserError(
                f"{len(faults):,} {have} an `error` and no answer: {', '.join(faults[:FAULTS_NAMED])}{more}"
            )


def answered(shares: "Answering", rows: Iterable[Row], many: int) -> Iterator[dict]:
    """Each row's answer with what is kept of the row."""
    seen = _Seen()
    try:
        for window, answers in shares(_windows(rows, many), flat=False):
            seen.add(answers)
            for row, one in zip(window, answers, strict=True):
                yield keep.beside(row._replace(kept=keep.plain(row.kept)), one) if row.kept else one
        seen.tell(shares)
    finally:
        shares.close()
    seen.refuse()


def write(shares: "Answering", rows: Iterable[Row], wanted: Wanted, total: int | None, many: int) -> None:
    """All answers to the file that is wanted. Raises `UserError` in the end for rows that had none."""
    flat, seen = wanted.is_flat(shares), _Seen()
    try:
        out, before = launched.begun(lambda: _file(wanted, shares))
        if out is None:  # the main process writes
            for _ in shares(_windows(islice(rows, before, None), many), flat=flat):
                pass
        else:
            _write_all(out, shares, rows, flat, seen, total, many)
        launched.leave()
        if out is None:
            return
        print(
            f"{out.rows:,} row{'s' * (out.rows != 1)}"
            f"{f', {out.resumed:,} of them before' if out.resumed else ''}: {printable(out.path)}",
            flush=True,
        )
        seen.tell(shares)
    finally:
        shares.close()
    seen.refuse()


def _write_all(
    out: "PredictionFile",
    shares: "Answering",
    rows: Iterable[Row],
    flat: bool,
    seen: _Seen,
    total: int | None,
    many: int,
) -> None:
    bar = progress(total=total, what="predict", unit="row")
    try:
        for window, answers in shares(_windows(out.rest(rows), many), flat=flat):
            seen.add(answers)
            out.write(window, [keep.beside(row, one) for row, one in zip(window, answers, strict=True)])
            bar.update(out.rows - bar.n)
    finally:
        bar.close()
        out.undo_empty()
    out.finish()


def _file(wanted: Wanted, shares: "Answering") -> "PredictionFile":
    from .file import PredictionFile

    folder = Path(wanted.model)
    files = sorted(folder.glob("*.safetensors")) or sorted((folder / "adapter").glob("*.safetensors"))
    by: dict = {"model": wanted.model, "weights": [[file.stat().st_size, file.stat().st_mtime_ns] for file in files]}
    if wanted.kept:
        by["columns kept"] = wanted.kept
    return PredictionFile(wanted.out, _form(wanted, shares), {**by, **shares.depends_on})


def _form(wanted: Wanted, shares: "Answering") -> "Form":
    from .file import Csv, JsonLines

    kind = Path(wanted.out).suffix.lower()
    if kind == ".csv" and shares.columns is None:
        raise UserError(f"{wanted.out}: a text has several entities, or none: give --out a name in .jsonl or .parquet")
    if kind == ".jsonl":
        return JsonLines(wanted.kept)
    pair = ["text_pair"] if wanted.pair else []
    columns = ["id", "text", *pair, *wanted.kept, *(shares.columns or ["entities"]), "error"]
    if kind == ".csv":
        return Csv(columns, wanted.kept)
    from .parquet import Parquet, types_of  # heavy

    return Parquet(columns, wanted.kept, types_of(wanted.source, wanted.columns, wanted.kept))
