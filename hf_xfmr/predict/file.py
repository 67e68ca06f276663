"""A file of predictions that grows row by row, survives a kill, and goes on with the row after its last."""

import csv
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from ..data.regular import read_small
from ..errors import UserError
from ..writing import clear_left, folder, place, telling, unlink_link, whole
from .keep import as_text, plain
from .row import Row

ESCAPED = {"errors": "backslashreplace"}  # half a character as \\ud800, which JSON reads as what it was
SUFFIXES = (".csv", ".jsonl", ".parquet")


class Form(Protocol):
    """How answers are written."""

    is_table: bool  # whether an answer is a row of columns

    def head(self) -> bytes:
        """What the file begins with."""
        ...

    def lines(self, answers: list[dict]) -> bytes: ...

    def finish(self, partial: Path, path: Path) -> None:
        """Make `path` of the file that has all rows."""
        ...


class Csv:
    """A table of text; what is no text is JSON."""

    is_table = True

    def __init__(self, columns: Sequence[str], kept: Sequence[str] = ()):
        self.columns, self.kept = columns, set(kept)

    def head(self) -> bytes:
        return _csv([list(self.columns)])

    def lines(self, answers: list[dict]) -> bytes:
        return _csv([[self._cell(name, one.get(name, "")) for name in self.columns] for one in answers])

    def _cell(self, name: str, value: Any) -> Any:
        return as_text(value) if name in self.kept else value

    def finish(self, partial: Path, path: Path) -> None:
        partial.replace(path)  # as rename, where the name is taken on Windows too


class JsonLines:
    """An object a line."""

    is_table = False

    def __init__(self, kept: Sequence[str] = ()):
        self.kept = kept

    def head(self) -> bytes:
        return b""

    def lines(self, answers: list[dict]) -> bytes:
        if self.kept:
            answers = [{**one, **{name: plain(one[name]) for name in self.kept if name in one}} for one in answers]
        lines = (json.dumps(one, ensure_ascii=False, allow_nan=False) for one in answers)
        return "".join(f"{line}\n" for line in lines).encode(**ESCAPED)

    def finish(self, partial: Path, path: Path) -> None:
        partial.replace(path)


def check_name(out: str | Path) -> Path:
    """The place that `--out` names. Raises `UserError` for one that no predictions are written to."""
    path = place(out, "--out")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{out}: predictions are written as .csv, .jsonl or .parquet; give --out such a name")
    return path


class PredictionFile:
    """Predictions written to `PATH.partial`, which becomes `PATH` (.csv, .jsonl or .parquet) when all rows are in it.

    After each window of rows `PATH.state` says how many are in the file, its length in bytes, and a hash of what was
    read and of what it was predicted by. A process killed between the two leaves a few bytes beyond that length, which
    the next one cuts off: no row is lost or there twice.
    """

    def __init__(self, path: str | Path, form: Form, by: dict):
        """`form` is how answers are written; `by` is what the predictions depend on (model, settings): to go on with
        another is an error. Raises `UserError` if the file is complete already, was begun otherwise, or is being
        written by another process."""
        self.path, self.form = check_name(path), form
        if self.path.exists():
            raise UserError(f"{path} is there already, complete: remove it, or give another name with --out")
        self.partial, self.state = (self.path.with_name(f"{self.path.name}.{end}") for end in ("partial", "state"))
        self.by, self.hash = json.loads(json.dumps(by)), hashlib.sha256()
        self.rows = self.resumed = 0
        begun = self._begun()
        folder(self.path.parent, instead="give another --out")
        with self._telling():
            unlink_link(self.partial)
            number = os.open(self.partial, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self.file = open(number, "r+b", buffering=0)  # noqa: SIM115  nothing to write when it is closed
            self._claim()
            self.size = 0
            if begun:
                self.resumed, self.size, self.expected = begun["rows"], begun["bytes"], begun["read"]
            self.file.truncate(self.size)
            self.file.seek(self.size)
            if not begun:
                self._put(form.head())

    def _claim(self) -> None:
        """Keep other processes from writing the same rows: a lock that ends with this one, however that ends."""
        if fcntl is None:  # Windows
            return
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                self.file.close()
                raise UserError(
                    f"{self.partial} is being written by another process: wait until it ends, or give another --out"
                ) from None
            # a file system without locks: going on as everyone else would is better than not at all

    def _telling(self) -> AbstractContextManager:
        way_on = "the same command goes on with the next row"
        return telling(self.path, instead="", way_on=way_on)

    def _put(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[self.file.write(rest) :]

    def _begun(self) -> dict | None:
        if not (os.path.lexists(self.state) and self.partial.exists()) or self.partial.is_symlink():
            return None
        begun = self._read_state()
        if begun["by"] != self.by:
            other = next(name for name in {**begun["by"], **self.by} if begun["by"].get(name) != self.by.get(name))
            raise UserError(
                f"{self.partial} was begun with another {other} ({begun['by'].get(other)}, now {self.by.get(other)}): "
                f"remove it and {self.state.name}, or give another name with --out"
            )
        if self.partial.stat().st_size < begun["bytes"]:
            raise UserError(f"{self.partial} is shorter than {self.state.name} says: remove both and begin anew")
        return begun

    def _read_state(self) -> dict:
        kinds = {"by": dict, "bytes": int, "rows": int, "read": str}
        try:
            begun = json.loads(read_small(self.state, "state of predictions"))
            if all(isinstance(begun[name], kind) for name, kind in kinds.items()):
                return begun
        except (ValueError, KeyError, TypeError, RecursionError):  # a UserError is a ValueError
            pass
        raise UserError(
            f"{self.state} is damaged, so that {self.partial.name} can't be gone on with: remove both, or give another "
            "name with --out"
        )

    def rest(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows that are not in the file yet. Raises `UserError` if those that are were others."""
        rows = iter(rows)
        for row in rows if self.resumed else ():
            self._count(row)
            if self.rows == self.resumed:
                break
        if self.rows < self.resumed or (self.resumed and self.hash.hexdigest() != self.expected):
            raise UserError(
                f"{self.partial} holds predictions of {self.resumed:,} other rows than are first in the input now: "
                f"remove it and {self.state.name}, or give another name with --out"
            )
        yield from rows

    def _count(self, row: Row) -> None:
        read = [*row[:3], *([plain(row.kept)] if row.kept else [])]
        self.hash.update(json.dumps(read).encode())
        self.rows += 1

    def write(self, rows: list[Row], answers: list[dict]) -> None:
        """Append rows and have them on the disk; then say so in the state."""
        content = self.form.lines(answers)
        with self._telling():
            self._put(content)
            os.fsync(self.file.fileno())
        for row in rows:
            self._count(row)
        state = {"rows": self.rows, "bytes": self.file.tell(), "read": self.hash.hexdigest(), "by": self.by}
        with self._telling(), whole(self.state) as aside:
            aside.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")

    def undo_empty(self) -> None:
        """Leave nothing behind where no row was written."""
        if not self.rows:
            self.file.close()
            self.partial.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its name."""
        with self._telling():
            os.fsync(self.file.fileno())
            self.file.close()
            self.form.finish(self.partial, self.path)
            self.state.unlink(missing_ok=True)
            self.partial.unlink(missing_ok=True)
            clear_left(self.state)


def _csv(rows: list[list]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(**ESCAPED)
