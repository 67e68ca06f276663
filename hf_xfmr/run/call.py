"""A recipe called from Python: settings are keywords with the flags' names, and rows need no name."""

import enum
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data.given import GivenRows
from ..data.row_hash import hash_of
from ..errors import UserError
from ..hub.client import without_token
from ..plain import without_password
from . import kinds, recipes, said

NOT_TOLD_APART = {"output_dir", "check_only", "strict", "disable_tqdm", "resume"}  # by the name of the folder


class Call:
    """What stands in the place of a command line: `function` of hf_xfmr, called with `settings` and the YAML file over
    which they lie, or the name of a ready one.

    Values are as YAML has them; tuples, NumPy's numbers, members of enumerations and paths will do. A `dataset` that is
    no text is rows. Raises `UserError` for rows that can't be read and for a configuration that is not there.
    """

    def __init__(self, function: str, config: str | os.PathLike | None, settings: Mapping[str, Any]):
        self.function = function
        self.config = None if config is None else recipes.config_file(os.fspath(config), function)
        self.went_to: str | None = None  # the output folder, once it is known
        self.settings = {name: _plain(value) for name, value in settings.items() if name != "dataset"}
        dataset = settings.get("dataset")
        if dataset is not None:
            named = isinstance(dataset, str | os.PathLike)
            self.settings["dataset"] = os.fspath(dataset) if named else _rows(dataset)

    def read(self, taken: Mapping[str, set]) -> dict[str, Any]:
        """The settings, checked. Raises `UserError` for an unknown one, naming the nearest, and for a value of the
        wrong kind."""
        values = {}
        for name, value in self.settings.items():
            if name not in taken:
                near = said.nearest(name, taken, listed=f"hf_xfmr.settings({self.function!r}) lists them")
                raise UserError(f"unknown setting '{name}'{near}")
            if not isinstance(value, GivenRows):
                if isinstance(value, dict) and str in taken[name] and dict not in taken[name]:
                    value = json.dumps(value, ensure_ascii=False)  # class_weights, which are written out
                value = said.plain(value, taken[name], name)
                if fault := kinds.fault(value, taken[name]):
                    raise UserError(f"{name} {fault}")
            values[name] = value
        return values

    def folder(self, values: Mapping[str, Any]) -> str:
        """Where a run with these settings goes if it is not told: the same call goes on, another has its own folder."""
        told = {name: value for name, value in values.items() if name not in NOT_TOLD_APART}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return f"runs/{self.config.stem if self.config else self.function}-{digest}"

    def __str__(self) -> str:
        """As it would be written in Python, for a record: rows by what they are, tokens and passwords left out."""
        words = [] if self.config is None else [f"config={str(self.config)!r}"]
        for name, value in self.settings.items():
            shown = "'…'" if name.endswith("token") else f"<{value}>" if isinstance(value, GivenRows) else repr(value)
            words.append(f"{name}={shown}")
        return without_password(without_token(f"hf_xfmr.{self.function}({', '.join(words)})"))


def _rows(data: Any) -> GivenRows:
    """Rows that are told apart by a hash of all that they hold, as a file is by its name."""
    rows = data if isinstance(data, GivenRows) else GivenRows(data)
    parts = [f"{split} {len(one):,} rows {hash_of(one)}" for split, one in rows.splits.items()]
    rows.name = f"a {rows.kind}: {', '.join(parts)}"
    return rows


def _plain(value: Any) -> Any:
    """A value of Python's as YAML has it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [_plain(one) for one in value]
    return value
