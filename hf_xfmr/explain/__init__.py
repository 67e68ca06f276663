"""The three architectures explained from their own source: one page with the code, the shapes and the pictures."""

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..writing import folder, place, whole
from .outline import CHAPTERS


def explain(
    chapters: Sequence[str] = (), *, language: str = "en", out: str | Path = "runs/explain", bert: str | None = None
) -> str:
    """Write `explain-LANGUAGE.html` into the folder `out`: the `chapters` (none: all), in English or Chinese (en, zh),
    with the attention of `bert`, a folder, sample: or Hub name. Returns the path and what is in it, in a line.

    Raises `UserError` for an unknown chapter, and a folder that can't be written.
    """
    from . import page  # with matplotlib and the models, which a list of the chapters does not need

    unknown = [name for name in chapters if name not in CHAPTERS]
    if unknown:
        raise UserError(f"there is no chapter '{unknown[0]}': the page has {', '.join(CHAPTERS)}")
    shown = [name for name in CHAPTERS if name in chapters or not chapters]
    out = place(out, "--out")
    words = [*chapters, "--language", language, *(["--bert", bert] if bert else [])]
    above = next((one for one in (Path(out), *Path(out).absolute().parents) if one.exists()), Path())
    if not above.is_dir():
        raise UserError(f"{out} can't be made a folder ({above} is a file): give another --out")
    folder(out, instead="give another --out")
    began = time.perf_counter()
    html = page.render(
        shown,
        language,
        command=f"python -m hf_xfmr explain {shlex.join(words)}",
        bert=bert or (_default(language, "bert") if "bert" in shown else None),
        finder=None if bert or "bert" not in shown else _default(language, "finder"),
    )
    path = Path(out) / f"explain-{language}.html"
    with whole(path, instead="give another --out") as aside:
        aside.write_text(html, encoding="utf-8")
    parts = sum(len(CHAPTERS[name]) for name in shown)
    return f"{path}: {parts} parts in {time.perf_counter() - began:.0f} seconds"


def _default(language: str, key: str) -> str | None:
    """The BERT a language's page draws, or asks, unless told otherwise; None, and a line that says so, if it can't be
    had."""
    from ..run import loading
    from . import page

    name = page.texts(language)["examples"][key]
    try:
        return name and loading.checkpoint(name) and name
    except UserError as error:
        print(f"{error}; drawn instead is the attention of a small BERT that learns on the spot", file=sys.stderr)
        return None
