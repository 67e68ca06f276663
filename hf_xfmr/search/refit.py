"""The honest figure: the best settings and the configuration's own, each trained with several seeds, and only then
measured on test."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ..errors import UserError
from ..run import seeds as of_seeds
from .trials import Failed, runs_of

SIDES = ("own", "best")


def refit(folder: Path, script: Path, seeds: Sequence[int], say: Callable[..., Any]) -> dict[str, Any]:
    """Train with FOLDER/own.yaml and FOLDER/best.yaml into FOLDER/own and FOLDER/best, a run for each seed, which are
    normal runs and gone on with. Returns, of each side, what seeds.json has as `summary` and by seed. Raises
    `UserError`."""
    found = {}
    for side in SIDES:
        config, place = folder / f"{side}.yaml", folder / side
        done = place / of_seeds.NAME
        if not _is_done(done, seeds):
            what = "the configuration's own settings" if side == "own" else "the best settings"
            say(f"training with {what}, seeds {', '.join(map(str, seeds))}; {folder / f'{side}.log'} has what it says")
            words = [str(config), "--seeds", *map(str, seeds), f"--output_dir={place}", "--disable_tqdm=true"]
            try:
                runs_of(script, words, folder / f"{side}.log", "run", lambda _: True)
            except Failed as failed:
                raise UserError(f"training with {config} failed: {failed}; the same command goes on") from None
        record = json.loads(done.read_text(encoding="utf-8"))
        found[side] = {"summary": record["summary"], "seeds": record["seeds"]}
    return found


def _is_done(path: Path, seeds: Sequence[int]) -> bool:
    if not path.exists():
        return False
    return set(json.loads(path.read_text(encoding="utf-8")).get("seeds", {})) == set(map(str, seeds))


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
