"""The cache of datasets where it can't be written: streams do without it, and what needs it says so."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import datasets

from ..writing import scratch


@contextmanager
def for_streams() -> Iterator[None]:
    """Within, a stream can be made where the cache is read only or another user's: datasets makes a folder and a lock
    there even for a stream, which keeps nothing, and is given a folder that is thrown away."""
    if _is_open(Path(datasets.config.HF_DATASETS_CACHE)):
        yield
        return
    before = datasets.config.HF_DATASETS_CACHE
    with scratch("streams-") as aside:
        datasets.config.HF_DATASETS_CACHE = aside
        try:
            yield
        finally:
            datasets.config.HF_DATASETS_CACHE = before


def _is_open(cache: Path) -> bool:
    """Whether files can be made in the cache's folder, or, as long as there is none, in what it will be made in."""
    there = next(one for one in (cache, *cache.absolute().parents) if os.path.lexists(one))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0" * 512)
        return True
    except OSError:
        return False


def words_of(fault: tuple[int, str]) -> str:
    """What is to be said where a dataset could not be put into the cache; `fault` is of `writing.fault_of`."""
    return (
        f"it could not be put into the cache {datasets.config.HF_DATASETS_CACHE} ({fault[1]}): free some space there, "
        "or set HF_HOME to a folder that can be written to"
    )
