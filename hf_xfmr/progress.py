"""How far long work has come: a bar that moves on a terminal and in a notebook, elsewhere a plain line now and then."""

import sys
import time
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines
_LINE = "{desc}: {percentage:.0f} %, {n_fmt} of {total_fmt} {unit}s, {elapsed} gone, {remaining} left{postfix}"
_WITHOUT_END = "{desc}: {n_fmt} {unit}s, {elapsed} gone{postfix}"


class Lines(tqdm):
    """Progress where nothing moves: in a log, a file, a pipe. Work that is soon done says nothing."""

    disable: bool

    def __init__(self, *args: Any, **kwargs: Any):
        self._said = time.monotonic()
        super().__init__(*args, **{**kwargs, "bar_format": _LINE})
        if self.total is None:
            self.bar_format = _WITHOUT_END

    def refresh(self, *args: Any, **kwargs: Any) -> None:
        if not self.disable and (now := time.monotonic()) - self._said >= EVERY:
            self._said = now
            print(self, file=self.fp, flush=True)

    def clear(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: a line stays."""

    def close(self) -> None:
        if not self.disable:
            self.disable = True
            self._decr_instances(self)


def progress(rows: Iterable | None = None, *, what: str, unit: str, **kwargs: Any) -> tqdm:
    """A tqdm of `rows`, or of a `total`, called `what`; other arguments are tqdm's. On a terminal and in a notebook it
    is a bar, else a line on stderr every EVERY seconds."""
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm as bar

        return bar(rows, desc=what, unit=unit, **kwargs)
    moves = sys.stderr is not None and sys.stderr.isatty()
    return (tqdm if moves else Lines)(rows, desc=what, unit=unit, **kwargs)
