"""Write a checkpoint of others' training code as a folder that every command takes, and prove it computes the same.

SOURCE is nanoGPT's ckpt.pt, a TensorFlow checkpoint of google-research's BERT, or a folder whose weights are
pytorch_model.bin. No code in it is run; that of --check is.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="ckpt.pt, bert_model.ckpt, or a folder with either, or with pytorch_model.bin")
    parser.add_argument("out", help="the folder to write, which is not there yet")
    parser.add_argument("--tokenizer", help="nanoGPT's meta.pkl, a folder or a Hub name; none: what lies beside")
    parser.add_argument(
        "--activation", choices=("gelu", "gelu_new"), help="where the checkpoint can't tell; none: its code's own"
    )
    parser.add_argument("--check", metavar="FILE", help="nanoGPT's model.py, run to compare: code that you trust")


def run(arguments: argparse.Namespace) -> None:
    from ..conversion import convert
    from ..run.console import say

    out, notes = convert(
        arguments.source,
        arguments.out,
        tokenizer=arguments.tokenizer,
        activation=arguments.activation,
        check=arguments.check,
    )
    say(*notes, f"written: {out}")
