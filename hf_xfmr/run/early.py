"""Imported first by a recipe's script: answers its `--help` before the imports below it, which take seconds, and says
how memory is to be taken.

What the script says of its flags is read from its source. Of a script that is not understood, and of any other program
that imports a recipe, it does nothing: `settings.parse` answers then.
"""

import os
import sys
from pathlib import Path

from . import help, program, source


def answer() -> None:
    """Show the help that the script asks for which Python was started with, and end; else do nothing."""
    asked, script = help.asked_for(sys.argv[1:]), getattr(sys.modules["__main__"], "__file__", None)
    if asked is None or script is None:
        return
    try:
        known, description = source.of_script(Path(script))
    except source.NotUnderstood:
        return
    program.run(
        lambda: program.show(help.of_flags(known, program=Path(script).name, description=description, asked=asked))
    )


answer()
# Read by PyTorch when it first takes memory: large tensors lie in pages of 2 MB where Linux has them for the asking.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
