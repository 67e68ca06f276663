"""What a file is: by the bytes it begins with, else by its name, else by what stands in it."""

from pathlib import Path

from .packed import bare

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
WORKBOOKS = (".xlsx", ".ods", ".xls", ".xlsm", ".xlsb")
ARROWS = (".arrow", ".feather")
BY_NAME = {".json": "json", ".jsonl": "lines", ".ndjson": "lines", ".parquet": "parquet"}
BY_NAME |= dict.fromkeys(DELIMITED, "delimited") | dict.fromkeys(WORKBOOKS, "workbook") | dict.fromkeys(ARROWS, "arrow")
BY_NAME |= {".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite", ".duckdb": "duckdb"}
SUFFIXES = tuple(BY_NAME)
# As they are listed in messages.
FORMATS = (
    "csv, tsv, tab, json, jsonl, parquet, arrow, feather, xlsx, ods, xls, sqlite, duckdb (text also packed, as .gz)"
)

MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow", b"FEA1": "arrow", b"\xff\xff\xff\xff": "arrow"}
MAGIC |= {b"SQLite format 3\0": "sqlite", b"PK\x03\x04": "workbook", b"\xd0\xcf\x11\xe0": "workbook"}


def is_table(path: Path) -> bool:
    """Whether the name is one of a table's file, however packed."""
    return bare(path).suffix.lower() in SUFFIXES


def kind_of(name: str, head: bytes) -> str | None:
    """parquet, arrow, sqlite, duckdb, workbook, json, lines or delimited; None: a text of which nothing is promised."""
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[8:12] == b"DUCK":
        return "duckdb"
    return BY_NAME.get(Path(name).suffix.lower())
