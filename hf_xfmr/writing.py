"""Files and folders that are whole or not there, and one sentence for whatever keeps them from being written.

All that is written goes through here: `whole` for a file, `whole_folder` for a new folder, `scratch` for what is thrown
away, and `telling` around writers of other libraries.
"""

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError
from .plain import obeyed

_FOLDERS_SYNC = os.name != "nt"  # Windows opens no folder, and syncs what is open for writing
NEW = ".new-"  # how the name of what is being written begins
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
ELSEWHERE = "name another folder"
# In errors that have no number: of tokenizers and safetensors, and of shutil.copytree, which tells of many at once.
_IN_WORDS = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a Path has one / of two
_OF_TORCH = ("inline_container", "PytorchStreamWriter", "iostream")  # in torch.save's, which say no more
_CURES = {
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "free some space, or raise the limit on a file's size (ulimit -f)",
    errno.EROFS: "have it mounted for writing",
    **dict.fromkeys((errno.ENOSPC, errno.EIO), "free some space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "make it writable for you"),
}


def place(name: str | Path, option: str) -> Path:
    """Where `option` says that something shall be written; `~` is the home folder, as in a shell. Raises `UserError`
    for an address, a name that a terminal would obey (it is printed and pasted), and a user who is not known."""
    text = str(name)
    if _ADDRESS.match(text):
        raise UserError(f"{option} is {text}: nothing is written to an address; give a place on this disk")
    if not text.strip():
        raise UserError(f"{option} is {text!r}, which is no name: give one")
    if any(map(obeyed, text)):
        raise UserError(f"{option} is {text!r}, with a character that no terminal shows: give another name")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise UserError(f"{option} is {text}: there is no such user here, whose folder that would be") from None


class NotWritten(UserError):
    """Something could not be written, for a reason that the system gives."""


def fault_of(error: BaseException, path: Path | None = None) -> tuple[int, str] | None:
    """The system's number and words for why something could not be written (to `path`, if one is given), from whichever
    library's error; None for an error that is of something else, or of another place."""
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        told = str(error.strerror or "")
        words = told if told and "errno" not in told.lower() else os.strerror(error.errno)  # pyarrow tells of its code
        name = error.filename2 or error.filename
        if name is None or path is None:
            of_this = error.errno in (*FULL, *CLOSED, errno.EIO)
        else:
            of_this = error.errno in FULL or _is_of(name, path)
        return (error.errno, words) if of_this else None
    if isinstance(error, RuntimeError) and any(word in str(error) for word in _OF_TORCH):
        return errno.EIO, "a file could not be written to its end"
    if not isinstance(error, UserError) and (found := _IN_WORDS.search(str(error))):
        number = int(found[1] or found[2])
        return (number, os.strerror(number)) if number in (*FULL, *CLOSED, errno.EIO) else None
    if error.__cause__ is not None and (fault := fault_of(error.__cause__, path)):
        return fault if path is None or fault[0] in FULL else None
    return None


def _is_of(name: object, path: Path) -> bool:
    """Whether a file that an error names is at `path`, in it, beside it or above it."""
    if not isinstance(name, str | bytes | os.PathLike):
        return False
    told, place = Path(os.path.abspath(os.fsdecode(name))), Path(os.path.abspath(path))
    return told in (place, *place.parents) or told.parent == place.parent or place in told.parents


@contextmanager
def telling(
    path: str | Path, what: str = "", *, kind: str = "", instead: str = ELSEWHERE, way_on: str = ""
) -> Iterator[None]:
    """Turns what any writer within says of a full, closed or broken disk into one `UserError`: `what` could not be
    written to `path` (or that, of a `kind` that is named, can't be written), why, and what to do: the cure, or
    `instead`, and the `way_on` from there.

    Errors about another place, as of a file that can't be read, pass through as they are.
    """
    try:
        yield
    except Exception as error:
        fault = None if isinstance(error, NotWritten) else fault_of(error, Path(path))
        if fault is None:
            raise
        raise NotWritten(_sentence(path, what, kind, *fault, instead=instead, way_on=way_on)) from error


def _sentence(path: str | Path, what: str, kind: str, number: int, reason: str, *, instead: str, way_on: str) -> str:
    cure = ", or ".join(filter(None, (_CURES.get(number, ""), instead)))
    advice = f"{cure or 'check the disk'}{way_on and f'; {way_on}'}"
    if not what:
        return f"{kind}{kind and ' '}{path} can't be written ({reason}): {advice}"
    if number in FULL or number == errno.EIO:
        with suppress(OSError):
            free = shutil.disk_usage(
                next(one for one in (Path(path), *Path(path).absolute().parents) if one.exists())
            ).free
            reason += f"; {free / 2**20:,.0f} MiB are free there"
    return f"{what} could not be written to {path} ({reason}): {advice}"


def folder(path: str | Path, *, kind: str = "", instead: str = ELSEWHERE) -> Path:
    """Make a folder and those above it. Raises `UserError` where that can't be, or where it can't be written to: by
    others' leave, a full disk, a disk that is read only, or files in it that only another user may replace."""
    path = Path(path)
    with telling(path if path.name else path.absolute(), kind=kind, instead=instead):  # not "."
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.unlink(missing_ok=True)  # never through a link
        try:
            with probe.open("wb") as file:
                file.write(b"\0" * 512)
        finally:
            probe.unlink(missing_ok=True)
        _check_owner(path)
    return path


def _check_owner(path: Path) -> None:
    """In a folder with the sticky bit only its owner, and a file's own, may replace a file."""
    about = path.stat()
    if about.st_mode & stat.S_ISVTX and hasattr(os, "geteuid") and os.geteuid() not in (0, about.st_uid):
        for one in path.iterdir():
            if one.lstat().st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, f"{one.name} in it is another user's", str(path))


