"""Write a model for other programs: a stock checkpoint without our code, an ONNX graph, or a CTranslate2 model.

What is written is run beside our own model, and is kept only if both compute the same.
"""

import importlib
from pathlib import Path

from ..errors import UserError
from ..writing import place, whole_folder

FORMATS = ("stock", "onnx", "ctranslate2")  # a file here each, whose `write` makes it


def export(folder: str | Path, to: str = "stock", *, out: str | Path | None = None) -> tuple[Path, list[str]]:
    """Write the model in `folder` as `to`, one of FORMATS, into the new folder `out` (none: `folder`-`to`).

    Returns that folder and what is to be said of it. Raises `UserError` if `out` is there already, the model is of a
    kind that `to` has no place for, a package is missing, or the written model computes something else than ours. Then,
    and if it is killed, there is no `out`.
    """
    folder = Path(folder)
    out = place(out, "--out") if out is not None else folder.with_name(f"{folder.resolve().name}-{to}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already: remove it, or give another folder with --out")
    with whole_folder(out, instead="give another folder with --out") as made:
        notes = importlib.import_module(f".{to}", __name__).write(folder, made)
    return out, notes
