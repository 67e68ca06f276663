"""The runs of a curve: which parts of the rows are trained on, for how long, and what is kept of each."""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..run.seeds import is_done
from ..search.trials import Failed, runs_of

SIZES = 5  # by default, each twice the one before, up to all rows
SMALLEST = 32


def sizes(told: Sequence[int], rows: int) -> list[int]:
    """How many rows are trained on, the fewest first. Raises `UserError` for more than there are, and for too few."""
    if not told:
        found = [rows >> halved for halved in range(SIZES)][::-1]
        found = [one for one in found if one >= SMALLEST]
        if len(found) < 2:
            raise UserError(f"the train split has {rows:,} rows, too few for a curve: give at least {4 * SMALLEST}")
        return found
    if max(told) > rows:
        raise UserError(f"sizes has {max(told):,}, but the train split has {rows:,} rows: give at most as many")
    return sorted(set(told))


def length(rows: int, facts: Mapping[str, Any], least_steps: int) -> dict[str, Any]:
    """How long it is trained on so many rows, as settings: for the epochs that were told, but `least_steps` at least,
    since a few batches teach nothing; {} where that makes no difference."""
    if facts["num_train_epochs"] is None:  # max_steps is told
        return {}
    steps = math.ceil(rows / facts["per_device_train_batch_size"])
    epochs = math.ceil(least_steps / steps)
    return {"num_train_epochs": epochs} if epochs > facts["num_train_epochs"] else {}


def run(script: Path, words: Sequence[str], folder: Path, rows: int, seed: int, more: Mapping[str, Any]) -> None:
    """Train on so many rows into FOLDER/rows-N-seed-S, if that is not done; its weights are not kept. Raises
    `UserError` with the recipe's sentence."""
    place = folder / name(rows, seed)
    if not is_done(place):
        _train(script, words, folder, rows, seed, more)
    for path in place.glob("checkpoint-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in place.glob("*.safetensors"):
        path.unlink()


def _train(script: Path, words: Sequence[str], folder: Path, rows: int, seed: int, more: Mapping[str, Any]) -> None:
    place = folder / name(rows, seed)
    flags = {"max_train_rows": rows, "max_train_rows_seed": seed, "seed": seed, **more, "output_dir": place}
    told = [*words, *(f"--{key}={value}" for key, value in flags.items()), "--disable_tqdm=true", "--report_to=none"]
    try:
        runs_of(script, told, folder / f"{place.name}.log", "run", lambda _: True)
    except Failed as failed:
        raise UserError(f"training on {rows:,} rows failed: {failed}; the same command goes on") from None


def name(rows: int, seed: int) -> str:
    return f"rows-{rows}-seed-{seed}"


def figures(folder: Path, rows: int, seed: int, figure: str) -> dict[str, Any]:
    """{"rows", "seed", "split", "value", "baseline"} of a run that is done. Raises `UserError` for one without such a
    figure."""
    path = folder / name(rows, seed) / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    split = "test" if "test" in record["metrics"] else "validation"
    value = record["metrics"].get(split, {}).get(figure)
    if value is None:
        raise UserError(f"{path} has no {figure} of {split}: hold rows out, as by --test_fraction 0.2")
    baseline = ((record.get("baseline") or {}).get(split) or {}).get(figure)
    return {"rows": rows, "seed": seed, "split": split, "value": value, "baseline": baseline}
