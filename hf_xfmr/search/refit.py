"""The honest figure: the best settings and the configuration's own, each trained with several seeds, and only then
measured on test.

The trainings, one for each side and seed, are shared by the processes of a search, as its trials are.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

from ..errors import UserError
from ..run import seeds as of_seeds
from ..run.console import say
from ..training import lock
from . import bests, study
from .trials import Failed, runs_of

SIDES = ("own", "best")


def refit(
    folder: Path, script: Path, seeds: Sequence[int], record: Mapping[str, Any], best: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Train with FOLDER/own.yaml and, unless these are the same settings, FOLDER/best.yaml into FOLDER/own and
    FOLDER/best, a run for each seed, which are normal runs and gone on with. What other processes train is waited for.
    Returns the record with, as `refit`, what seeds.json of each side has as `summary` and by seed; None where another
    process has put other settings than `best` into FOLDER/best.yaml meanwhile. Raises `UserError`."""
    sides = SIDES[:1] if record["best_is_own"] else SIDES
    found: dict[str, Any] = {}
    while any(not _is_done(folder, side, seed) for side in sides for seed in seeds):
        if not bests.are(folder, best):
            return None
        if not any(train_one(folder, script, side, seeds) for side in sides):
            time.sleep(bests.WAIT)
    for side in sides:
        with _held(bests.mark(folder, side)):
            if not bests.are(folder, best):
                return None
            found[side] = _together(folder, script, side, seeds)
    return {**record, "refit": {side: found.get(side, found["own"]) for side in SIDES}}


def train_one(folder: Path, script: Path, side: str, seeds: Sequence[int]) -> bool:
    """Train with one of the seeds that no process has trained with or is training with; whether there was one."""
    for seed in seeds:
        mark = bests.mark(folder, side, seed)
        if _is_done(folder, side, seed):
            continue
        with study.alone(folder):
            if not bests.taken(mark):
                continue
        try:
            if _is_done(folder, side, seed):  # by who held it until now
                continue
            what = "the configuration's own settings" if side == "own" else "the best settings"
            log = folder / f"{side}-{seed}.log"
            say(f"training with {what}, seed {seed}; {log} has what it says")
            words = [f"--seed={seed}", f"--output_dir={folder / side / f'seed-{seed}'}"]
            _run(folder, script, side, words, log)
        finally:
            lock.release(mark)
        return True
    return False


@contextmanager
def _held(mark: Path) -> Iterator[None]:
    while not bests.taken(mark):
        time.sleep(bests.WAIT)
    try:
        yield
    finally:
        lock.release(mark)


def _together(folder: Path, script: Path, side: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The record of a side's seeds, which the recipe itself makes of runs that are done."""
    file = folder / side / of_seeds.NAME
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if set(found.get("seeds", {})) != set(map(str, seeds)):
        words = ["--seeds", *map(str, seeds), f"--output_dir={folder / side}"]
        _run(folder, script, side, words, folder / f"{side}.log")
        found = json.loads(file.read_text(encoding="utf-8"))
    return {"summary": found["summary"], "seeds": found["seeds"]}


def _run(folder: Path, script: Path, side: str, words: list[str], log: Path) -> None:
    config = folder / f"{side}.yaml"
    try:
        runs_of(script, [str(config), *words, "--disable_tqdm=true"], log, "run", lambda _: True)
    except Failed as failed:
        raise UserError(f"training with {config} failed: {failed}; the same command goes on") from None


def _is_done(folder: Path, side: str, seed: int) -> bool:
    return of_seeds.is_done(folder / side / f"seed-{seed}")


def gain(found: Mapping[str, Any], split: str, figure: str, *, lower: bool) -> dict[str, Any] | None:
    """By how much the best settings are better on a split: `gain` is positive where they are, `error` is the standard
    error of the difference over the seeds, `sure` whether the gain is more than two of these; None: no such figure."""
    sides = [found[side]["summary"].get(split, {}).get(figure) for side in SIDES]
    if any(one is None for one in sides):
        return None
    by_seed = [[one[split][figure] for one in found[side]["seeds"].values()] for side in SIDES]
    count = len(by_seed[0])
    own, best = map(mean, by_seed)
    difference = own - best if lower else best - own
    error = (sum(one["sd"] ** 2 for one in sides) / count) ** 0.5
    return {"own": sides[0], "best": sides[1], "gain": difference, "error": error, "sure": difference > 2 * error}
