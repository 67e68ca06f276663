"""What a search is asked for: looked at before anything heavy is imported, read or trained."""

from collections.abc import Sequence
from typing import Any

from ..errors import UserError
from ..run import ranges as bounds
from . import space

TRIALS, SEEDS = 20, (1, 2, 3)


def check(
    *,
    trials: int = TRIALS,
    minutes: float | None = None,
    seeds: Sequence[int] = SEEDS,
    over: Sequence[str] = (),
    ranges: Sequence[str] = (),
    **_: Any,
) -> None:
    """Raises `UserError` for numbers, names and ranges that no search can have, whatever its task and its data."""
    bounds.check(trials=trials, minutes=minutes)
    if trials < 1:
        raise UserError(f"--trials is {trials}; it must be at least 1")
    if minutes is not None and minutes <= 0:
        raise UserError(f"--minutes is {minutes:g}; it must be above 0")
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise UserError(
            f"--seeds is {' '.join(map(str, seeds))}; give two or more different whole numbers, as --seeds 1 2 3, or "
            "--no_refit to end after the trials"
        )
    for seed in seeds:
        bounds.check(seed=seed)
    space.check_names(over, space.parsed(ranges), space.KNOWN)
