"""`seeds: [1, 2, 3]` in a recipe: train once for each, and say how much of a figure is luck."""

import functools
import gc
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..errors import UserError
from ..hub import card
from ..plain import some
from ..writing import folder as make
from ..writing import whole
from .console import say
from .settings import Given, SeveralSeeds, seed_of_several

NAME = "seeds.json"
Metrics = dict[str, dict[str, float]]


def each(main: Callable[..., Metrics]) -> Callable[..., Metrics]:
    """A recipe's `main`, which with `seeds` runs for each of them in OUTPUT_DIR/seed-N, one after another.

    It then prints the mean and the standard deviation of the metrics (of a sample: n - 1), writes them with each seed's
    into OUTPUT_DIR/seeds.json, and returns the means. Seeds that are done are not run again, one that was stopped goes
    on from its last checkpoint, and seeds can be added. Raises `UserError` if OUTPUT_DIR holds seeds of other settings.
    """

    @functools.wraps(main)
    def run(argv: Given = None) -> Metrics:
        try:
            return main(argv)
        except SeveralSeeds as several:
            asked = several
        folder = Path(asked.output_dir)
        same_settings(folder / NAME, asked.settings, "seeds")
        note_settings(folder / NAME, asked.settings)
        for seed in asked.seeds:
            run_one(lambda: main(argv), seed_of_several, seed, folder / f"seed-{seed}", f"seed {seed}")
        return _summarize(folder, asked.settings, asked.seeds)

    return run


def run_one(
    main: Callable[[], Any],
    which: ContextVar,
    value: Any,
    folder: Path,
    name: str,
    around: Callable[[], AbstractContextManager] = nullcontext,
) -> bool:
    """Run one of the runs (seeds, folds) of a call, which `which` tells by its `value`, unless it is done: as `name`
    it is said. Whether it ran; it does so within `around()`."""
    if is_done(folder):
        say(f"{name}: done before, in {folder}")
        return False
    say(f"{name}:")
    token = which.set(value)
    try:
        with around():
            main()
    finally:
        which.reset(token)
    gc.collect()  # the trainer refers to itself, and would stay beside the next
    return True


def is_done(folder: Path) -> bool:
    """Whether a run has ended there."""
    return all((folder / name).exists() for name in ("run.json", card.NAME))


def same_settings(path: Path, settings: dict[str, Any], what: str) -> None:
    """Refuse a folder whose runs (seeds, folds) had other settings, as the file `path` says."""
    if not path.exists():
        return
    before = json.loads(path.read_text(encoding="utf-8"))["settings"]
    for key in {**before, **settings}:
        if before.get(key) != settings.get(key):
            raise UserError(
                f"{path.parent} holds {what} trained with {key} {before.get(key)}, not {settings.get(key)}: give "
                "another --output_dir, or remove that folder"
            )


def note_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write the file that `same_settings` reads, where there is none."""
    if path.exists():
        return
    make(path.parent, kind="the output folder", instead="give another --output_dir")
    with whole(path) as aside:  # another process of this run may be reading
        aside.write_text(json.dumps({"settings": settings}, ensure_ascii=False, indent=2), encoding="utf-8")


def _summarize(folder: Path, settings: dict[str, Any], seeds: list[int]) -> Metrics:
    from ..report import plain
    from ..report.names import COUNTS  # with matplotlib, which is slow to load

    found: dict[int, Metrics] = {}
    for seed in seeds:
        text = (folder / f"seed-{seed}" / "run.json").read_text(encoding="utf-8")
        found[seed] = json.loads(text)["metrics"]
    summary = {
        split: {name: _spread([found[seed][split][name] for seed in seeds]) for name in figures}
        for split, figures in found[seeds[0]].items()
    }
    record = {"settings": settings, "seeds": found, "summary": summary}
    text = json.dumps(plain(record), ensure_ascii=False, indent=2, allow_nan=False)
    with whole(folder / NAME) as aside:
        aside.write_text(text, encoding="utf-8")
    say(f"mean ± standard deviation over {len(seeds)} seeds ({some(seeds)}):")
    for split, figures in summary.items():
        shown = (f"{name} {one['mean']:.4f} ± {one['sd']:.4f}" for name, one in figures.items() if name not in COUNTS)
        say(f"{split}  " + "  ".join(shown))
    say(f"seeds:  {folder / NAME}")
    return {split: {name: one["mean"] for name, one in figures.items()} for split, figures in summary.items()}


def _spread(values: list[float | None]) -> dict[str, float]:
    numbers = [value for value in values if value is not None]  # null is run.json's word for what is not finite
    if len(numbers) < len(values):
        return dict.fromkeys(("mean", "sd", "least", "most"), float("nan"))
    return {"mean": mean(numbers), "sd": stdev(numbers), "least": min(numbers), "most": max(numbers)}
