"""A model as a function of a batch, for what deals out rows itself: `datasets`, Ray Data, Spark, or pandas alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..data.wording import listed
from ..errors import UserError
from .answers import answer, load
from .row import row_of

if TYPE_CHECKING:
    from ..tasks.task import Predictor


class Predict:
    """`Predict(folder)(batch)` gives the batch back with the answers' columns: `label`, `probability` and `p_<label>`
    of a classifier (as `predict` writes into a table), `value` of ratings, `entities` of a tagger; and `error`, a text
    where a row has no answer, else None.

    `batch` is a mapping of columns (lists or NumPy arrays of equal length) or a pandas DataFrame; what comes back is of
    the same kind, a column of the mapping a list, or where the texts are an array, an array. The model is loaded when
    the first batch comes, once in each process, so that the object itself may be sent to many. `prefix` stands before
    the new names. Other options are those of `hf_xfmr.predict.load`: temperature, all_probabilities, engine,
    abstain_below. Raises `UserError` for a column that is not there, or that the batch has already.
    """

    def __init__(
        self,
        model: str,
        *,
        text_column: str = "text",
        text_pair_column: str | None = None,
        prefix: str = "",
        batch_size: int = 64,
        **options: Any,
    ):
        self.model, self.text_column, self.text_pair_column = str(model), text_column, text_pair_column
        self.prefix, self.batch_size, self.options = prefix, batch_size, options
        self._predictor: Predictor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_predictor": None}  # weights are read where they are used

    def __call__(self, batch: Any) -> Any:
        """The batch with the answers beside its rows."""
        pairs = None if self.text_pair_column is None else self._column(batch, self.text_pair_column)
        found = self._answers(self._column(batch, self.text_column), pairs)
        columns = {f"{self.prefix}{name}": [one.get(name) for one in found] for name in self._names()}
        if taken := [name for name in columns if name in batch]:
            raise UserError(
                f"the batch has a column {listed(taken)} already: rename it, or give prefix='predicted_' to Predict"
            )
        if not isinstance(batch, Mapping) and hasattr(batch, "assign"):
            return batch.assign(**columns)
        texts = batch[self.text_column]
        if hasattr(texts, "dtype"):
            import numpy as np

            columns = {name: _array(np, values) for name, values in columns.items()}
        return {**batch, **columns}

    def _column(self, batch: Any, name: str) -> list:
        if name not in batch:
            raise UserError(f'the batch has no column "{name}": it has {listed(map(str, batch))}')
        return list(batch[name])

    def _names(self) -> list[str]:
        assert self._predictor is not None
        return [*(self._predictor.columns or ["entities"]), "error"]

    def _answers(self, texts: list, pairs: list | None) -> list[dict]:
        if self._predictor is None:
            self._predictor = load(self.model, **self.options)
        both = zip(texts, [None] * len(texts) if pairs is None else map(_text, pairs), strict=True)
        rows = [row_of(str(number), _text(text), second) for number, (text, second) in enumerate(both)]
        answers = answer(self._predictor, rows, self.batch_size)
        return answers if self._predictor.columns is None else [self._predictor.flat(one) for one in answers]


def _text(value: Any) -> str:
    """A cell's text; of what is none, as pandas' NaN, the empty one, which has no answer."""
    return value if isinstance(value, str) else ""


def _array(np: Any, values: list) -> Any:
    """Numbers as float64, all else as objects."""
    if values and all(isinstance(one, int | float) for one in values):
        return np.array(values, float)
    found = np.empty(len(values), object)
    found[:] = values
    return found
