"""No README claim goes stale: commands parse, and what is named exists. Nothing is run."""

import argparse
import ast
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest
from places import ROOT

import hf_xfmr
from hf_xfmr.commands import COMMANDS, module_of
from hf_xfmr.run import settings
from hf_xfmr.training import lock

READMES = ["README.md", "README.zh.md"]
RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.py"))
STARTS = ("make ", "python ", ".venv/bin/", "python3 ", "pip ", "accelerate ", "torchrun ")


def prose(name: str) -> str:
    """A README without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def in_backticks(name: str) -> list[str]:
    """What stands in backticks in a README's prose, line ends as spaces."""
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose(name))]


def blocks(name: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages; "" is a block without one."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for language, block in fenced if language in languages]


def commands(name: str) -> list[str]:
    """The command lines of a README, in blocks and in backticks."""
    lines = [line.strip() for block in blocks(name, "", "bash", "sh") for line in block.splitlines()]
    return [one for one in lines + in_backticks(name) if one.startswith(STARTS)]


EVERY = sorted({(name, one) for name in READMES for one in commands(name) if "<" not in one})  # <name> stands for any
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
    elif words[1:3] == ["-m", "hf_xfmr"]:
        command, *arguments = words[3:]
        parser_of(command).parse_args(arguments)
        if command == "check":
            parse_recipe(Path(arguments[0]).parent.name, arguments)
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
    assert f"python recipes/{config.parent.name}.py recipes/configs/{config.parent.name}/{config.name}" in first


@pytest.mark.parametrize("readme", READMES)
def test_paths_and_links_exist(readme):
    text = prose(readme)
    named = [one for one in in_backticks(readme) if re.match(r"(recipes|hf_xfmr|tests)/[\w./-]*$", one)]
    named += [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert named
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_the_readmes_refer_to_each_other():
    assert "(README.zh.md)" in prose("README.md")
    assert "(README.md)" in prose("README.zh.md")


def test_the_tables_of_configurations_name_files():
    tables = re.findall(r"^\| (\w+) \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", prose("README.md"), re.MULTILINE)
    listed = {
        f"{name}/{config}"
        for name, rows in tables
        if name in RECIPES
        for config in re.findall(r"^\| `([\w-]+)`", rows, re.MULTILINE)
    }
    assert len(listed) > 5
    assert [one for one in sorted(listed) if not (ROOT / "recipes" / "configs" / f"{one}.yaml").exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_flags_and_settings_are_known(readme, capsys):
    """`--flag` in the prose is a flag of a command or recipe; `key: value` is a setting of a recipe."""
    known = {option for command in COMMANDS for option in parser_of(command)._option_string_actions}
    for stem in RECIPES:
        with pytest.raises(SystemExit):
            recipe_module(stem).main(["--help", "all"])
        known |= set(re.findall(r"--\w+", capsys.readouterr().out))
    for config in (ROOT / "recipes" / "configs").rglob("*.yaml"):  # accelerate's have settings of its own
        known |= {f"--{key}" for key in re.findall(r"^ *(\w+):", config.read_text(encoding="utf-8"), re.MULTILINE)}
    backticked = in_backticks(readme)
    flags = {flag for one in backticked if one.startswith("--") for flag in re.findall(r"--[\w-]+", one)} - {"--key"}
    flags -= {"--max-restarts"}  # torchrun's
    setting = re.compile(r"([a-z_0-9]+):( ([\w./-]+|\{.*\}))?")
    settings = {match[1] for match in map(setting.fullmatch, backticked) if match} - {"sample"}
    assert flags | settings
    assert flags - known == set()
    assert {f"--{key}" for key in settings} - known == set()


@pytest.mark.parametrize("readme", READMES)
def test_python_examples_compile_and_name_what_there_is(readme):
    found = 0
    for block in blocks(readme, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hf_xfmr":
                assert hasattr(hf_xfmr, node.attr), node.attr
                found += 1
    for name in re.findall(r"\bhf_xfmr\.(\w+)\(", prose(readme)):
        assert hasattr(hf_xfmr, name), name
    assert found
