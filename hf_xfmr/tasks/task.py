"""What commands, reports and exports ask of a task: one small protocol, implemented in the task.py of each."""

import importlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .. import engines
from ..errors import UserError
from ..run import recipes
from ..run.console import this_program

if TYPE_CHECKING:
    from ..data.part import Part
    from ..report import Evaluation

LOOKED_AT = 50_000  # most rows of a split that a look at a bare dataset reads again
NAMES = (
    "classification",
    "tagging",
    "question_answering",
    "translation",
    "language_modeling",
    "pretraining",
)  # the folders here


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

    def summary(self, rows: int, unsure: int) -> str | None:
        """What is to be said in the end of so many answers, of which so many are unsure; None: nothing."""
        ...


class Look(NamedTuple):
    """What a task would make of a dataset: `lines` say how it is read and what is learned, `parts` are the rows of its
    splits that a check looks at (`label_names` None: ratings, or no labels), `recipe` and `flags` train on it."""

    lines: list[str]
    parts: "Mapping[str, Part]"
    label_names: list[str] | None
    recipe: str
    flags: list[str]


class Task:
    """A task, as those see it who know of none in particular. What a task has no answer to is as it is here."""

    name: str
    heads: tuple[str, ...] = ()  # how the names of the model classes end that it trains
    command: str = ""  # which uses such a model
    recipe: str = ""  # which trains one
    looks_in_turn: int = 0  # when it is asked what a dataset is: those that know theirs for sure first
    answers: str | None = None  # the file that a run leaves of its answers to a `{split}`, for `compare`

    def predictor(
        self,
        model: str,
        *,
        engine: str | None = None,
        temperature: float | None = None,
        all_probabilities: bool = False,
        abstain_below: float | None = None,
        bf16: bool = False,
    ) -> Predictor | None:
        """Reads texts with the model in a folder or on the Hub. `engine` computes it; None: what the folder is for (see
        `engines.find`). `temperature` divides its logits; None: its own. `all_probabilities`: of every label, however
        many there are. `abstain_below`: an answer of a lower probability is "unsure". `bf16`: PyTorch in bfloat16.
        Raises `UserError` for numbers that can't be, or where there is nothing to divide or decide."""
        return None

    def evaluate(self, folder: Path, run: dict[str, Any]) -> "Evaluation | None":
        """What a run's answers in its folder add to its report, given its run.json; None: nothing."""
        return None

    def pages(self, folder: Path, run: dict[str, Any], language: str | None) -> list[Path]:
        """Writes anew what other pages than the report there are of a run, given its run.json, in `language` (None: as
        the run said). Returns their files."""
        return []

    def decide(self, folder: Path, run: dict[str, Any], wish: dict[str, Any]) -> list[str]:
        """Puts another decision into effect in a run's folder, given its run.json: see `tasks.decide`. Returns what is
        to be said. Raises `UserError` where answers are not decided."""
        raise UserError(f"{folder} is a run of {self.recipe}, whose answers have no thresholds: leave it as it is")

    def refuse_to_compare(self, folders: Sequence[Path], runs: Sequence[dict]) -> None:
        """Raises `UserError` for runs that can't be compared because one is of this task."""

    def compare(self, files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
        """`rows` and `figures` of two files of answers and their runs' run.json, as `tasks.compare` says."""
        raise NotImplementedError

    def look(self, name: str, words: Sequence[str]) -> Look | None:
        """What a dataset, as `load_dataset_dict` takes it, is to this task, with flags of its settings; None: nothing
        it could learn from. Raises `UserError` for what is its own, but wrong or to be asked about."""
        return None

    def left_to_users(self, config: Mapping[str, Any]) -> list[str]:
        """What `predict` does around a model of this config, and other programs do not."""
        return []


def refuse_classifiers(
    does: str, temperature: float | None, all_probabilities: bool, abstain_below: float | None
) -> None:
    """Raises `UserError` for what may be said of a classifier's answers alone, of a model that `does` another thing."""
    told = {
        "temperature": temperature is not None,
        "all_probabilities": all_probabilities,
        "abstain_below": abstain_below is not None,
    }
    for name in (name for name, is_told in told.items() if is_told):
        raise UserError(f"{name} is for classifiers, and this model {does}: leave it out")


def all_tasks() -> Iterator[Task]:
    """Every task, each imported when its turn comes."""
    return (importlib.import_module(f".{name}.task", __package__).TASK for name in NAMES)


def with_head(architecture: str) -> Task | None:
    """The task that trains models of this class, by its name; None: there is none."""
    return next((task for task in all_tasks() if architecture.endswith(task.heads or ("/",))), None)


def task_of(model: str, command: str, engine: str | None = None) -> Task:
    """The task whose models `command` uses and that a checkpoint's model was trained for, by its class; the first of
    them, if its config says no class. Raises `UserError` for a model that another command uses, or none, and as
    `engines.find`."""
    place = engines.find(model, engine)
    architecture = _architecture(model) if place.manifest is None else place.manifest.told["class"]
    fitting = [task for task in all_tasks() if task.command == command]
    if not architecture:
        return fitting[0]
    found = with_head(architecture)
    if found in fitting:
        return found
    if found is not None:
        other = shlex.join([*this_program(), found.command, model])
        raise UserError(f"{model} is a {architecture}, which {command} can't use: run {other}")
    trained = " or ".join(f"train {recipes.name_of(task.recipe)}" for task in fitting)
    raise UserError(
        f"{model} is a {architecture}, which has no head that {command} could use: give the folder of a run of "
        f"{trained}, or train one with --model {model}"
    )


def command_of(model: str, engine: str | None = None) -> str:
    """The command that uses a checkpoint's model, by its class. Raises `UserError` for a model that none could use, and
    as `engines.find`."""
    place = engines.find(model, engine)
    architecture = _architecture(model) if place.manifest is None else place.manifest.told["class"]
    found = with_head(architecture)
    if found is None or not found.command:
        heads = ", ".join(f"train {recipes.name_of(task.recipe)}" for task in all_tasks())
        raise UserError(
            f"{model} is {f'a {architecture}' if architecture else 'a model of no class'}, which no command could use: "
            f"give the folder of a run of {heads}"
        )
    return found.command


def _architecture(model: str) -> str:
    """The class of a checkpoint's model; empty where its config says none."""
    from transformers import AutoConfig  # heavy

    from ..run import adapted

    return (adapted.from_pretrained(AutoConfig, model).architectures or [""])[0]
