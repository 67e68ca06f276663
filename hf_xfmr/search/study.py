"""What a search knows, in its folder: `search.json` has what is tried, `study.jsonl` (optuna) what came of it.

Several processes append to the journal at once. Who runs a trial holds the lock of its folder, which the system lets go
when that process ends, however it ends: so a trial without a holder is one to go on with.
"""

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..training import lock
from ..writing import whole
from .space import Range, tidy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import optuna
    except ImportError:
        raise UserError("search needs optuna: pip install 'hf_xfmr[search]'") from None

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
RECORD, JOURNAL = "search.json", "study.jsonl"
RANDOM = 6  # trials that are drawn at random before others are learned from
UNPRUNED = 4  # trials that run to their end before others are compared with them
OWN = "own"  # the mark of the trial with the configuration's own settings


def record(folder: Path) -> dict[str, Any] | None:
    """What `begin` wrote; None where no search has begun."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{folder / RECORD} can't be read ({error}): give another --output_dir") from None


def check(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a search with these settings; None where none has begun. Raises `UserError` for a folder that holds
    a search of others, or something else."""
    before = record(folder)
    if before is None:
        if (folder / "run.json").exists():
            raise UserError(f"{folder} is the folder of a run, not of a search: give another --output_dir")
        return None
    told = json.loads(json.dumps(settings))
    for key in {**before["settings"], **told}:
        old, new = before["settings"].get(key), told.get(key)
        if old != new:
            raise UserError(
                f"{folder} holds a search with {key} {old}, not {new}: go back to what it was, or give another "
                "--output_dir"
            )
    return before


def begin(folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any], space: Mapping[str, Range]) -> dict:
    """Write down what is tried."""
    found = {"settings": settings, "facts": facts, "space": space}
    with whole(folder / RECORD) as aside:
        aside.write_text(json.dumps(found, ensure_ascii=False, indent=2), encoding="utf-8")
    return json.loads(json.dumps(found))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time within."""
    place = folder / "asking"
    while True:
        try:
            lock.acquire(place)
            break
        except UserError:
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.release(place)


class Study:
    """The trials of a search, open for this process."""

    def __init__(self, folder: Path, record: Mapping[str, Any], seed: int, *, lower: bool):
        self.folder, self.space, self.seed = folder, record["space"], seed
        self.lower = lower
        file = folder / JOURNAL
        with alone(folder):
            _mend(file)
            self.optuna = optuna.create_study(
                study_name="search",
                storage=JournalStorage(JournalFileBackend(str(file))),
                direction="minimize" if lower else "maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=0),
            )

    def trials(self) -> list[FrozenTrial]:
        return self.optuna.get_trials(deepcopy=False)

    def next(self, most: int, own: Mapping[str, Any]) -> Trial | None:
        """A trial for this process to run: one that a process left when it ended, or a new one of the `most`; None:
        all are run, or being run by others."""
        with alone(self.folder):
            known = self.trials()
            for one in known:
                if one.state == TrialState.RUNNING and self._free(one.number):
                    return Trial(self.optuna, one._trial_id)
            if len(known) >= most and not any(one.state == TrialState.WAITING for one in known):
                return None
            if not known:
                fixed = {name: own[name] for name in self.space if own.get(name) is not None}
                self.optuna.enqueue_trial(fixed, user_attrs={OWN: True})
            # what is drawn depends on the trials before it alone, whatever process asks, and after whatever kill
            self.optuna.sampler = optuna.samplers.TPESampler(
                seed=self.seed * 100_003 + len(known), n_startup_trials=RANDOM
            )
            trial = self.optuna.ask()
            for name, one in self.space.items():
                _suggest(trial, name, one)
            self._free(trial.number)
            return trial

    def run_by_others(self) -> bool:
        """Whether another process is running a trial. Those that a process left when it ended are not run."""
        with alone(self.folder):
            for one in self.trials():
                if one.state == TrialState.RUNNING:
                    if not self._free(one.number):
                        return True
                    self.release(one.number)
        return False

    def place(self, number: int) -> Path:
        return self.folder / f"trial-{number + 1:03d}"

    def _free(self, number: int) -> bool:
        """Take a trial's lock; whether it could be taken."""
        try:
            return lock.acquire(self.place(number))
        except UserError:
            return False

    def drawn(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        """A trial's values, tidied; none of the configuration's own."""
        if trial.user_attrs.get(OWN):
            return {}
        return {name: tidy(name, value) for name, value in trial.params.items()}

    def is_better(self, value: float, than: float | None) -> bool:
        return than is None or (value < than if self.lower else value > than)

    def best(self) -> FrozenTrial | None:
        """The best of the trials that ran to their end."""
        ended = [one for one in self.trials() if one.state == TrialState.COMPLETE and one.value is not None]
        return min(ended, key=lambda one: one.value * (1 if self.lower else -1), default=None)  # type: ignore[operator]

    def release(self, number: int) -> None:
        lock.release(self.place(number))

    def importance(self) -> dict[str, float]:
        """The share of each setting in what the figure varied by, by fANOVA over the trials that ran to their end;
        empty where these are fewer than five, or all gave the same."""
        ended = [one for one in self.trials() if one.state == TrialState.COMPLETE]
        if len(ended) < 5 or len({one.value for one in ended}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            return optuna.importance.get_param_importances(self.optuna, evaluator=evaluator)


def _suggest(trial: Trial, name: str, one: Range) -> Any:
    if one["kind"] == "choice":
        return trial.suggest_categorical(name, one["of"])
    if one["kind"] == "int":
        return trial.suggest_int(name, one["low"], one["high"])
    return trial.suggest_float(name, one["low"], one["high"], log=one["kind"] == "log")


def _mend(file: Path) -> None:
    """Take away a last line that was cut off when the machine went down: it was never read by anyone."""
    if not file.exists():
        return
    with file.open("rb+") as journal:
        told = journal.read()
        if told and not told.endswith(b"\n"):
            journal.truncate(told.rfind(b"\n") + 1)


def states(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """How many are complete, pruned, failed and running."""
    return {
        state.name.lower(): sum(one.state == state for one in trials)
        for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
    }
