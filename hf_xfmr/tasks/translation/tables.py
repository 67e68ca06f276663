"""Tables of pairs, with the names of their columns or without."""

from datasets import DatasetDict

from ...data.sources import load_dataset_dict
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...data.wording import listed
from ...errors import UserError
from . import languages

WITHOUT = (
    "columns without names are called column_1, column_2, … after --source_lang and --target_lang, or, where there are "
    "two, as the languages given there"
)


def load(
    dataset: str | DatasetDict,
    config: str | None,
    source: str | None,
    target: str | None,
    table: TableSettings | None,
    readings: list[Reading],
) -> DatasetDict:
    """The splits of a table, whose first pair is never taken for the names of its columns. Raises UserError, which
    asks, where that or which column is translated is not known."""
    try:
        loaded = load_dataset_dict(dataset, config=config, table=table, readings=readings)
    except UserError as error:
        if "--header true or --header false" in str(error):
            raise UserError(f"{error}; {WITHOUT}") from None
        raise
    for reading in readings:
        if reading.header is None:
            continue
        known = languages.are_names(reading.columns) or {source, target} & set(reading.columns)
        if reading.header and not known and (table is None or table.header is None):
            raise UserError(
                f"{reading.path}: the first line, {listed(reading.columns)}, could be the names of the columns or a "
                f"pair; say which with --header true or --header false; {WITHOUT}"
            )
    if any(reading.header is False for reading in readings):
        return _with_names(loaded, readings[0].path, source, target)
    return loaded


def _with_names(loaded: DatasetDict, path: str, source: str | None, target: str | None) -> DatasetDict:
    """Tables without names of columns: those of two with texts are the languages told, in this order."""
    rows = loaded["train"] if "train" in loaded else next(iter(loaded.values()))
    if None not in (source, target) and {source, target} <= set(rows.column_names):
        return loaded
    texts = [name for name in rows.column_names if rows.features[name].dtype in ("string", "large_string")]
    if len(texts) == 2 and source and target and not {source, target} & set(rows.column_names):
        names = dict(zip(texts, (source, target), strict=True))
        return DatasetDict({split: one.rename_columns(names) for split, one in loaded.items()})
    shown = texts if len(texts) > 1 else rows.column_names
    if len(shown) < 2:
        raise UserError(f"{path}: has one column alone; a pair is of two texts")
    also = ", or the languages of both in their order, as --source_lang en --target_lang fr" if len(texts) == 2 else ""
    raise UserError(
        f"{path}: its {len(rows.column_names)} columns have no names, and which is translated is not known: say it "
        f"with --source_lang {shown[0]} --target_lang {shown[1]}{also}"
    )
