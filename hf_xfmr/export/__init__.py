"""Write a model for other programs: a stock checkpoint without our code, an ONNX graph, or a CTranslate2 model.

What is written is run beside our own model, and is kept only if both compute the same.
"""

import importlib
from pathlib import Path

from ..engines import manifest
from ..errors import UserError
from ..writing import place, whole_folder

FORMATS = ("stock", "onnx", "ctranslate2")  # a file here each, whose `write` makes it


def export(
    folder: str | Path,
    to: str = "stock",
    *,
    out: str | Path | None = None,
    int8: bool = False,
    int8_embeddings: bool = False,
    max_loss: float | None = None,
    file: str | Path | None = None,
) -> tuple[Path, list[str]]:
    """Write the model in `folder` as `to`, one of FORMATS, into the new folder `out` (none: `folder`-`to`).

    With `int8` its matrix products are of 8 bits, with `int8_embeddings` the word vectors too, and the run's validation
    rows (or those of `file`) are answered by both: what is lost is said and written to int8.md, and more than
    `max_loss` points of the main figure is an error. Returns that folder and what is to be said of it. Raises
    `UserError` if `out` is there already, the model is of a kind that `to` has no place for, a package is missing, or
    the written model computes something else than ours. Then, and if it is killed, there is no `out`.
    """
    others = {"--int8_embeddings": int8_embeddings, "--max_loss": max_loss is not None, "--file": file is not None}
    if not int8 and any(others.values()):
        raise UserError(f"{next(name for name, told in others.items() if told)} is said of int8: give --int8 too")
    folder = Path(folder)
    out = place(out, "--out") if out is not None else folder.with_name(f"{folder.resolve().name}-{to}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already: remove it, or give another folder with --out")
    writer = importlib.import_module(f".{to}", __name__)
    if not int8:
        with whole_folder(out, instead="give another folder with --out") as made:
            notes = writer.write(folder, made)
        return out, notes
    from .int8 import Int8, compare, ready

    asked = Int8(int8_embeddings, max_loss, file)
    task, rows = ready(folder, asked, to)
    with whole_folder(out, instead="give another folder with --out") as made:
        notes = writer.write(folder, made, int8=asked)
        notes = [*compare(folder, made, task, rows, asked, to), *notes]
        manifest.renew(made)  # the page was written
    return out, notes
