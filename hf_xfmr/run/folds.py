"""`folds: 5` in a recipe: which of its runs runs now, and what that changes in the settings it was given."""

import copy
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError

MOST = 50  # beyond that nobody waits for them


@dataclass(frozen=True)
class Part:
    """The run that leaves out fold `number` of `of`, counted from 1; 0 is the last run, of all rows, which is given the
    `length` that the folds found best (settings of a recipe)."""

    number: int
    of: int
    length: dict[str, Any] = field(default_factory=dict)

    @property
    def is_last(self) -> bool:
        return self.number == 0


running: ContextVar[Part | None] = ContextVar("running", default=None)


class SeveralFolds(Exception):
    """`parse` found `folds`, and none of their runs runs yet: who called the recipe runs it for each.

    `settings` are all that was given, without the output folder.
    """

    def __init__(self, folds: int, output_dir: str, settings: dict[str, Any]):
        super().__init__(f"{folds} folds")
        self.folds, self.output_dir, self.settings = folds, output_dir, settings


def settle(values: dict[str, Any]) -> None:
    """Change the `values` that a user gave to those of the run of folds that runs. Raises `SeveralFolds` if none does
    yet, and `UserError` for a number of folds that can't be, and for settings that exclude them."""
    folds = values.get("folds")
    if folds is None:
        return
    part = running.get()
    if part is None:
        if isinstance(folds, bool) or not isinstance(folds, int) or not 2 <= folds <= MOST:
            raise UserError(f"folds is {folds}; it must be a whole number from 2 to {MOST}, as in --folds 5")
        for name, why in (
            ("seeds", "each fold is a run already: for other seeds run it again with --seed and another --output_dir"),
            ("resume_from_checkpoint", "a fold that was stopped goes on from its own checkpoint by itself"),
        ):
            if values.get(name) not in (None, False):
                raise UserError(f"folds and {name} are both given: leave {name} out ({why})")
        given = {key: value for key, value in values.items() if key != "output_dir"}
        raise SeveralFolds(folds, values["output_dir"], copy.deepcopy(given))  # of rows their name
    if part.is_last:
        values |= {"eval_strategy": "no", "load_best_model_at_end": False, "early_stopping_patience": None}
        values |= part.length
        if values.get("save_strategy") == "best":
            values["save_strategy"] = "epoch"
    else:
        values["output_dir"] = str(Path(values["output_dir"]) / f"fold-{part.number}")
        values["push_to_hub"] = False  # which the last run does
