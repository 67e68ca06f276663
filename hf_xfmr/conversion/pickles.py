"""Files that Python's pickle made, read without running anything that they say."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..data.regular import check_regular
from ..errors import UserError
from ..models.stock import code_in

SMALL = 64 * 2**20  # bytes of a pickle without tensors, at most


class Settings:
    """What stands in for a class of the other side's that holds settings alone: its fields, and none of its code."""


class _Plain(pickle.Unpickler):
    """Texts, numbers, lists and mappings, and no name of anything."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name}")


def read_plain(path: Path, what: str) -> Any:
    """A pickle of plain values. Raises `UserError` for one that names code, and one that is damaged."""
    check_regular(path, what)
    if path.stat().st_size > SMALL:
        raise UserError(f"{path} has {path.stat().st_size / 2**20:,.0f} MiB, too many for a {what}: give another file")
    try:
        with path.open("rb") as file:
            return _Plain(file).load()
    except pickle.UnpicklingError as error:
        if "." in str(error) and " " not in str(error):
            raise UserError(f"{path} holds code ({error}), which was not run: it is no {what}") from None
        raise UserError(f"{path} can't be read as a {what}: copy it again") from None
    except Exception:  # each kind of damage has its own
        raise UserError(f"{path} can't be read as a {what}: copy it again") from None


def read_tensors(path: Path, *, settings: str = "") -> Any:
    """What torch.save wrote, on the CPU. An object of a class whose name ends in `settings` is read as `Settings`.
    Raises `UserError` for a file that names any other code, or is damaged."""
    check_regular(path, "checkpoint")
    named = [one for one in code_in(path).split(", ") if one]
    known = [one for one in named if settings and one.rpartition(".")[2] == settings]
    if strange := [one for one in named if one not in known]:
        raise UserError(f"{path} holds code ({', '.join(strange)}), which was not run: get the tensors alone")
    allowed: list[Any] = [(Settings, one) for one in known]
    try:
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None)
    except MemoryError:
        raise
    except Exception as error:  # each kind of damage has its own
        reason = "holds more than tensors and settings" if "Weights only load failed" in str(error) else "is damaged"
        raise UserError(f"{path} is cut off, or {reason}: copy it again") from None
