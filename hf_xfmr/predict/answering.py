"""Who answers windows of rows: one predictor in this process, several in others, or a share of it here."""

from collections.abc import Iterator
from typing import Any, Protocol

from . import launched
from .answers import answer, load
from .row import Row

WINDOW = 16  # batches that are put in order of length at a time, where there is a file of rows
PARTS = 4  # windows for each of several processes at least, so that none waits long for another


class Answering(Protocol):
    """Answers windows of rows, in their order; `count` processes do. As a `Predictor` has `columns`, `depends_on`,
    `summary`."""

    count: int
    columns: list[str] | None
    depends_on: dict[str, Any]

    def __call__(self, windows: Iterator[list[Row]], *, flat: bool) -> Iterator[tuple[list[Row], list[dict]]]: ...

    def summary(self, rows: int, unsure: int) -> str | None: ...

    def close(self) -> None: ...


class Alone:
    """A predictor in this process."""

    count = 1

    def __init__(self, predictor: Any, batch_size: int):
        self.predictor, self.batch_size = predictor, batch_size
        self.columns, self.depends_on, self.summary = predictor.columns, predictor.depends_on, predictor.summary

    def __call__(self, windows: Iterator[list[Row]], *, flat: bool) -> Iterator[tuple[list[Row], list[dict]]]:
        for some in windows:
            yield some, self.answered(some, flat)

    def answered(self, rows: list[Row], flat: bool) -> list[dict]:
        answers = answer(self.predictor, rows, self.batch_size)
        return [self.predictor.flat(one) for one in answers] if flat else answers

    def close(self) -> None:
        """Nothing to end."""


def answering(model: str, options: dict[str, Any], batch_size: int, processes: int | None) -> Answering:
    """What answers with a model, loaded with the `options` of `load`: in this process, in so many others, or in those
    that a launcher began."""
    if launched.count() > 1:
        launched.join()
        return launched.Share(Alone(load(model, **options), batch_size))
    if (processes or 1) > 1:
        from .pool import Pool

        return Pool(processes or 1, model, options, batch_size)
    return Alone(load(model, **options), batch_size)


def window(batch_size: int, total: int | None, count: int) -> int:
    """How many rows are answered at a time: of a stream a batch, of a file so many that texts of a length meet, and
    that each of `count` processes gets some."""
    if total is None:
        return batch_size
    most = batch_size * WINDOW
    return most if count == 1 else max(batch_size, min(most, -(-total // (PARTS * count))))
