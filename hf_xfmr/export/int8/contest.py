"""What a model loses and wins by another precision: both answer the run's validation rows."""

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ... import engines
from ...data.regular import read_json
from ...errors import UserError
from ...hub.dual import read_config
from ...report.comparison import POINTS
from ...tasks.task import Task, with_head
from ...writing import scratch
from .rows import of_run

# Of a task: who answers for it, in which file here.
ANSWER = {
    "classification": ("answers", "classify"),
    "tagging": ("answers", "tag"),
    "translation": ("writers", "translate"),
    "language model": ("writers", "score"),
}

TURNS = 5


class Side(NamedTuple):
    """A model in one precision: its folder, how it is called, and the options of its engine."""

    model: str
    name: str
    options: dict[str, Any]


class Found(NamedTuple):
    """Of `rows` of a file, `same` is the share that got the same answer of both; `figures` are those of
    `tasks.compare`, the first of which decides: `a` of the first side, `b` of the other. `speeds` are in `unit`s a
    second."""

    file: str
    rows: int
    same: float
    figures: list[dict[str, Any]]
    speeds: tuple[float, float]
    unit: str

    @property
    def loss(self) -> float:
        """What the other side has less of the main figure, in points: hundredths of a share, BLEU's own, and of a loss
        or a distance percent."""
        main = self.figures[0]
        if main["better"] == "lower":
            return 100 * main["difference"] / max(abs(main["a"]), 1e-12)
        return -main["difference"] * (1 if main["name"].lower() in POINTS else 100)


def rows_of(run: Path, file: str | Path | None) -> tuple[Task, Path]:
    """The task of a run, and the rows by which two of its models can be compared. Raises `UserError` where there are
    none, or nothing is compared by rows."""
    architecture = (read_config(run).get("architectures") or [""])[0]
    task = with_head(architecture)
    if task is None or task.name not in ANSWER:
        raise UserError(
            f"{run} is a {architecture}, whose answers to rows can't be compared; int8 is for models of classify, tag, "
            "translate and gpt2"
        )
    return task, of_run(run, task, file)


def contest(run: Path, task: Task, rows: Path, sides: Sequence[Side]) -> list[Found]:
    """The first of the sides against each of the others."""
    module, name = ANSWER[task.name]
    answer: Callable = getattr(import_module(f".{module}", __package__), name)
    record = read_json(run / "run.json", "record of a run") if (run / "run.json").is_file() else _record(run)
    with scratch("hf_xfmr-int8-") as place:
        files = [
            place / f"{number}{rows.suffix if task.name == 'tagging' else _suffix(task)}"
            for number in range(len(sides))
        ]
        works = [answer(side.model, rows, file, run, **side.options) for side, file in zip(sides, files, strict=True)]
        try:
            compared = [task.compare([files[0], file], [record, record]) for file in files[1:]]
        except UserError as error:  # of what is told, the rows were read from the file
            raise UserError(str(error).replace(str(files[0]), str(rows))) from None
    speeds = _speeds(works)
    return [
        Found(
            rows.name,
            found["rows"],
            sum(map(_equal, works[0].said, work.said)) / len(work.said),
            _main_first(found),
            (speeds[0], speed),
            work.unit,
        )
        for found, work, speed in zip(compared, works[1:], speeds[1:], strict=True)
    ]


def _speeds(works: Sequence[Any]) -> list[float]:
    """Of each, units a second: they take turns, so that what else the machine does slows all of them."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(TURNS):
        for work, mine in zip(works, seconds, strict=True):
            begun = time.perf_counter()
            work.sample()
            mine.append(time.perf_counter() - begun)
    return [work.units / max(median(mine), 1e-9) for work, mine in zip(works, seconds, strict=True)]


def _equal(a: Any, b: Any) -> bool:
    """Whether two answers are one: numbers to a hundredth."""
    return abs(a - b) <= 0.01 if isinstance(a, float) else a == b


def _suffix(task: Task) -> str:
    assert task.answers is not None
    return Path(task.answers).suffix


def _main_first(found: dict[str, Any]) -> list[dict[str, Any]]:
    figures = found["figures"]
    main = found.get("main", figures[0]["name"])
    return sorted(figures, key=lambda one: one["name"] != main)


def _record(run: Path) -> dict[str, Any]:
    """What of a run.json a comparison reads, for a folder without one."""
    config = read_config(run)
    return {
        "problem_type": config.get("problem_type") or "single_label_classification",
        "label_names": engines.labels(config),
    }
