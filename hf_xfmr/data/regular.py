"""Files that are files: no folder, device, pipe or dangling link is opened in the place of one."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from ..errors import UserError

SMALL = 16 * 2**20  # bytes of a file of settings at most
JSON = 200 * 2**20  # of a JSON file; the tokenizers of a hundred languages have some 20 MiB
_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


def check_regular(path: str | Path, what: str) -> None:
    """Raises `UserError` unless `path` is a plain file that can be read to its end; a link is followed."""
    if fault := fault_of(path, what):
        raise UserError(fault)


def fault_of(path: str | Path, what: str) -> str | None:
    """What keeps `path` from being a plain file, as a sentence in which `what` it should be is said; None: nothing."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if os.path.islink(path):
            return f"{path}: is a link to {os.readlink(path)}, which is not there; mend it, or give another {what}"
        return f"{path}: there is no such {what}; check the path, which is seen from {Path.cwd()}"
    except NotADirectoryError:
        return f"{path}: there is no such {what}, for a part of that path is a file; check the path"
    except OSError as error:  # a name that is too long, a loop of links, a folder that is closed
        return f"{_short(path)}: can't be read ({error.strerror}); check the path and its permissions"
    except ValueError:  # a NUL
        return f"{_short(path)}: no {what} can have such a name; check the path"
    for is_kind, words in _KINDS:
        if is_kind(mode):
            return f"{path}: {words}, not a {what}; give a plain file"
    if not os.access(path, os.R_OK):
        return f"{path}: can't be read (Permission denied); check its permissions"
    return None


def read_small(path: Path, what: str, *, most: int = SMALL, encoding: str = "utf-8-sig") -> str:
    """The text of a plain file of settings, UTF-8, of `most` bytes at most. Raises `UserError` for any other."""
    check_regular(path, what)
    if path.stat().st_size > most:
        raise UserError(f"{path}: has {path.stat().st_size / 2**20:,.0f} MiB, too many for a {what}; give another file")
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the {what} as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}); check the path and its permissions") from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `object_pairs_hook`. Raises ValueError for a key that is there twice, of which Python
    would take the last in silence."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(one for place, one in enumerate(names) if one in names[:place])
        raise ValueError(f"the key {name[:40]!r} is there twice")
    return value


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The object in a JSON file. Raises `UserError`, naming the file, for anything else."""
    text = read_small(path, what, most=JSON, encoding="utf-8")  # transformers, too, reads no byte order mark
    try:
        value = json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise UserError(f"{path} is nested too deep to be read: save the {what} again") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({str(error).partition(';')[0]}): save the {what} again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a {type(value).__name__}, not an object: save the {what} again")
    return value


def _short(path: str | Path) -> str:
    text = str(path)
    return text if len(text) < 200 else f"{text[:100]}…{text[-40:]}"
