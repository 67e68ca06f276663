"""What a check found, and how it reads in the table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError
from ..writing import NotWritten, fault_of

NAME, COLUMN = 42, 36  # characters


class Inapplicable(Exception):
    """A check has no meaning for a model, or no room on this machine. The message says why."""


@dataclass(frozen=True)
class Outcome:
    """The largest difference and the tolerance; or an error, or the reason why there is neither."""

    difference: float = 0.0
    tolerance: float = 0.0
    error: str | None = None
    reason: str | None = None

    @property
    def held(self) -> bool | None:
        """None where the check was left out."""
        if self.reason:
            return None
        return self.error is None and self.difference <= self.tolerance  # and not for NaN

    def __str__(self) -> str:
        if self.reason:
            return "-"
        if self.error:
            return f"FAILS  {self.error}"
        return f"{'held ' if self.held else 'FAILS'}  {self.difference:.1e}  (at most {self.tolerance:g})"


def attempt(check: Callable[..., Outcome], *arguments) -> Outcome:
    """The outcome of a check, a failure too where the model can't do what is asked."""
    try:
        return check(*arguments)
    except Inapplicable as reason:
        return Outcome(reason=str(reason))
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, UserError) as error:
        if isinstance(error, NotWritten) or fault_of(error) is not None:
            raise  # a full disk says nothing of the model
        first = (str(error).splitlines() or [""])[0]
        return Outcome(error=f"{type(error).__name__}: {first}"[: 2 * COLUMN])


def line(name: str, cells: Iterable[str]) -> str:
    return (name.ljust(NAME) + "".join(cell.ljust(COLUMN) for cell in cells)).rstrip()


def difference(found: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """The largest difference between two lists of tensors, as a share of the largest expected value."""
    largest, size = torch.zeros(()), torch.full((), 1e-12)
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            raise ValueError(f"shapes {list(one.shape)} and {list(other.shape)}")
        if one.numel():
            largest = torch.maximum(largest, (one - other).abs().max().float())  # NaN stays NaN
            size = torch.maximum(size, other.abs().max().float())
    return float(largest / size)
