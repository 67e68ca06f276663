"""What a column of texts holds: whole numbers, numbers, truth values, or texts."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

# How a missing value is written in a column of numbers. In a column of texts these are texts.
MISSING = pa.array(["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none"])
WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"
NUMBER = r"^[+-]?((0|[1-9][0-9]{0,14})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?[Ii]nf(inity)?$"
BOOLEAN = r"^([Tt]rue|[Ff]alse|TRUE|FALSE)$"
KINDS = ((WHOLE, pa.int64()), (NUMBER, pa.float64()), (BOOLEAN, pa.bool_()))
FIRST = 1000  # values that decide of most columns that they are texts


def typed(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """The same tables, whose columns of texts have one type in all of them: int64 if every value is a whole number,
    else float64 if every value is a number, else bool, else text exactly as written ("NA" and "007" too)."""
    tables = list(tables)
    columns = [dict(zip(table.column_names, table.columns, strict=True)) for table in tables]
    for name in dict.fromkeys(name for own in columns for name in own):
        among = [own for own in columns if name in own]
        kind = type_of([own[name] for own in among])
        if kind != pa.string():
            for own in among:
                own[name] = as_type(own[name], kind)
    return [pa.table(own) if own else table for own, table in zip(columns, tables, strict=True)]


def type_of(columns: Sequence[pa.ChunkedArray]) -> pa.DataType:
    """The narrowest type that holds every value of the columns and loses nothing of any."""
    chunks = [chunk for column in columns for chunk in column.chunks if len(chunk)]
    candidates = list(KINDS)
    any_value = False
    for part in ([chunks[0].slice(0, FIRST)] if chunks else []) + chunks:
        values = pc.utf8_trim_whitespace(part)
        values = values.filter(pc.invert(pc.is_in(values, MISSING)))
        any_value = any_value or len(values) > 0
        candidates = [
            (pattern, kind)
            for pattern, kind in candidates
            if pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False
        ]
        if not candidates:
            return pa.string()
    return candidates[0][1] if any_value else pa.string()


def as_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column's texts as values of that type; MISSING as None."""
    if kind == pa.string():
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(trimmed, MISSING), pa.scalar(None, pa.string()), trimmed).cast(kind)
