"""What a run makes before it has anything to keep, its folder: how that is called, and that an error takes it away."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_made: dict[Path, tuple[str, Callable[[Path], Any]]] = {}


def folder(path: Path, *, lock: str, release: Callable[[Path], Any]) -> None:
    """Make a folder and those above it, and remember which were not there. The file `lock`, which `release` lets go,
    does not count as something in it."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    _made.update(dict.fromkeys(missing, (lock, release)))


def keep() -> None:
    """Forget what was made: it has been put to use."""
    _made.clear()


def undo() -> None:
    """Remove the folders that were made here and still hold nothing but the lock."""
    for path, (lock, release) in _made.items():  # the innermost first, as they were noted
        with suppress(OSError):
            if {one.name for one in path.iterdir()} <= {lock}:
                release(path)
                (path / lock).unlink(missing_ok=True)
                path.rmdir()
    _made.clear()


def default_folder(config: Path | None, dataset: Any) -> str | None:
    """Where a run goes that is told no folder: it is called after its config, or else its data."""
    if config is not None:
        return f"runs/{config.stem}"
    return f"runs/{stem(dataset)}" if isinstance(dataset, str) and dataset else None


def stem(dataset: str) -> str:
    """What a run's folder is called after a dataset: `reviews` of `data/reviews.csv.gz`."""
    name = Path(dataset.rpartition(":")[2]).name.split(".")[0]
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "run"
