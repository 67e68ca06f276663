"""SIGTERM and SIGINT during training: noted when they come, acted on where nothing is half-done."""

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(SystemExit):
    """Training was told to stop, and has saved. `code` is 128 + the signal's number, as a shell counts."""

    def __init__(self, number: int):
        super().__init__(128 + number)


class Interrupts:
    """A context in which the first SIGTERM or SIGINT is only noted, in `number`; a second one acts at once."""

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():  # handlers can be set from nowhere else
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    def __exit__(self, *_) -> None:
        self._restore()
