"""Print what makes a shell complete commands, flags and ready configurations: bash, zsh or fish.

eval "$(python -m hf_xfmr completion bash)"
python -m hf_xfmr completion zsh > ~/.zfunc/_hf_xfmr
python -m hf_xfmr completion fish > ~/.config/fish/completions/hf_xfmr.fish
"""

import argparse

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads it")


def run(arguments: argparse.Namespace) -> None:
    from ..run.completion import script
    from . import COMMANDS, parser_of

    print(script(arguments.shell, parser_of(*COMMANDS, called="hf_xfmr")))
