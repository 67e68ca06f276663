"""The check of a recipe's config file, or of a bare file, without training."""

import difflib
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from ..data.regular import read_small
from ..errors import UserError
from ..run import recipes
from ..run.console import say
from .file import check_file


def check_config(config: str | Path, overrides: Sequence[str] = ()) -> None:
    """Run the recipe that a config names up to its first step: the data, the tokenizer, disk, memory and time. Ends the
    program, with exit code 0 if it can be trained. `config` is a .yaml file, or the name of a ready configuration (what
    is there under that name goes first); `overrides` are the recipe's own flags. Raises `UserError` for what is wrong.
    What is neither is a dataset, and `overrides` flags of its data: see `check_file`."""
    path = Path(config)
    if path.suffix.lower() not in recipes.SUFFIXES:
        ready = None if path.exists() else recipes.find(str(config))
        if ready is None:
            _check_dataset(str(config), overrides)
            return
        say(f"check: the ready configuration {recipes.name_of(ready.parent.name)}/{ready.stem}")
        path = ready
    script = find_recipe(path)
    sys.argv = [str(script), str(path), *overrides, "--check_only", "true"]
    runpy.run_path(str(script), run_name="__main__")


def _check_dataset(name: str, words: Sequence[str]) -> None:
    try:
        check_file(name, words)
    except UserError as error:
        near = [] if Path(name).exists() else difflib.get_close_matches(name, recipes.names(), n=1, cutoff=0.8)
        if not near:
            raise
        raise UserError(f"{error}; or did you mean the ready configuration '{near[0]}'?") from error


def find_recipe(config: Path) -> Path:
    """The script that a config's first line names: a recipe of ours (`# hf_xfmr train classify …`), or a file
    (`# python recipes/mine.py …`) seen from here or from a folder above the config, which goes first. Raises
    `UserError` if there is none."""
    first = read_small(config, "config file").partition("\n")[0]
    ours = recipes.stem_named_by(first)
    named = re.search(r"\S+\.py\b", first) if first.startswith("#") else None
    if named is not None:
        for folder in (Path(), *config.resolve().parents):
            if (folder / named[0]).is_file():
                return folder / named[0]
    if ours is not None:
        return recipes.script(ours)
    if named is None:
        raise UserError(f"{config}: the first line must name the recipe, as # hf_xfmr train classify …")
    raise UserError(f"{config}: its recipe {named[0]} is neither here nor in a folder above the config")
