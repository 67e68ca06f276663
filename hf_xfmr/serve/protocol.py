"""What uvicorn leaves open of a connection: a client that never ends its headers, and one that reads no answer."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0  # seconds, unless `patient` says another number


class PatientProtocol(H11Protocol):
    """HTTP by h11, which bounds a request's headers (64 KB). A connection that owes headers, or whose buffer is full
    because nobody reads it, is closed after `patience` seconds."""

    patience = PATIENCE
    _owes: asyncio.TimerHandle | None = None
    _stalls: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._owes, self._stalls):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalls = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalls is not None:
            self._stalls.cancel()

    def _watch(self) -> None:
        """Start the clock of a request's headers with their first byte, or the connection; stop it with their last."""
        between = self.cycle is None or self.cycle.response_complete
        if not between and self._owes is not None:
            self._owes.cancel()
            self._owes = None
        elif between and self._owes is None and self.timeout_keep_alive_task is None:
            self._owes = self.loop.call_later(self.patience, self.transport.abort)


def patient(seconds: float) -> type[PatientProtocol]:
    return type("PatientProtocol", (PatientProtocol,), {"patience": seconds})
