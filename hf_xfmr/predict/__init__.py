"""Many rows through a trained model: read from anywhere, answered in their order, written so that nothing is lost."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .. import engines
from ..data.regular import read_json
from ..data.table.reading import Reading
from ..errors import UserError
from ..plain import printable
from ..progress import progress
from .row import Columns, Row, of_texts

if TYPE_CHECKING:
    from ..data.table.settings import TableSettings
    from ..tasks.task import Predictor
    from .file import PredictionFile

WINDOW = 16  # batches that are put in order of length at a time, where there is a file of rows
FAULTS_NAMED = 5


def predict(
    model: str,
    texts: Sequence[str] = (),
    *,
    file: str | Path | None = None,
    format: str | None = None,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    id_column: str | None = None,
    out: str | Path | None = None,
    batch_size: int = 64,
    temperature: float | None = None,
    table: "TableSettings | None" = None,
    all_probabilities: bool = False,
    engine: str | None = None,
    bf16: bool = False,
) -> Iterator[dict]:
    """Classify or rate texts, or find the entities in them: {"id", "text", …} for each, in their order.

    What is read are `texts`, or the rows of `file` (see `rows.read`, also for `format` and the columns), or those of
    standard input. Answers are yielded; with `out`, a .csv or .jsonl file, they are written there instead, and a call
    that was killed goes on with the next row when it is made again. `temperature` divides the logits; None: by the one
    the run kept. `table` says how the file is written, where that is not found. Of more than 100 labels an answer has
    the ten likeliest, with `all_probabilities` all. `engine` computes the model; None: what its folder is for (see
    `engines.find`); with `bf16` PyTorch in bfloat16. Raises `UserError` for what can't be read or written, and in the
    end for rows that had no answer.
    """
    from ..run import ranges

    if texts and file:
        raise UserError("texts and --file are both given: leave one of them out")
    if not texts and not file and (sys.stdin is None or sys.stdin.isatty()):
        raise UserError("no texts: give them as arguments or with --file, or pipe in one text a line")
    ranges.check(batch_size=batch_size, temperature=temperature)
    columns = Columns(text_column, text_pair_column, id_column)
    reading = Reading(str(file or "standard input"))

    def rows() -> Iterable[Row]:
        if texts:
            return of_texts(texts)
        from .rows import read  # heavy, and not there where a model is only served

        return _some(read(file, kind=format, columns=columns, table=table, reading=reading), reading.path)

    total = None
    if file:
        told = columns
        for columns in _as_trained(model, told):  # another table has not the columns that the run was trained on
            reading = Reading(str(file))
            try:
                total = reading.rows = sum(1 for _ in rows())  # what can't be read at all shows before the model loads
                break
            except UserError:
                if columns is told:
                    raise
        print(printable(reading.line()), file=sys.stderr, flush=True)
        reading = Reading(str(file))
    predictor = load(model, temperature, all_probabilities, engine, bf16)
    many = batch_size * WINDOW if file else batch_size
    if out is None:
        return _answered(predictor, rows(), many, batch_size)
    _write(predictor, rows(), _file(out, model, predictor, text_pair_column), total, many, batch_size)
    return iter(())


def _as_trained(model: str, told: Columns) -> list[Columns]:
    """The columns told, and before them, where no text column was, those that the run was trained on."""
    path = Path(model) / "run.json"
    if told.text is not None:
        return [told]
    if path.is_file():
        known = read_json(path, "record of a run").get("columns")
    else:
        exported = engines.find(model).manifest
        known = None if exported is None else exported.columns
    if not isinstance(known, dict) or not known.get("text"):
        return [told]
    return [Columns(known["text"], told.pair or known.get("text_pair"), told.id), told]


def _some(rows: Iterable[Row], name: str) -> Iterator[Row]:
    """The same rows. Raises `UserError` if there are none."""
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise UserError(f"{name}: has no rows; nothing to read")


def load(
    name: str,
    temperature: float | None = None,
    all_probabilities: bool = False,
    engine: str | None = None,
    bf16: bool = False,
) -> "Predictor":
    """What reads texts with the model in a run's folder, an exported one or on the Hub, whatever its task. `engine`
    computes it; None: what the folder is for. `bf16`: in bfloat16, which PyTorch alone does."""
    from ..tasks.task import task_of

    predictor = task_of(name, "predict", engine).predictor(
        name, engine=engine, temperature=temperature, all_probabilities=all_probabilities, bf16=bf16
    )
    assert predictor is not None
    return predictor


def _answered(predictor: "Predictor", rows: Iterable[Row], many: int, batch_size: int) -> Iterator[dict]:
    given, faults = iter(rows), []
    while window := list(islice(given, many)):
        answers = answer(predictor, window, batch_size)
        yield from answers
        faults += _faults(answers)
    _refuse(faults)


def _write(
    predictor: "Predictor", rows: Iterable[Row], out: "PredictionFile", total: int | None, many: int, batch_size: int
) -> None:
    given, faults = out.rest(rows), []
    bar = progress(total=total, what="predict", unit="row")
    try:
        while window := list(islice(given, many)):
            answers = answer(predictor, window, batch_size)
            faults += _faults(answers)
            out.write(window, [predictor.flat(one) for one in answers] if out.is_table else answers)
            bar.update(out.rows - bar.n)
    finally:
        bar.close()
        out.undo_empty()
    out.finish()
    print(
        f"{out.rows:,} row{'s' * (out.rows != 1)}"
        f"{f', {out.resumed:,} of them before' if out.resumed else ''}: {printable(out.path)}",
        flush=True,
    )
    _refuse(faults)


def _faults(answers: Iterable[dict]) -> list[str]:
    return [f"row {one['id']} ({one['error']})" for one in answers if "error" in one]


def _refuse(faults: list[str]) -> None:
    if faults:
        more = f" and {len(faults) - FAULTS_NAMED:,} more" if len(faults) > FAULTS_NAMED else ""
        have = "row has" if len(faults) == 1 else "rows have"
        raise UserError(f"{len(faults):,} {have} an `error` and no answer: {', '.join(faults[:FAULTS_NAMED])}{more}")


def answer(predictor: "Predictor", rows: list[Row], batch_size: int) -> list[dict]:
    """{"id", "text", ...} for each row, in their order; what can't be read or answered gets an "error"."""
    from ..machine import give_back_memory  # heavy
    from ..tokenizer.long_texts import TooLong

    good = [row for row in rows if not row.fault]
    texts, pairs = [row.text for row in good], [row.pair for row in good if row.pair is not None]
    found = predictor(texts, pairs or None, batch_size=batch_size) if good else iter(())
    answers = []
    try:
        for row in rows:
            given = {"text": row.text} | ({} if row.pair is None else {"text_pair": row.pair})
            answers.append({"id": row.id, **given, **({"error": row.fault} if row.fault else next(found))})
    except TooLong as error:  # of the one row, which the others need not pay for
        fault = str(error)
        return answer(
            predictor,
            [
                row._replace(fault=fault) if not row.fault and error.text in (row.text, row.pair) else row
                for row in rows
            ],
            batch_size,
        )
    give_back_memory()
    return answers


def _file(out: str | Path, model: str, predictor: "Predictor", text_pair_column: str | None) -> "PredictionFile":
    from .file import PredictionFile

    files = sorted(Path(model).glob("*.safetensors")) or sorted(Path(model, "adapter").glob("*.safetensors"))
    by: dict = {"model": model, "weights": [[file.stat().st_size, file.stat().st_mtime_ns] for file in files]}
    if predictor.columns is None:
        if Path(out).suffix.lower() == ".csv":
            raise UserError(f"{out}: a text has several entities, or none: give --out a name in .jsonl")
        return PredictionFile(out, [], by)
    pair = ["text_pair"] if text_pair_column else []
    columns = ["id", "text", *pair, *predictor.columns, "error"]
    return PredictionFile(out, columns, {**by, **predictor.depends_on})
