"""Rows that come from Python and so have no name: read once, and known by what they hold."""

from typing import Any

from datasets import DatasetDict

from .table.arrow import of_object
from .table.reading import Reading, Unnamed


class GivenRows(Unnamed):
    """The splits of a DataFrame or whatever else `of_object` takes, in the place of a dataset's name.

    As a text it is its `name`; a copy of it, as in a record of settings, is that text. Raises `UserError` for what
    can't be read.
    """

    def __init__(self, data: Any):
        self.kind = type(data).__name__
        self.readings: list[Reading] = []
        self.splits = DatasetDict(of_object(data, self.readings))
        self.name = f"a {self.kind}"

    def __str__(self) -> str:
        return self.name

    def __deepcopy__(self, memo: Any) -> str:
        return self.name
