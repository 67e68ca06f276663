"""Classify or rate texts, find the entities in them, or answer questions about them, with a fine-tuned model: an answer
for each, in their order.

Texts are the arguments, the rows of --file, or those of standard input; questions are --question and --context, or
columns of these names in --file. Over-long texts are treated as in training; a tagger, and who answers questions, reads
them in windows that overlap. Answers are JSON lines, or go to --out, a .csv, .jsonl or .parquet file:
killed and run again, the same command goes on with the next row. torchrun and accelerate launch begin it several times:
then each reads --file, and one writes.
"""

import argparse

from ..engines import ENGINES
from ..plain import json_line
from ..predict.row import FORMATS
from . import table
from .texts import readable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, one that export wrote, or a model on the Hub")
    parser.add_argument("texts", nargs="*", help="texts to read; none: --file, or standard input")
    parser.add_argument("--question", help="a question, for a model that answers them; asked about --context")
    parser.add_argument("--context", help="the text that --question is asked about")
    parser.add_argument("--file", help="rows to read: .csv, .jsonl, .parquet, .xlsx, …, or .txt with a text a line")
    parser.add_argument(
        "--format", choices=FORMATS, help="what --file or standard input is (default: by its name; txt)"
    )
    parser.add_argument("--text_column", help="the column of the text (default: known by its name)")
    parser.add_argument("--text_pair_column", help="the column of the second text, for a model that reads pairs")
    parser.add_argument("--id_column", help="the column of the id (default: id, else the row's number, from 0)")
    table.add_arguments(parser)
    parser.add_argument("--out", help="write to this .csv, .jsonl or .parquet file; a killed run goes on where it was")
    parser.add_argument(
        "--keep", metavar="A,B", help="columns of the input to keep beside the answers; all, or NAME=NEW_NAME"
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="share the rows among so many processes (default: this one alone)"
    )
    parser.add_argument("--batch_size", type=int, default=64, help="texts computed at a time (default: %(default)s)")
    parser.add_argument(
        "--engine", choices=ENGINES, help="what computes (default: what the folder is for, a run's: torch)"
    )
    parser.add_argument(
        "--bf16", action="store_true", help="compute in bfloat16, where the processor is fast at it (PyTorch alone)"
    )
    parser.add_argument(
        "--temperature", type=float, help="divide the logits by this (default: the one the run kept; 1: none)"
    )
    parser.add_argument(
        "--abstain_below", type=float, metavar="P", help='answer "unsure" where the answer is less probable than this'
    )
    parser.add_argument(
        "--all_probabilities",
        action="store_true",
        help="the probability of every label, where there are more than 100 too (default: then the ten likeliest)",
    )


def run(arguments: argparse.Namespace) -> None:
    from ..predict import predict

    answers = predict(
        arguments.model,
        readable(arguments.texts),
        question=arguments.question,
        context=arguments.context,
        file=arguments.file,
        format=arguments.format,
        text_column=arguments.text_column,
        text_pair_column=arguments.text_pair_column,
        id_column=arguments.id_column,
        out=arguments.out,
        batch_size=arguments.batch_size,
        temperature=arguments.temperature,
        table=table.settings(arguments),
        all_probabilities=arguments.all_probabilities,
        abstain_below=arguments.abstain_below,
        engine=arguments.engine,
        keep=arguments.keep,
        processes=arguments.processes,
        bf16=arguments.bf16,
    )
    for answer in answers:
        print(json_line(answer), flush=True)
