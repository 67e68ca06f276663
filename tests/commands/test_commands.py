"""Commands are thin: a file each, whose one call can be made from Python with the same words."""

import argparse
import dataclasses
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hf_xfmr.commands import COMMANDS, module_of, parser_of
from hf_xfmr.data.table.settings import TableSettings

FUNCTIONS = {
    "train": ("run.train", "train"),
    "configs": ("run.configs", "answer"),
    "completion": ("run.completion", "script"),
    "check": ("check.config", "check_config"),
    "search": ("search", "search"),
    "curve": ("learning_curve", "curve"),
    "verify": ("verify", "verify"),
    "predict": ("predict", "predict"),
    "fill": ("tasks.pretraining.filler", "fill"),
    "generate": ("tasks.language_modeling.generator", "generate"),
    "translate": ("tasks.translation.translator", "translate"),
    "serve": ("serve", "serve"),
    "why": ("why", "why"),
    "attention": ("explain.attention", "attention"),
    "explain": ("explain", "explain"),
    "compare": ("tasks.compare", "compare"),
    "report": ("tasks.rewrite", "rewrite"),
    "decide": ("tasks.decide", "decide"),
    "push": ("hub.push", "push"),
    "export": ("export", "export"),
    "consolidate": ("export.consolidate", "consolidate"),
    "convert": ("conversion", "convert"),
    "adopt": ("adoption.script", "run_script"),
    "bench": ("bench.contests", "bench"),
    "cache": ("keeping", "lines"),
    "env": ("machine", "environment"),
}
# Where words come from, how answers are written, which function is called, and what Python says by `TableSettings`.
OF_THE_COMMAND_LINE = {
    "generate": {"file"},
    "compare": {"json"},
    "bench": {
        "what",
        "model",
        "onnx",
        "clients",
        "requests",
        "litserve",
        "bentoml",
        "cores",
        "device",
        "tiny",
        "trials",
    },
}
OF_THE_COMMAND_LINE["predict"] = {one.name for one in dataclasses.fields(TableSettings)}


def function_of(command: str):
    module, name = FUNCTIONS[command]
    return getattr(importlib.import_module(f"hf_xfmr.{module}"), name)


def test_every_command_has_a_file_and_a_function():
    files = {path.stem for path in Path(inspect.getfile(module_of("check"))).parent.glob("*.py")}
    assert files - {"__init__", "texts", "table"} == set(COMMANDS) == set(FUNCTIONS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_function_takes_the_words_of_the_command(command):
    parser = argparse.ArgumentParser()
    module_of(command).add_arguments(parser)
    words = {action.dest for action in parser._actions} - {"help"} - OF_THE_COMMAND_LINE.get(command, set())
    taken = inspect.signature(function_of(command)).parameters
    assert words <= set(taken)
    for name in words:  # and means the same where a word is left out
        default = parser.get_default(name)
        if default is not None and taken[name].default is not inspect.Parameter.empty:
            assert str(taken[name].default) == str(default), name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_function_says_what_it_does(command):
    assert len(inspect.getdoc(function_of(command)) or "") > 60


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("search classify --seeds 1", "--seeds is 1; give two or more"),
        ("search classify --seeds 1 1", "--seeds is 1 1; give two or more"),
        ("search classify --trials 0", "--trials is 0"),
        ("search classify --over batch", "--over batch: not among what can be tried"),
        ("search classify --range learning_rate=2:1", "the lower end must be below"),
        ("curve classify --sizes 100", "--sizes is 100; give two or more"),
        ("curve classify --repeats 0", "--repeats is 0"),
    ],
)
def test_a_wrong_word_is_told_before_what_takes_seconds_to_import(words, says):
    code = (
        "import sys; from hf_xfmr import __main__ as m\ntry: m.run()\n"
        "except m.UserError as e: print(e, *{'torch', 'transformers', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True)
    assert says in done.stdout, done.stderr
    assert not re.search(r"\b(torch|transformers|datasets)$", done.stdout)


def test_a_command_file_imports_nothing_heavy():
    """What `--help` imports: of a package that takes seconds only what the program itself needs."""
    code = (
        "import sys, hf_xfmr.__main__, hf_xfmr.commands as m; [m.module_of(c) for c in m.COMMANDS]; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    heavy = {"peft", "sklearn", "matplotlib", "trl", "onnxruntime", "ctranslate2"}
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=" ".join)
def test_without_a_command_the_commands_are_listed(words):
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run([sys.executable, "-m", "hf_xfmr", *words], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 40
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_help_of_80_columns_keeps_its_paragraphs_and_its_commands_to_be_pasted(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    choices = parser_of(command, called="hf_xfmr")._subparsers._group_actions[0].choices
    text = choices[command].format_help()
    _usage, *shown = text.split("\n\n")
    described = inspect.getdoc(module_of(command)).replace("python -m hf_xfmr", "hf_xfmr").split("\n\n")
    for paragraph, said in zip(shown, described, strict=False):
        if said.startswith("    "):
            assert paragraph == said
        else:
            assert paragraph.split() == said.split()
    assert len(shown) > len(described)
    assert [line for line in text.splitlines() if len(line) > 80 and not line.startswith("    hf_xfmr ")] == []
