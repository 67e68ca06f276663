"""One run at a time in an output folder: a lock that ends with its process, however that ends."""

import errno
import os
import socket
from pathlib import Path
from typing import IO

from ..errors import UserError
from ..writing import telling, unlink_link

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
FAR = 1 << 30  # where Windows locks a byte: what is locked there can't be read, and the text stands at the beginning
_held: dict[tuple[int, Path], IO] = {}  # by process: a forked child has this table, but not the locks


def acquire(folder: str | Path) -> bool:
    """Lock a folder for this process. Returns False if this process holds it already.

    A POSIX record lock, because, unlike flock's, the workers that a data loader forks do not inherit it: they may
    outlive a killed run by seconds. Raises `UserError` if another process holds it.
    """
    key = (os.getpid(), Path(folder).resolve())
    if key in _held:
        return False
    with telling(Path(folder) / NAME, instead="give another --output_dir"):
        _held[key] = _take(folder, key[1])
    return True


def _take(folder: str | Path, place: Path) -> IO:
    place.mkdir(parents=True, exist_ok=True)
    unlink_link(place / NAME)  # or its target would be emptied
    file = (place / NAME).open("a+", encoding="utf-8")
    try:
        _lock(file)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise UserError(
                f"{folder} is in use by another run ({holder}): wait until it ends, or give another --output_dir"
            ) from None
        # a file system without locks: going on as everyone else would is better than not at all
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _lock(file: IO) -> None:
    """Raises OSError with EACCES or EAGAIN where another process holds the lock, on every system."""
    if fcntl is not None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt

    file.seek(FAR)
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # ends with its process, too
    file.seek(0)


def held() -> set[Path]:
    """The folders that this process has locked."""
    return {place for process, place in _held if process == os.getpid()}


def release(folder: str | Path) -> None:
    """Let others have the folder, if this process holds it."""
    file = _held.pop((os.getpid(), Path(folder).resolve()), None)
    if file is not None:
        file.close()
