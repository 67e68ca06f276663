"""The commands of `hf_xfmr`, or `python -m hf_xfmr`, a file each: arguments in, one call, the answer out."""

import importlib
from types import ModuleType

from .. import __version__
from ..run import console, program

SECTIONS = {  # in the order in which a user meets them; a file of this folder each
    "train": {
        "train": "classify, distill, tag, answer, translate, gpt2, pretrain, …",
        "configs": "list the ready configurations, or copy one",
        "check": "what is wrong before the first step; what a bare file is",
        "search": "better settings by trials, and what they gain",
        "curve": "how many labels are enough, by training on fewer",
    },
    "use": {
        "predict": "classify or rate texts, find entities, answer questions",
        "fill": "fill in masked words with a BERT",
        "generate": "continue prompts with a GPT-2",
        "translate": "translate texts",
        "serve": "answer HTTP with a model, and a page to try it",
    },
    "understand": {
        "compare": "two runs on the same rows: which is better, or chance",
        "why": "which words decided a classifier's answer",
        "attention": "draw where a model looks",
        "explain": "a page on the three architectures, from their source",
        "decide": "thresholds for a precision, a recall, F1 or costs",
        "verify": "that a model computes the same, whatever the batch",
    },
    "publish": {
        "report": "write a run's report and card anew, in another language too",
        "push": "a model folder to the Hub",
        "export": "for other programs: stock, ONNX, CTranslate2",
        "consolidate": "shards of a checkpoint to one folder",
        "convert": "others' checkpoints (nanoGPT, TensorFlow, .bin) to a folder",
    },
    "this machine": {
        "adopt": "run a script written for stock classes on these models",
        "bench": "time these models against stock's",
        "cache": "what is kept on disk for a run's next start; clear it",
        "env": "versions and devices, for reports of faults",
        "completion": "what makes bash, zsh or fish complete all this",
    },
}
COMMANDS = tuple(name for section in SECTIONS.values() for name in section)
MODULE = "python -m hf_xfmr"  # what texts call this program; shown as it was called


def listing() -> str:
    """The commands, a line each, as the program says them that is asked for no command."""
    called = " ".join(console.called())
    lines = [f"usage: {called} COMMAND ...; COMMAND --help says more of each", ""]
    for title, section in SECTIONS.items():
        lines += [f"{title}:", *(f"  {name:<13}{said}" for name, said in section.items())]
    return "\n".join([*lines, "", f"begin: {called} train classify --dataset mine.csv --model sample:minilm"])


def module_of(command: str) -> ModuleType:
    return importlib.import_module(f".{command}", __package__)


def parser_of(*names: str, called: str = "") -> program.Parser:
    """The parser of these commands; no other's module is imported."""
    called = called or " ".join(console.called())
    about = "Train a recipe, and use what it made, from the command line. COMMAND --help says more of each."
    parser = program.Parser(prog=called, description=about)
    parser.add_argument("--version", action="version", version=f"hf_xfmr {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        module = module_of(name)
        description = (module.__doc__ or "").strip().replace(MODULE, called)
        short = description.splitlines()[0].replace("%", "%%")  # in a description argparse takes it for itself
        command = commands.add_parser(name, help=short, description=description, formatter_class=program.Paragraphs)
        module.add_arguments(command)
        command.add_argument(
            program.TRACEBACK, action="store_true", help=program.TRACEBACK_HELP
        )  # program.run takes it
        command.set_defaults(run=module.run)
    return parser
