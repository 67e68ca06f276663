"""A search for better settings, called from Python."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..search import page, said
from ..search import search as answer
from ..search.trials import in_words
from . import rows_as_files
from .door import entered
from .report import Report


class HyperparameterSearch:
    """A search that has ended. `sentence` says what it means; `best` and `own` are settings; `trials` has a row for
    each trial, `importance` each setting's share in what the figure varied by; `config` is the file of the best
    settings, which `classify(config=…)` and the others take; `record` is all of result.json; `folder` holds it and the
    page, which `report` shows in a notebook."""

    def __init__(self, folder: Path, record: Mapping[str, Any]):
        self.folder, self.record = folder, record
        self.config = folder / "best.yaml"
        self.sentence = said.sentence(record)
        self.best, self.own = dict(record["best"]), dict(record["own"])
        self.importance = pd.Series(record["importance"], dtype=float)
        rows = [{name: one[name] for name in ("number", "state", "value", "seconds")} | one["settings"]
                for one in record["trials"]]  # fmt: skip
        self.trials = pd.DataFrame(rows).set_index("number")

    @property
    def report(self) -> Report:
        return Report(self.folder / page.NAME, str(self))

    def __repr__(self) -> str:
        return "\n".join(said.ending(self.record))


def hyperparameter_search(
    dataset: Any,
    config: str | os.PathLike | None,
    recipe: str,
    ranges: Mapping[str, Sequence[Any]],
    settings: dict[str, Any],
    **options: Any,
) -> HyperparameterSearch:
    """See `hf_xfmr.hyperparameter_search`."""
    told = dict(settings)
    options |= {"language": told.pop("language", "en"), "ranges": [_in_words(*one) for one in ranges.items()]}
    with entered():
        folder = Path(told.pop("output_dir", None) or rows_as_files.folder_of("search", dataset, config))
        if dataset is not None:
            told["dataset"] = rows_as_files.given(dataset, folder)
        words = in_words(told)
        if config is not None:
            words = [f"--config={os.fspath(config)}", *words]
        record = answer(recipe, words, **options, output_dir=folder)
    return HyperparameterSearch(folder, record)


def _in_words(name: str, values: Sequence[Any]) -> str:
    """A pair (a tuple) as `--range` takes it, or a list to choose from."""
    return f"{name}={(':' if isinstance(values, tuple) else ',').join(map(str, values))}"
