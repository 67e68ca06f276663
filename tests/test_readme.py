"""No claim of a page goes stale: commands parse, and what is named exists. Nothing is run here (tests/docs does)."""

import argparse
import ast
import contextlib
import importlib.util
import io
import re
import shlex
import sys
from pathlib import Path

import pytest
from pages import PAGES, fenced, folder, in_backticks, links, prose
from places import ROOT

import hf_xfmr
from hf_xfmr.commands import COMMANDS, module_of
from hf_xfmr.run import program, recipes, settings
from hf_xfmr.training import lock

READMES = ["README.md", "README.zh.md"]
RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.py"))
STARTS = ("make ", "python ", "hf_xfmr ", ".venv/bin/", "python3 ", "pip ", "accelerate ", "torchrun ")


def blocks(name: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages; "" is a block without one."""
    return [one.body.replace("\\\n", " ") for one in fenced(name) if one.language in languages]


def commands(name: str) -> list[str]:
    """The command lines of a README, in blocks and in backticks."""
    lines = [line.strip() for block in blocks(name, "", "bash", "sh") for line in block.splitlines()]
    return [one for one in lines + in_backticks(name) if one.startswith(STARTS)]


EVERY = sorted(
    {(name, one) for name in PAGES for one in commands(name) if not set("<…") & set(one)}
)  # these stand for any
CONFIGS = sorted(path for path in (ROOT / "recipes" / "configs").rglob("*.yaml") if path.parent.name in RECIPES)


class Parsed(Exception):
    """Raised in the place of what comes after a recipe's settings."""


def recipe_module(stem: str):
    """A recipe's script as a module, under its own name: its parser says what it finds in that module."""
    specification = importlib.util.spec_from_file_location(f"readme_{stem}", ROOT / "recipes" / f"{stem}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def parse_recipe(tmp_path, monkeypatch):
    """Runs a recipe with arguments up to the end of its parsing, in an empty folder with the project's configs."""
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    parse = settings.parse

    def only_parse(*args, **kwargs):
        lock.release(parse(*args, **kwargs)[1].output_dir)
        raise Parsed

    monkeypatch.setattr(settings, "parse", only_parse)

    def run(stem: str, arguments: list[str]) -> None:
        with pytest.raises(Parsed):
            recipe_module(stem).main(arguments)

    return run


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=command, exit_on_error=False)
    module_of(command).add_arguments(parser)
    return parser


def recipe_words(words: list[str]) -> list[str]:
    """What the recipe's script is given for the words of `train`."""
    flags = words[1:]
    if flags[:1] == ["--config"]:
        flags[:2] = [str(recipes.config_file(flags[1], words[0]))]
    return flags


def words_of(line: str) -> list[str]:
    """The words of a command. `[--flag value]` counts as given; `[--key value ...]`, ARGS… stand for any."""
    line = re.sub(r"\[--key value (\.\.\.|…)\]|\bARGS\b|…", "", line)
    line = re.sub(r"\[(--?\w[^\]]*|\w+)\]", r"\1", line)
    return shlex.split(line, comments=True)


@pytest.mark.parametrize(("readme", "line"), EVERY, ids=[f"{name}: {line}" for name, line in EVERY])
def test_a_command_line_parses(readme, line, parse_recipe):
    words = words_of(line)
    scripts = [place for place, word in enumerate(words) if word.startswith("recipes/") and word.endswith(".py")]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets)
    elif Path(words[0]).name == "pip":
        listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.optional-dependencies]")[2]
        extras = {extra for group in re.findall(r"hf_xfmr\[([\w,]+)\]", line) for extra in group.split(",")}
        assert extras <= set(re.findall(r"^(\w+) = \[", listed.partition("\n[")[0], re.MULTILINE))
    elif words[0] == "hf_xfmr" or words[1:3] == ["-m", "hf_xfmr"]:
        command, *arguments = words[1:] if words[0] == "hf_xfmr" else words[3:]
        if command == "--help":
            return
        parser_of(command).parse_args(arguments)
        if command == "check" and arguments[0].endswith(".yaml"):
            parse_recipe(Path(arguments[0]).parent.name, arguments)
        elif command == "train" and arguments[1:] and "--help" not in arguments:
            parse_recipe(recipes.stem_of(arguments[0]), recipe_words(arguments))
        assert [word for word in arguments if word.startswith("recipes/") and not (ROOT / word).exists()] == []
    elif scripts:
        stem = Path(words[scripts[0]]).stem
        assert stem in RECIPES
        arguments = words[scripts[0] + 1 :]
        if arguments:
            parse_recipe(stem, arguments)
    else:
        assert Path(words[0]).name in ("python", "python3", "accelerate", "torchrun"), line


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_configuration_parses_with_the_recipe_of_its_folder(config, parse_recipe):
    given = [] if re.search(r"^dataset:", config.read_text(encoding="utf-8"), re.MULTILINE) else ["--dataset", "x.txt"]
    parse_recipe(config.parent.name, [str(config), *given])
    first = config.read_text(encoding="utf-8").splitlines()[0]
    words = words_of(first.partition("hf_xfmr train ")[2])
    assert recipes.stem_of(words[0]) == config.parent.name
    parse_recipe(config.parent.name, recipe_words(words))


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_links_exist(page):
    named = [ROOT / one for one in in_backticks(page) if re.match(r"(recipes|hf_xfmr|tests|docs)/[\w./-]*$", one)]
    named += [folder(page) / target for target in links(page) if "://" not in target]
    assert [str(one) for one in named if not one.exists() and "_build" not in one.parts] == []


