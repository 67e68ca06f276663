"""int8: a smaller and faster model, for a few answers that change. How many is found out before it is kept: the run's
validation rows are answered by both, and what came of it is written beside it."""

from pathlib import Path
from typing import NamedTuple

from ...errors import UserError
from ...report.names import metric_name
from ...tasks.task import Task
from ...training import fast_bf16
from .contest import Found, Side, contest, rows_of
from .page import NAME, lines, page

ROUNDED = ("onnx", "ctranslate2")  # formats that have it


class Int8(NamedTuple):
    """What is asked of an export in int8: `embeddings` too, at most `max_loss` points of the main figure lost (None:
    whatever it loses is said), by the rows of `file` (None: those that the run left)."""

    embeddings: bool = False
    max_loss: float | None = None
    file: str | Path | None = None


def ready(folder: Path, asked: Int8, to: str) -> tuple[Task, Path]:
    """The run's task and the rows to compare by. Raises `UserError` for what can't be asked, before anything is
    computed."""
    if to not in ROUNDED:
        raise UserError(
            f"int8 is for --to {' and --to '.join(ROUNDED)}: a stock checkpoint has its run's own precision"
        )
    if asked.max_loss is not None and not 0 <= asked.max_loss <= 100:
        raise UserError(f"max_loss is {asked.max_loss}; it is a number of points from 0 to 100, as --max_loss 0.5")
    if asked.embeddings and to != "onnx":
        raise UserError("CTranslate2's int8 has the word vectors in it: leave --int8_embeddings out")
    task, rows = rows_of(folder, asked.file)
    if task.name == "translation" and to == "onnx":
        raise UserError(f"{folder} translates, which no ONNX graph does here: give --to ctranslate2")
    return task, rows


def compare(folder: Path, made: Path, task: Task, rows: Path, asked: Int8, engine: str) -> list[str]:
    """Answer the rows by the run in `folder` and by what was `made` of it; write the page, and return what is to be
    said. Raises `UserError` for more loss than was asked for."""
    sides = [Side(str(folder), "float32, PyTorch", {}), Side(str(made), f"int8, {engine}", {})]
    if task.name in ("classification", "tagging") and fast_bf16():
        sides.insert(1, Side(str(folder), "bfloat16, PyTorch (predict --bf16)", {"bf16": True}))
    found = contest(folder, task, rows, sides)
    sizes = [_size(folder, "*.safetensors"), _size(made, "model.onnx*", "model.bin")]
    (made / NAME).write_text(page(folder.resolve().name, sides, found, sizes), encoding="utf-8")
    _refuse(found[-1], asked)
    return lines(sides, found, sizes)


def _refuse(found: Found, asked: Int8) -> None:
    if asked.max_loss is not None and found.loss > asked.max_loss:
        main = found.figures[0]
        raise UserError(
            f"int8 loses {found.loss:.2f} points of {metric_name(main['name'])} on {found.rows:,} rows of {found.file} "
            f"({main['a']:.4g}, in int8 {main['b']:.4g}), more than --max_loss {asked.max_loss:g}; nothing was written"
        )


def _size(folder: Path, *patterns: str) -> int:
    return sum(path.stat().st_size for pattern in patterns for path in folder.glob(pattern))


__all__ = ["Int8", "compare", "ready"]
