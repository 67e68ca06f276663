"""A learning curve called from Python."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..learning_curve import curve as answer
from ..learning_curve import page, said
from ..search.trials import in_words
from . import rows_as_files
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
        folder = Path(told.pop("output_dir", None) or rows_as_files.folder_of("curve", dataset, config))
        if dataset is not None:
            told["dataset"] = rows_as_files.given(dataset, folder)
        begins = "classify" if config is None else os.fspath(config)
        options: dict[str, Any] = {"sizes": sizes, "repeats": repeats, "least_steps": least_steps}
        record = answer(begins, in_words(told), **options, output_dir=folder, language=language)
    return Curve(folder, record)
