"""The best settings so far as a file, FOLDER/best.yaml, and what was trained with them: put aside when more trials
find better ones, so that no training stands for settings that it did not have."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from ..run.console import say
from ..training import lock
from . import given, study

NAME = "best.yaml"
RUNS = "best"
WAIT = 1.0  # seconds between two looks whether another process has ended what it runs


def put(folder: Path, script: Path, settings: Mapping[str, Any], about: str) -> None:
    """Write best.yaml. Where it had other settings, what was trained with them is moved into FOLDER/best-before (or
    best-before-2, …), that file too; what another process trains with them just now is waited for."""
    while not _put(folder, script, settings, about):
        time.sleep(WAIT)


def are(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether best.yaml has these settings: another process may have found better ones since."""
    file = folder / NAME
    return file.exists() and yaml.safe_load(file.read_text(encoding="utf-8")) == yaml.safe_load(given.text(settings))


def mark(folder: Path, side: str, seed: int | None = None) -> Path:
    """What a process locks while it trains with the settings of a side and one seed, or makes the record of all."""
    return folder / "refit" / (side if seed is None else f"{side}-{seed}")


def taken(place: Path) -> bool:
    """Whether this process could lock it."""
    with suppress(UserError):
        return lock.acquire(place)
    return False


def _put(folder: Path, script: Path, settings: Mapping[str, Any], about: str) -> bool:
    # alone, so that no training with the former settings can begin meanwhile
    with study.alone(folder), ExitStack() as held:
        if (folder / NAME).exists() and (folder / RUNS).exists() and not are(folder, settings):
            for place in _marks(folder):
                if not taken(place):
                    return False
                held.callback(lock.release, place)
            _aside(folder)
        given.write(folder / NAME, script, settings, about)
    return True


def _marks(folder: Path) -> Sequence[Path]:
    return [one for one in (folder / "refit").glob("best*") if one.name == "best" or one.name.startswith("best-")]


def _aside(folder: Path) -> None:
    number = 1
    while (place := folder / ("best-before" if number == 1 else f"best-before-{number}")).exists():
        number += 1
    (folder / RUNS).rename(place)
    (folder / NAME).rename(place / NAME)
    say(f"better settings were found: the trainings with the former best ones are in {place}")