def test_the_readmes_refer_to_each_other():
    assert "(README.zh.md)" in prose("README.md")
    assert "(README.md)" in prose("README.zh.md")


def test_the_tables_of_configurations_name_every_file():
    page = prose("docs/reference/configurations.md")
    listed = set()
    for name, rows in re.findall(r"^\| (\w+) \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n?)+)", page, re.MULTILINE):
        for first, second in re.findall(r"^\| `?([\w-]+)`? \|(?: `([\w-]+)`)?", rows, re.MULTILINE):
            listed.add(f"{recipes.stem_of(first)}/{second}" if second else f"{recipes.stem_of(name)}/{first}")
    assert listed == {f"{path.parent.name}/{path.stem}" for path in CONFIGS}


THEIRS = {  # flags of other programs, and of programs that the pages tell the way from
    *("--max-restarts", "--local-dir", "--key", "--model_name_or_path", "--train_file", "--validation_file"),
    *("--dataset_name", "--max_seq_length", "--overwrite_output_dir", "--pad_to_max_length", "--text-column"),
    *("--target-column", "--data-path", "--trainer", "--push-to-hub", "--username", "--start", "--multi_gpu"),
}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The flags of all commands and recipes, and the keys of all configurations, as flags."""
    found = {option for command in COMMANDS for option in parser_of(command)._option_string_actions}
    found.add(program.TRACEBACK)
    for stem in RECIPES:
        printed = io.StringIO()
        with pytest.raises(SystemExit), contextlib.redirect_stdout(printed):
            recipe_module(stem).main(["--help", "all"])
        found |= set(re.findall(r"--\w+", printed.getvalue()))
    for config in (ROOT / "recipes" / "configs").rglob("*.yaml"):  # accelerate's have settings of its own
        found |= {f"--{key}" for key in re.findall(r"^ *(\w+):", config.read_text(encoding="utf-8"), re.MULTILINE)}
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if "/coming-from/" not in page])
def test_flags_and_settings_are_known(page, known):
    """`--flag` in the prose is a flag of a command or recipe; `key: value` is a setting of a recipe."""
    backticked = in_backticks(page)
    flags = {flag for one in backticked if one.startswith("--") for flag in re.findall(r"--\w[\w-]*", one)} - THEIRS
    setting = re.compile(r"([a-z_0-9]+):( ([\w./-]+|\{.*\}))?")
    settings = {match[1] for match in map(setting.fullmatch, backticked) if match} - {"sample"}
    assert flags - known == set()
    assert {f"--{key}" for key in settings} - known == set()


@pytest.mark.parametrize("page", [page for page in PAGES if "/coming-from/" in page])
def test_what_one_comes_to_is_known(page, known):
    """The same of the right-hand columns, which speak of this project."""
    cells = [row.rpartition(" | ")[2] for row in prose(page).splitlines() if row.startswith("| ")]
    said = {flag for cell in cells for flag in re.findall(r"(?<!\w)--[a-z_]\w+", cell)}
    assert cells
    assert said - known == set()


def test_python_examples_compile_and_name_what_there_is():
    found = 0
    for page in PAGES:
        for block in blocks(page, "python"):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hf_xfmr":
                    assert hasattr(hf_xfmr, node.attr), node.attr
                    found += 1
        for name in re.findall(r"\bhf_xfmr\.(\w+)\(", prose(page)):
            assert hasattr(hf_xfmr, name), name
    assert found
