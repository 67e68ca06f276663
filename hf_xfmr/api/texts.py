"""Texts as Python has them: one, a list, a Series, or a table with a column of them."""

from typing import Any

import numpy as np
import pandas as pd

from ..data.given import GivenRows
from ..errors import UserError
from ..predict.row import Columns, Row
from ..predict.rows import of_dicts


def texts_of(texts: Any, *, gaps: bool = False) -> list:
    """The texts, one after another; with `gaps` some may be missing. Raises `UserError` for what is no text."""
    given = [texts] if isinstance(texts, str) else list(texts)
    for place, text in enumerate(given):
        if not isinstance(text, str) and not (gaps and _is_missing(text)):
            raise UserError(f"text {place + 1} is no text but {type(text).__name__}: give a text or a list of them")
    return [text if isinstance(text, str) else None for text in given]


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _is_column(texts: Any) -> bool:
    """Whether they are texts without the columns of a table."""
    if isinstance(texts, list | tuple):
        return not any(isinstance(one, dict) for one in texts)
    return isinstance(texts, np.ndarray | pd.Index | str) or type(texts).__name__ == "Series"  # pandas', polars'


def rows_of(texts: Any, known: dict[str, str], text_column: str | None, text_pair_column: str | None) -> list[Row]:
    """The texts as `predict` reads them; of a table the columns told, or else those `known` of the run's dataset."""
    if _is_column(texts):
        if text_column or text_pair_column:
            raise UserError(
                "text_column and text_pair_column are for tables, and these are single texts: leave them out"
            )
        return list(of_dicts(({"text": text} for text in texts_of(texts, gaps=True)), "texts"))
    if not isinstance(texts, dict) and hasattr(texts, "__len__") and not len(texts):
        return []
    splits = GivenRows(texts).splits
    if len(splits) > 1:
        raise UserError(f"the texts have the splits {', '.join(splits)}: give the rows of one")
    (table,) = splits.values()
    told = text_column or text_pair_column or not {*known.values()} - {known.get("label")} <= {*table.column_names}
    columns = Columns(text_column, text_pair_column) if told else Columns(known.get("text"), known.get("text_pair"))
    return list(of_dicts(table, "the table", columns))  # type: ignore[arg-type]


def index_of(texts: Any) -> Any:
    """The index of a DataFrame or Series of pandas'; None: rows are counted."""
    return texts.index if isinstance(texts, pd.DataFrame | pd.Series) else None
