"""What commands, reports and exports ask of a task: one small protocol, implemented in the task.py of each."""

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from transformers import AutoConfig

from ..errors import UserError
from ..run import loading

NAMES = ("classification", "tagging", "translation", "language_modeling", "pretraining")  # the folders here


class Predictor(Protocol):
    """A trained model that answers texts, as `predict` asks it."""

    columns: list[str] | None  # of an answer as a row of a table; None where it does not fit into one
    depends_on: dict[str, Any]  # what beside the model its answers depend on

    def __call__(self, texts: Iterable[str], pairs: Iterable[str] | None = None, *, batch_size: int) -> Iterator[dict]:
        """An answer for each text (with its pair), in their order; {"error"} where the model's numbers are not finite.
        Raises `UserError` for pairs where it reads none, and the reverse."""
        ...

    def flat(self, answer: dict) -> dict:
        """An answer with the names of `columns`."""
        ...


class Task:
    """A task, as those see it who know of none in particular. What a task has no answer to is as it is here."""

    name: str
    heads: tuple[str, ...] = ()  # how the names of the model classes end that it trains
    command: str = ""  # which uses such a model
    recipe: str = ""  # which trains one
    answers: str | None = None  # the file that a run leaves of its answers to a `{split}`, for `compare`

    def predictor(
        self, model: str, *, temperature: float | None = None, all_probabilities: bool = False
    ) -> Predictor | None:
        """Reads texts with the model in a folder or on the Hub. `temperature` divides its logits; None: its own.
        `all_probabilities`: of every label, however many there are.
        Raises `UserError` for a temperature that can't be, or where there is nothing to divide."""
        return None

    def refuse_to_compare(self, folders: Sequence[Path], runs: Sequence[dict]) -> None:
        """Raises `UserError` for runs that can't be compared because one is of this task."""

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        """`rows` and `figures` of two files of answers and their runs' run.json, as `tasks.compare` says."""
        raise NotImplementedError

    def left_to_users(self, config: Any) -> list[str]:
        """What `predict` does around a model of this config, and other programs do not."""
        return []


def all_tasks() -> Iterator[Task]:
    """Every task, each imported when its turn comes."""
    return (importlib.import_module(f".{name}.task", __package__).TASK for name in NAMES)


def task_of(model: str, command: str) -> Task:
    """The task whose models `command` uses and that a checkpoint's model was trained for, by its class; the first of
    them, if its config says no class. Raises `UserError` for a model that another command uses, or none."""
    architecture = (loading.from_pretrained(AutoConfig, model).architectures or [""])[0]
    tasks = list(all_tasks())
    fitting = [task for task in tasks if task.command == command]
    if not architecture:
        return fitting[0]
    found = next((task for task in tasks if architecture.endswith(task.heads or ("/",))), None)
    if found in fitting:
        return found
    if found is not None:
        raise UserError(
            f"{model} is a {architecture}, which {command} can't use: run python -m hf_xfmr {found.command} {model}"
        )
    recipes = " or ".join(f"recipes/{task.recipe}.py" for task in fitting)
    raise UserError(
        f"{model} is a {architecture}, which has no head that {command} could use: give the folder of a run of "
        f"{recipes}, or train one with --model {model}"
    )
