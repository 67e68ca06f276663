"""A file of predictions that grows row by row, survives a kill, and goes on with the row after its last."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..data.regular import read_small
from ..errors import UserError
from ..writing import folder, place, telling, unlink_link, whole
from .rows import Row

ESCAPED = {"errors": "backslashreplace"}  # half a character as \\ud800, which JSON reads as what it was


class PredictionFile:
    """Predictions written to `PATH.partial`, which becomes `PATH` (.csv or .jsonl) when all rows are in it.

    After each window of rows `PATH.state` says how many are in the file, its length in bytes, and a hash of what was
    read and of what it was predicted by. A process killed between the two leaves a few bytes beyond that length, which
    the next one cuts off: no row is lost or there twice.
    """

    def __init__(self, path: str | Path, columns: list[str], by: dict):
        """`columns` of a CSV; `by` is what the predictions depend on (model, settings): to go on with another is an
        error. Raises `UserError` if the file is complete already, or was begun otherwise."""
        self.path, self.columns = place(path, "--out"), columns
        self.is_table = self.path.suffix.lower() == ".csv"
        if not self.is_table and self.path.suffix.lower() != ".jsonl":
            raise UserError(f"{path}: predictions are written as .csv or .jsonl; give --out such a name")
        if self.path.exists():
            raise UserError(f"{path} is there already, complete: remove it, or give another name with --out")
        self.partial, self.state = (self.path.with_name(f"{self.path.name}.{end}") for end in ("partial", "state"))
        self.by, self.hash = json.loads(json.dumps(by)), hashlib.sha256()
        self.rows = self.resumed = 0
        begun = self._begun()
        folder(self.path.parent, instead="give another --out")
        with self._telling():
            unlink_link(self.partial)
            self.file = self.partial.open("r+b" if begun else "wb", buffering=0)  # nothing to write when it is closed
            if begun:
                self.resumed, self.size, self.expected = begun["rows"], begun["bytes"], begun["read"]
                self.file.truncate(self.size)
                self.file.seek(self.size)
            elif self.is_table:
                self._put(_csv([columns]))

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
        self.hash.update(json.dumps(row[:3]).encode())
        self.rows += 1

    def write(self, rows: list[Row], answers: list[dict]) -> None:
        """Append rows and have them on the disk; then say so in the state."""
        if self.is_table:
            text = _csv([[answer.get(name, "") for name in self.columns] for answer in answers])
        else:
            lines = (json.dumps(answer, ensure_ascii=False, allow_nan=False) for answer in answers)
            text = "".join(f"{line}\n" for line in lines).encode(**ESCAPED)
        with self._telling():
            self._put(text)
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
            self.partial.replace(self.path)  # as rename, where the name is taken on Windows too
            self.state.unlink(missing_ok=True)


def _csv(rows: list[list]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(**ESCAPED)
