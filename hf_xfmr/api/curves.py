"""A learning curve called from Python."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.given import GivenRows
from ..data.row_hash import hash_of
from ..learning_curve import curve as answer
from ..learning_curve import page, said
from ..search.trials import in_words
from ..writing import folder as make
from .door import entered
from .report import Report


class Curve:
    """A curve that has ended. `sentence` says what it means, `table` has a row for each number of train rows, `runs`
    one for each run, `gain` what as many rows again would bring (None where too few sizes were trained), `record` all
    of curve.json; `folder` holds it and the page, which `report` shows in a notebook."""

    def __init__(self, folder: Path, record: Mapping[str, Any]):
        self.folder, self.record = folder, record
        self.sentence, self.gain = record["sentence"], record["gain"]
        self.runs = pd.DataFrame(record["runs"])
        self.table = pd.DataFrame(said.table(record)).set_index("rows")

    @property
    def report(self) -> Report:
        return Report(self.folder / page.NAME, str(self))

    def __repr__(self) -> str:
        return "\n".join(said.lines(self.record))


def curve(
    dataset: Any,
    config: str | os.PathLike | None,
    sizes: Sequence[int],
    repeats: int,
    least_steps: int,
    settings: dict[str, Any],
) -> Curve:
    """See `hf_xfmr.curve`."""
    told = dict(settings)
    language = told.pop("language", "en")
    with entered():
        folder = Path(told.pop("output_dir", None) or f"runs/curve-{_name(dataset, config)}")
        if dataset is not None:
            named = isinstance(dataset, str | os.PathLike)
            told["dataset"] = os.fspath(dataset) if named else str(_written(dataset, folder))
        begins = "classify" if config is None else os.fspath(config)
        options: dict[str, Any] = {"sizes": sizes, "repeats": repeats, "least_steps": least_steps}
        record = answer(begins, in_words(told), **options, output_dir=folder, language=language)
    return Curve(folder, record)


def _name(dataset: Any, config: str | os.PathLike | None) -> str:
    if config is not None:
        return Path(os.fspath(config)).stem
    if isinstance(dataset, str | os.PathLike):
        return Path(os.fspath(dataset).rpartition(":")[2]).stem
    return str(hash_of(next(iter(GivenRows(dataset).splits.values()))))


def _written(dataset: Any, folder: Path) -> Path:
    """Rows as files, for the runs' own processes."""
    place = make(folder / "data", kind="the output folder", instead="give another output_dir")
    for split, rows in GivenRows(dataset).splits.items():
        rows.to_parquet(str(place / f"{split}.parquet"))
    return place
