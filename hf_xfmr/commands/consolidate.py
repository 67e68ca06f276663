"""Write a sharded checkpoint (FSDP's SHARDED_STATE_DICT) as one folder that stock `from_pretrained` loads.

The checkpoint is the folder of `.distcp` files, such as runs/mine/checkpoint-500/pytorch_model_fsdp_0.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="the folder of .distcp files")
    parser.add_argument("--like", required=True, help="a folder or Hub name with the same config and class")
    parser.add_argument("--out", required=True, help="the folder to write")


def run(arguments: argparse.Namespace) -> None:
    from ..export.consolidate import consolidate
    from ..run.console import say

    say(f"model: {consolidate(arguments.checkpoint, arguments.like, arguments.out)}")
