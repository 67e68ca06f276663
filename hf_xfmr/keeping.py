"""What took long to compute, kept on disk for the next start: files named by a hash of all that they were made of.

An entry is written aside and takes its place whole, so that two processes may write the same one, and a killed one
leaves none. Nothing here stops a run: where nothing can be written, it computes, and says so. What is not used for
`DAYS` goes, and then the longest unused until all together have less than `MOST` bytes.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from .writing import NEW, NotWritten, fault_of, whole

MOST = 10 * 10**9  # bytes of all entries
DAYS = 30.0  # without use
LEFT = 1.0  # days after which a file that was not written to its end is taken for a killed process's
DAY = 24 * 60 * 60
SHOWN = 10  # entries, the last used first


@dataclass(frozen=True)
class Entry:
    """A file that is kept; `used` in seconds since 1970."""

    path: Path
    bytes: int
    used: float


def folder() -> Path:
    """Where entries are: beside the samples, in the Hugging Face cache (HF_HOME)."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "hf_xfmr" / "kept"


def key(made_of: Mapping[str, object], code: Iterable[ModuleType] = ()) -> str:
    """The name of what is made of these facts (as JSON) by this code: other facts, or other code, have another."""
    found = hashlib.sha256(json.dumps(made_of, sort_keys=True, default=str).encode())
    for module in code:
        found.update(Path(str(module.__file__)).read_bytes())
    return found.hexdigest()[:32]


def find(name: str) -> Path | None:
    """The entry of this name (a key and an ending), which counts as used now."""
    path = folder() / name
    if not path.is_file():
        return None
    with suppress(OSError):  # another's, or a disk that is read only
        os.utime(path)
    return path


def keep(name: str, write: Callable[[Path], object]) -> str | None:
    """Have the entry written. Returns why it could not be, in words; None if it was."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with whole(folder() / name) as aside:
            write(aside)
        tidy()
    except NotWritten as error:
        return str(error)
    except OSError as error:
        fault = fault_of(error, folder())
        if fault is None:
            raise
        return f"{folder()} can't be written ({fault[1]})"
    return None


def drop(name: str) -> None:
    """Remove an entry that is damaged."""
    with suppress(OSError):
        (folder() / name).unlink()


def entries() -> list[Entry]:
    """Those that are kept, the longest unused first."""
    found = []
    for path in _files():
        if not path.name.startswith(NEW):
            with suppress(OSError):  # removed by another process just now
                about = path.stat()
                found.append(Entry(path, about.st_size, about.st_mtime))
    return sorted(found, key=lambda one: one.used)


def tidy() -> None:
    """Remove what is too old, what is too much, and what killed processes have left."""
    now = time.time()
    for path in _files():
        with suppress(OSError):
            if path.name.startswith(NEW) and path.stat().st_mtime < now - LEFT * DAY:
                path.unlink()
    there = entries()
    total = sum(one.bytes for one in there)
    for one in there[:-1]:  # the newest stays, however large
        if one.used < now - DAYS * DAY or total > MOST:
            with suppress(OSError):
                one.path.unlink()
                total -= one.bytes


def clear_all() -> tuple[int, int]:
    """Remove all entries. Returns how many went, and their bytes; those that can't be removed stay."""
    count = size = 0
    for one in entries():
        with suppress(OSError):
            one.path.unlink()
            count, size = count + 1, size + one.bytes
    for path in _files():
        with suppress(OSError):
            path.unlink()
    return count, size


def lines(*, clear: bool = False) -> list[str]:
    """What the command cache says: how much is kept, where, and the newest entries; with `clear`, what was removed."""
    if clear:
        count, size = clear_all()
        left = entries()
        more = f"; {len(left):,} can't be removed by you" if left else ""
        return [f"removed: {_counted(count)}, {size / 1e6:,.1f} MB, from {folder()}{more}"]
    there = entries()
    said = [f"kept: {_counted(len(there))}, {sum(one.bytes for one in there) / 1e6:,.1f} MB, in {folder()}"]
    for one in there[: -SHOWN - 1 : -1]:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used))
        said.append(f"  {one.path.name}  {one.bytes / 1e6:9,.1f} MB  used {used}")
    if len(there) > SHOWN:
        said.append(f"  and {len(there) - SHOWN:,} more, used before these")
    return said


def _counted(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _files() -> list[Path]:
    try:
        return [path for path in folder().iterdir() if path.is_file()]
    except OSError:
        return []
