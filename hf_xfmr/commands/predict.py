"""Classify or rate texts, or find the entities in them, with a fine-tuned model: an answer for each, in their order.

Texts are the arguments, the rows of --file, or those of standard input. Over-long texts are treated as in training; a
tagger reads them in windows that overlap. Answers are JSON lines, or go to --out, a .csv or .jsonl file: killed and run
again, the same command goes on with the next row.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from tqdm.auto import tqdm
from transformers import AutoConfig

from .. import recipe
from ..errors import UserError
from ..tasks.classifier import WINDOW, Classifier
from ..tasks.tagger import Tagger
from .prediction_file import PredictionFile
from .prediction_rows import FORMATS, Columns, Row, read

FAULTS_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, or a model on the Hub")
    parser.add_argument("texts", nargs="*", help="texts to read; none: --file, or standard input")
    parser.add_argument("--file", help="rows to read: .csv, .tsv, .jsonl, or .txt with a text a line")
    parser.add_argument(
        "--format", choices=FORMATS, help="what --file or standard input is (default: by its name; txt)"
    )
    parser.add_argument("--text_column", help="the column of the text (default: known by its name)")
    parser.add_argument("--text_pair_column", help="the column of the second text, for a model that reads pairs")
    parser.add_argument("--id_column", help="the column of the id (default: id, else the row's number, from 0)")
    parser.add_argument("--out", help="write to this .csv or .jsonl file; a killed run goes on where it was")
    parser.add_argument("--batch_size", type=int, default=64, help="texts computed at a time (default: %(default)s)")
    parser.add_argument(
        "--temperature", type=float, help="divide the logits by this (default: the one the run kept; 1: none)"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.texts and arguments.file:
        raise UserError("texts and --file are both given: leave one of them out")
    if not arguments.texts and not arguments.file and sys.stdin.isatty():
        raise UserError("no texts: give them as arguments or with --file, or pipe in one text a line")
    if arguments.batch_size < 1:
        raise UserError(f"batch_size is {arguments.batch_size}; it must be at least 1")
    columns = Columns(arguments.text_column, arguments.text_pair_column, arguments.id_column)

    def rows() -> Iterable[Row]:
        if arguments.texts:
            return (Row(str(number), text, None) for number, text in enumerate(arguments.texts))
        return read(arguments.file, kind=arguments.format, columns=columns)

    total = sum(1 for _ in rows()) if arguments.file else None  # what can't be read at all shows before the model loads
    model = load(arguments.model, arguments.temperature)
    out = _out(arguments, model)
    faults: list[str] = []
    given = iter(rows() if out is None else out.rest(rows()))
    progress = tqdm(total=total, desc="predict", unit="row", disable=None if out is not None else True)
    many = arguments.batch_size * WINDOW if arguments.file else arguments.batch_size
    while window := list(islice(given, many)):
        answers = answer(model, window, arguments.batch_size)
        faults += [f"row {row.id} ({row.fault})" for row in window if row.fault]
        if out is None:
            print(*(json.dumps(one, ensure_ascii=False) for one in answers), sep="\n", flush=True)
            continue
        if isinstance(model, Classifier) and out.path.suffix.lower() == ".csv":
            answers = [model.flat(one) for one in answers]
        out.write(window, answers)
        progress.update(out.rows - progress.n)
    progress.close()
    if out is not None:
        out.finish()
        recipe.say(f"{out.rows:,} rows{f', {out.resumed:,} of them before' if out.resumed else ''}: {out.path}")
    if faults:
        more = f" and {len(faults) - FAULTS_NAMED:,} more" if len(faults) > FAULTS_NAMED else ""
        raise UserError(f"{len(faults):,} rows have an `error` and no answer: {', '.join(faults[:FAULTS_NAMED])}{more}")


def load(name: str, temperature: float | None = None) -> Classifier | Tagger:
    """What reads texts with the model in a folder or on the Hub; says aloud if its probabilities are calibrated."""
    architectures = recipe.from_pretrained(AutoConfig, name).architectures or [""]
    if architectures[0].endswith("ForTokenClassification"):
        if temperature is not None:
            raise UserError("temperature is for classifiers, and this model finds entities: leave it out")
        return Tagger(name)
    model = Classifier(name, temperature=temperature)
    if temperature is None and model.temperature != 1:
        print(
            f"calibrated: logits are divided by {model.temperature:.3g}, fitted on the run's validation rows; "
            "--temperature 1 for the model's own probabilities",
            file=sys.stderr,
        )
    return model


def answer(model: Classifier | Tagger, rows: list[Row], batch_size: int) -> list[dict]:
    """{"id", "text", ...} for each row, in their order; what can't be read gets an "error"."""
    good = [row for row in rows if not row.fault]
    texts, pairs = [row.text for row in good], [row.pair for row in good if row.pair is not None]
    if isinstance(model, Tagger):
        if pairs:
            raise UserError("the model finds entities in single texts: leave --text_pair_column out")
        found = model(texts, batch_size=batch_size)
    else:
        found = model(texts, pairs or None, batch_size=batch_size) if good else iter(())
    answers = []
    for row in rows:
        texts_given = {"text": row.text} | ({} if row.pair is None else {"text_pair": row.pair})
        answers.append({"id": row.id, **texts_given, **({"error": row.fault} if row.fault else next(found))})
    return answers


def _out(arguments: argparse.Namespace, model: Classifier | Tagger) -> PredictionFile | None:
    if arguments.out is None:
        return None
    files = sorted(Path(arguments.model).glob("*.safetensors"))
    by: dict = {"model": arguments.model, "weights": [[file.stat().st_size, file.stat().st_mtime_ns] for file in files]}
    if isinstance(model, Tagger):
        if Path(arguments.out).suffix.lower() == ".csv":
            raise UserError(f"{arguments.out}: a text has several entities, or none: give --out a name in .jsonl")
        return PredictionFile(arguments.out, [], by)
    pair = ["text_pair"] if arguments.text_pair_column else []
    columns = ["id", "text", *pair, *model.columns, "error"]
    return PredictionFile(arguments.out, columns, {**by, "temperature": model.temperature})
