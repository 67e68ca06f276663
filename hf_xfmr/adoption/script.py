"""Run a script that was written for stock classes on ours, in this process."""

import os
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import transformers
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

from ..errors import UserError
from ..registration import config_classes
from . import adopt, release


def _names_of_stock() -> re.Pattern:
    """Names of stock's modules that mean nothing here: the words of the key tables' left sides that look like code."""
    words: set[str] = {r"encoder\.layer\b", r"\bwte\b", r"\bwpe\b"}
    for config_class in config_classes():
        for entry in get_checkpoint_conversion_mapping(config_class.model_type):
            there, here = (
                set(re.findall(r"[A-Za-z_0-9]{3,}", " ".join(patterns)))
                for patterns in (entry.source_patterns, entry.target_patterns)
            )
            words |= {rf"\b{word}\b" for word in there - here if re.search(r"[A-Z_0-9]", word)}
    return re.compile("|".join(sorted(words)))


def run_script(script: str | Path, arguments: Sequence[str] = ()) -> None:
    """Run a Python script with these arguments, as `python SCRIPT …` would, while our classes stand in for stock's.

    A script that names a part of stock's models which ours have under another name runs on stock's, and is told of.
    Raises `UserError` for a script that can't be read.
    """
    script = Path(script)
    try:
        text = script.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{script} can't be read ({error.strerror}): name a Python script") from None
    for number, line in enumerate(text.splitlines(), 1):
        found = _names_of_stock().search(line.partition("#")[0])
        if found:
            print(
                f"hf_xfmr: {script}, line {number}, names {found[0]!r}, a part of stock's models that ours have under "
                "another name: the script runs on stock's",
                file=sys.stderr,
            )
            break
    else:
        adopt()
    sys.argv = [str(script), *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    transformers.utils.logging.enable_progress_bar()
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        release()
