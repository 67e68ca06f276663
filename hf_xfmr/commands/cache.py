"""Say what is kept on disk for the next start of a run, tokens and trained tokenizers of large data, or remove it.

    python -m hf_xfmr cache
    python -m hf_xfmr cache --clear

Entries are found by the content of texts, tokenizer and settings. What was not used for 30 days is removed by itself,
and the longest unused where all together are more than 10 GB. HF_HOME says where they are; --keep_tokenized false has a
run neither look for them nor keep any.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clear", action="store_true", help="remove all of it")


def run(arguments: argparse.Namespace) -> None:
    from ..keeping import lines

    print("\n".join(lines(clear=arguments.clear)))
