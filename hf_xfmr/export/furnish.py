"""What an exported folder holds beside the model: a tokenizer that stands alone, how it is to be used, the manifest."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from ..data.regular import read_json
from ..engines import ctranslate2, manifest, tokens
from ..engines.config import positions
from ..errors import UserError
from ..hub import dual
from ..run import loading
from ..tasks.translation.tokenizer_pair import TARGET_FOLDER
from . import calibrated, readme, real_rows

SAID = ("The quick brown fox jumps, 12.5 times?", "Ünïcode, naïve café", "机器学习很有趣。", "a" * 50 + " \t\n b")


def furnish(
    kind: dual.Kind, folder: Path, out: Path, *, engine: str, temperature: float = 1.0, precision: str = "float32"
) -> None:
    """Complete the files of an export in `out` of the run in `folder`; what the model itself is made of is there.

    `temperature` is what its logits were divided by. The manifest comes last: no file may change after it.
    """
    if engine != "ctranslate2":  # whose config.json is its own
        calibrated.say_in_config(out, temperature)
    longest = _longest(folder)
    _tokenizer(folder, out, longest)
    _promise(folder, out)
    target = TARGET_FOLDER if (out / TARGET_FOLDER).is_dir() else "marian" if (out / "source.spm").is_file() else ""
    if target == TARGET_FOLDER:
        _tokenizer(folder / TARGET_FOLDER, out / TARGET_FOLDER, longest)
    config = json.loads((out / (ctranslate2.CONFIG if engine == "ctranslate2" else "config.json")).read_text("utf-8"))
    page = readme.text(
        folder.resolve().name, engine, kind.auto_class, config, longest=longest, mask=_mask(out), target=target
    )
    (out / "README.md").write_text(page, encoding="utf-8")
    manifest.write(
        out,
        {
            "engine": engine,
            "head": kind.auto_class,
            "class": kind.stock_class,
            "precision": precision,
            "columns": _columns(folder),
            "from": {
                "folder": folder.resolve().name,
                "class": kind.own_class,
                "weights": manifest.weights_hash(folder),
            },
        },
    )


def _promise(folder: Path, out: Path) -> None:
    """Of the run's report what it promised of answers that may be unsure, which `predict` says beside its own."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        promise = {name: report[name] for name in ("split", "coverage")}
    except (OSError, ValueError, LookupError, TypeError):  # not a run's folder, or of another task
        return
    (out / "report.json").write_text(json.dumps(promise) + "\n", encoding="utf-8")


def _tokenizer(folder: Path, out: Path, longest: int) -> None:
    """The tokenizer as transformers makes it of its files, in one that `tokenizers` reads alone, and in its config what
    a row may be long, and what it is made of. One without a backend of that kind (Marian's) stays as it is."""
    path = out / "tokenizer_config.json"
    if not path.is_file():
        return
    told = json.loads(path.read_text(encoding="utf-8"))
    told["model_max_length"] = min(longest, told.get("model_max_length") or longest)
    tokenizer: Any = loading.from_pretrained(AutoTokenizer, str(folder))
    if getattr(tokenizer, "backend_tokenizer", None) is not None:
        told["model_input_names"] = list(tokenizer.model_input_names)
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.no_truncation()
        backend.save(str(out / "tokenizer.json"))
    path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if getattr(tokenizer, "backend_tokenizer", None) is not None:
        _compare(tokenizer, out, [row[0] for row in real_rows.texts(folder)[0]])


def _columns(folder: Path) -> dict[str, str]:
    """The columns that the run was trained on, by which `predict` finds those of a file."""
    path = folder / "run.json"
    columns = read_json(path, "record of a run").get("columns") if path.is_file() else None
    return columns if isinstance(columns, dict) else {}


def _mask(out: Path) -> str | None:
    path = out / "tokenizer_config.json"
    found = json.loads(path.read_text(encoding="utf-8")).get("mask_token") if path.is_file() else None
    return found.get("content") if isinstance(found, dict) else found


def _longest(folder: Path) -> int:
    """The tokens of a row: as it was trained, or as many as the model has positions for."""
    config = dual.read_config(folder)
    most = positions(config)
    return min((config.get("text_window") or {}).get("max_length") or most, most)


def _compare(tokenizer: Any, out: Path, texts: list[str]) -> None:
    alone = tokens.load(out)
    for text in (*SAID, *texts):
        if tokenizer(text, verbose=False)["input_ids"] != alone(text)["input_ids"]:
            raise UserError(
                f"{type(tokenizer).__name__} reads {text[:40]!r} otherwise than its tokenizer.json does, so that only "
                "Python with transformers could use it; nothing was written"
            )