def _aside(path: Path, process: object) -> Path:
    return path.with_name(f"{NEW}{process}-{path.stem[:40]}{path.suffix}")


def clear_left(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` by `whole` have left beside it."""
    ending = _aside(path, "").name.removeprefix(NEW)
    for left in path.parent.iterdir():
        if left.name.startswith(NEW) and left.name.endswith(ending):
            left.unlink(missing_ok=True)


@contextmanager
def whole(path: str | Path, *, instead: str = ELSEWHERE) -> Iterator[Path]:
    """A name of the same ending to write a file to, which takes its place at `path` when the block has ended well.

    A symbolic link at `path` is replaced, and what it points to stays as it is; a device or a pipe is written to.
    Raises `UserError` for what the system says of a full disk, a quota, or a folder that is another's.
    """
    path = Path(path)
    with telling(path, instead=instead):
        if path.is_char_device() or path.is_fifo():
            yield path
            return
        aside = _aside(path, os.getpid())
        try:
            aside.unlink(missing_ok=True)  # never through a link
            yield aside
            sync(aside)
            aside.replace(path)
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path, *, instead: str = ELSEWHERE) -> Iterator[Path]:
    """A folder to write into, which becomes the new folder `path` when the block has ended well; an empty one may be
    there. Raises `UserError` as `whole` does."""
    path = Path(os.path.realpath(path)) if os.path.isdir(path) else Path(path)
    folder(path.parent, instead=instead)
    with telling(path, instead=instead):
        above = Path(tempfile.mkdtemp(prefix=NEW, dir=path.parent))
        try:
            made = above / "made"
            made.mkdir()
            yield made
            for one in [*made.rglob("*"), made]:
                sync(one)
            unlink_link(path)
            if path.exists():
                path.rmdir()
            made.rename(path)
            sync(path.parent)
        finally:
            away(above)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A folder for what is thrown away again. Raises `UserError` where the system has no room for it."""
    kind, instead = "the folder for temporary files", "set TMPDIR to another folder"
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:  # of those that Python knows, none can be written to
        raise UserError(f"there is no folder for temporary files that can be written to: {instead}") from None
    with telling(place, kind=kind, instead=instead):
        made = tempfile.mkdtemp(prefix=prefix)
        try:
            yield Path(made)
        except NotWritten as error:
            if made in str(error) and error.__cause__ is not None:
                raise error.__cause__ from None  # to be told of the folder that the user knows
            raise
        finally:
            away(Path(made))


def sync(path: Path) -> None:
    """Have the system write a file or folder to the disk itself: where that can be said of no folder, a file alone."""
    if _FOLDERS_SYNC:
        handle = os.open(path, os.O_RDONLY)
    elif path.is_dir():
        return
    else:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
