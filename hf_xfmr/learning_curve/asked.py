"""What a curve is asked for: looked at before anything heavy is imported, read or trained."""

from collections.abc import Sequence
from typing import Any

from ..errors import UserError
from ..plain import some
from ..run import ranges

FEWEST = 8  # rows that a size may be


def check(*, sizes: Sequence[int] = (), repeats: int = 3, least_steps: int = 100, **_: Any) -> None:
    """Raises `UserError` for numbers that no curve can have, whatever its rows."""
    ranges.check(repeats=repeats, least_steps=least_steps)
    if repeats < 1 or least_steps < 1:
        raise UserError(f"--repeats is {repeats} and --least_steps {least_steps}; both must be at least 1")
    if sizes and (len(set(sizes)) < 2 or min(sizes) < FEWEST):
        raise UserError(f"--sizes is {some(sizes)}; give two or more different numbers of rows, {FEWEST} at least")
