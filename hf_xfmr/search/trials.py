"""A recipe's run as a trial, in a process of its own; what it tells goes to the study."""

import multiprocessing
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from . import child
from .child import PARTS

# What a trial leaves out of its recipe, by the script's name: what no setting depends on.
SPARED = {
    "classify_bert": ["--baseline=false"],
    "tag_bert": ["--baseline=none"],
    "finetune_gpt2": ["--sample_every=0"],
}
QUIET = ("--report_to=none", "--disable_tqdm=true", "--load_best_model_at_end=false", "--save_total_limit=1")


BEST = "best"  # a trial's best figure so far


class Stopped(Exception):
    """The user stopped a trial, which has saved."""


class Failed(Exception):
    """A trial ended without its figures; the reason, a sentence."""


def runs_of(script: Path, words: list[str], log: Path, kind: str, hear: Callable[[tuple], bool]) -> None:
    """Run a recipe in a process of its own (see `child.work`); `hear` is given all that it says, and says whether to go
    on. Raises `Failed`, and `Stopped`."""
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=child.work, args=(theirs, str(script), words, str(log), kind))
    process.start()
    theirs.close()
    try:
        _heard(process, ours, log, hear)
    finally:
        process.join(30)
        if process.is_alive():
            process.terminate()
            process.join()
        ours.close()


def _heard(process: Any, pipe: Connection, log: Path, hear: Callable[[tuple], bool]) -> None:
    while True:
        try:
            said = pipe.recv()
        except (EOFError, OSError):
            process.join(30)
            code = process.exitcode
            killed = f"killed by signal {-code}, as where memory runs out" if code is not None and code < 0 else ""
            raise Failed(f"{killed or f'it ended with exit code {code}'}; {log} tells more") from None
        if said[0] == "ended":
            return
        if said[0] == "stopped":
            raise Stopped
        if said[0] == "failed":
            raise Failed(said[1])
        goes_on = hear(said)
        if said[0] == "figures":
            with suppress(OSError):  # it may be gone meanwhile, as the next turn says
                pipe.send(goes_on)


def _context() -> Any:
    """Processes forked from one that has imported all and done nothing, where the system can: they begin at once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hf_xfmr.search.child", "hf_xfmr.training.trainer"])
    return context


def look(script: Path, words: list[str], folder: Path) -> dict[str, Any]:
    """The facts of a run (see `child`): all of its data is read, and no step is trained. Raises `UserError` for what
    keeps it from its first step."""
    found: dict[str, Any] = {}

    def hear(said: tuple) -> bool:
        found.update(said[1])
        return True

    try:
        runs_of(script, [*words, f"--output_dir={folder / 'look'}", *_spared(script), *QUIET],
                folder / "look.log", "look", hear)  # fmt: skip
    except Failed as failed:
        raise UserError(str(failed)) from None
    finally:
        shutil.rmtree(folder / "look", ignore_errors=True)
    if not found:
        raise UserError(f"the configuration's own run did not come to its first step; {folder / 'look.log'} tells more")
    return found


def _spared(script: Path) -> list[str]:
    return SPARED.get(script.stem, [])


def in_words(settings: Mapping[str, Any]) -> list[str]:
    """Settings as flags of a recipe."""
    words: list[str] = []
    for name, value in settings.items():
        if isinstance(value, list):
            words += [f"--{name}", *map(str, value)]
        elif isinstance(value, dict):
            shown = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).strip()
            words.append(f"--{name}={shown}")
        else:
            words.append(f"--{name}={'null' if value is None else value}")
    return words


class Figures:
    """What a trial told: its best `value` where it would keep a checkpoint, and whether it was pruned."""

    def __init__(self, study: Any, trial: Any, judged_by: str):
        self.study, self.trial, self.judged_by = study, trial, judged_by
        self.value: float | None = trial.user_attrs.get(BEST)  # of before it was left
        self.told: set[int] = set()  # the parts of the run of which the study knows
        self.pruned = False

    def hear(self, said: tuple) -> bool:
        _, percent, figures, wanted = said
        if self.judged_by not in figures:
            return True
        value = figures[self.judged_by]
        if wanted and self.study.is_better(value, self.value):
            self.value = value
            self.trial.set_user_attr(BEST, value)
        part = percent * PARTS // 100
        if 0 < part < PARTS and part not in self.told:
            self.told.add(part)
            self.trial.report(value, part)
            self.pruned = self.trial.should_prune()
        return not self.pruned


def try_one(
    study: Any, trial: Any, script: Path, words: list[str], settings: Mapping[str, Any], judged_by: str
) -> Figures:
    """Run a trial from where it was left, and clear its folder but for the log. Raises `Failed` and `Stopped`."""
    place = study.place(trial.number)
    figures = Figures(study, trial, judged_by)
    told = [*words, *in_words(settings), f"--output_dir={place / 'run'}", *_spared(script), *QUIET]
    try:
        runs_of(script, told, place / "log.txt", "trial", figures.hear)
    except Stopped:
        raise
    except Failed:
        shutil.rmtree(place / "run", ignore_errors=True)
        raise
    shutil.rmtree(place / "run", ignore_errors=True)
    if figures.value is None and not figures.pruned:
        raise Failed(f"no evaluation gave a finite {judged_by}")
    return figures
