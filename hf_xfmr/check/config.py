"""The check of a recipe's config file, or of a bare file, without training."""

import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from ..data.regular import read_small
from ..errors import UserError
from .file import check_file


def check_config(config: str | Path, overrides: Sequence[str] = ()) -> None:
    """Run the recipe that a config names up to its first step: the data, the tokenizer, disk, memory and time. Ends the
    program, with exit code 0 if it can be trained. `overrides` are the recipe's own flags. Raises `UserError` for what
    is wrong. What is no .yaml is a dataset, and `overrides` flags of its data: see `check_file`."""
    if Path(config).suffix.lower() not in (".yaml", ".yml"):
        check_file(str(config), overrides)
        return
    script = find_recipe(Path(config))
    sys.argv = [str(script), str(config), *overrides, "--check_only", "true"]
    runpy.run_path(str(script), run_name="__main__")


def find_recipe(config: Path) -> Path:
    """The script that a config's first line names (`# python recipes/classify_bert.py …`), seen from here or from a
    folder above the config. Raises `UserError` if there is none."""
    first = read_small(config, "config file").partition("\n")[0]
    named = re.search(r"\S+\.py\b", first) if first.startswith("#") else None
    if named is None:
        raise UserError(f"{config}: the first line must name the recipe, as # python recipes/classify_bert.py …")
    for folder in (Path(), *config.resolve().parents):
        if (folder / named[0]).is_file():
            return folder / named[0]
    raise UserError(f"{config}: its recipe {named[0]} is neither here nor in a folder above the config")
