"""Many rows through a trained model: read from anywhere, answered in their order, written so that nothing is lost."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import engines
from ..data.regular import read_json
from ..data.table.reading import Reading
from ..errors import UserError
from ..plain import printable
from ..processes import is_main
from . import keep as keeping
from . import launched, output
from .answering import answering, window
from .answers import answer, load
from .row import Columns, Row, of_texts, row_of

if TYPE_CHECKING:
    from ..data.table.settings import TableSettings

__all__ = ["answer", "load", "predict"]


def predict(
    model: str,
    texts: Sequence[str] = (),
    *,
    question: str | None = None,
    context: str | None = None,
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
    abstain_below: float | None = None,
    engine: str | None = None,
    keep: str | None = None,
    processes: int | None = None,
    bf16: bool = False,
) -> Iterator[dict]:
    """Classify or rate texts, find the entities in them, or answer questions about them: {"id", "text", …} for each, in
    their order.

    What is read are `texts`, or a `question` with its `context`, or the rows of `file` (see `rows.read`, also for
    `format` and the columns), or those of standard input. Answers are yielded; with `out`, a .csv, .jsonl or .parquet
    file, they are written there instead, and a call that was killed goes on with the next row when it is made again.
    `keep` are columns of the input to stand beside them ("date,author", "all", "label=gold"). `processes` share the
    rows on this machine; where a launcher began several, those do: each reads the file, and the main one writes.

    `temperature` divides the logits; None: by the one the run kept. `table` says how the file is written, where that is
    not found. Of more than 100 labels an answer has the ten likeliest, with `all_probabilities` all. `abstain_below`:
    an answer of a lower probability is "unsure". `engine` computes the model; None: what its folder is for (see
    `engines.find`); with `bf16` PyTorch in bfloat16. Raises `UserError` for what can't be read or written, and in the
    end for rows that had no answer.
    """
    from ..run import ranges

    if (question is None) != (context is None):
        raise UserError("--question and --context go together: give both")
    asked = question is not None
    if asked and (texts or file):
        raise UserError("--question is given, and texts or --file too: leave one of them out")
    if texts and file:
        raise UserError("texts and --file are both given: leave one of them out")
    if not texts and not file and not asked and (sys.stdin is None or sys.stdin.isatty()):
        raise UserError("no texts: give them as arguments or with --file, or pipe in one text a line")
    ranges.check(batch_size=batch_size, temperature=temperature, processes=processes)
    launched.check(file, out, processes)
    columns = Columns(text_column, text_pair_column, id_column, keeping.told(keep))
    reading = Reading(str(file or "standard input"))

    def rows() -> Iterable[Row]:
        if asked:
            return iter([row_of("0", question or "", context)])
        if texts:
            return of_texts(texts)
        from .rows import read  # heavy, and not there where a model is only served

        return _some(read(file, kind=format, columns=columns, table=table, reading=reading), reading.path)

    if (texts or asked) and columns.keep:
        raise UserError("--keep is given, but texts have no columns: leave it out, or give --file")
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
        if is_main():
            print(printable(reading.line()), file=sys.stderr, flush=True)
        reading = Reading(str(file))
    if out is not None:
        output.check_name(out)
    kept, given = keeping.peeked(rows()) if columns.keep else ([], iter(rows()))
    options: dict = {"temperature": temperature, "all_probabilities": all_probabilities, "engine": engine}
    options |= {"abstain_below": abstain_below, "bf16": bf16}
    shares = answering(model, options, batch_size, processes)
    try:
        keeping.check(kept, shares.columns or ["entities"])
    except UserError:
        shares.close()
        raise
    many = window(batch_size, total, shares.count)
    if out is None:
        return output.answered(shares, given, many)
    what = output.Wanted(out, model, pair=asked or columns.pair is not None, kept=kept, source=file, columns=columns)
    output.write(shares, given, what, total, many)
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
