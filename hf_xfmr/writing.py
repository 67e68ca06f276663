"""Files that are whole or not there: written beside their place, then put into it in one step."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError

NEW = ".new-"  # how the name of what is being written begins


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A name of the same ending to write a file to, which takes its place at `path` when the block has ended well.

    A symbolic link at `path` is replaced, and what it points to stays as it is; a device or a pipe is written to.
    Raises `UserError` for what the system says of a full disk, a quota, or a folder that is another's.
    """
    path = Path(path)
    if path.is_char_device() or path.is_fifo():
        yield path
        return
    aside = path.with_name(f"{NEW}{os.getpid()}-{path.stem[:40]}{path.suffix}")
    try:
        aside.unlink(missing_ok=True)  # never through a link
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} can't be written ({reason}): free some space, or name another folder") from error
    finally:
        if aside.is_file():
            aside.unlink()


def unlink_link(path: Path) -> None:
    """Make room where a symbolic link stands; its target is untouched."""
    if path.is_symlink():
        path.unlink()


def away(path: Path) -> None:
    """Delete a folder with what is in it; of a symbolic link, a pipe or a device the thing alone, never opened."""
    if path.is_symlink() or not path.is_dir():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
