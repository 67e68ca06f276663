"""Rows that are given to what trains in processes of its own: as files, for these to read."""

import os
from pathlib import Path
from typing import Any

from ..data.given import GivenRows
from ..data.row_hash import hash_of
from ..writing import folder as make


def folder_of(kind: str, dataset: Any, config: str | os.PathLike | None) -> Path:
    """Where it goes if no `output_dir` is given: the same for the same call."""
    return Path(f"runs/{kind}-{_name(dataset, config)}")


def given(dataset: Any, folder: Path) -> str:
    """What the recipe's `--dataset` takes: the name itself, or a folder within `folder` with a file for each split."""
    if isinstance(dataset, str | os.PathLike):
        return os.fspath(dataset)
    place = make(folder / "data", kind="the output folder", instead="give another output_dir")
    for split, rows in GivenRows(dataset).splits.items():
        rows.to_parquet(str(place / f"{split}.parquet"))
    return str(place)


def _name(dataset: Any, config: str | os.PathLike | None) -> str:
    if config is not None:
        return Path(os.fspath(config)).stem
    if isinstance(dataset, str | os.PathLike):
        return Path(os.fspath(dataset).rpartition(":")[2]).stem
    return str(hash_of(next(iter(GivenRows(dataset).splits.values()))))
