"""What a user may say about how a file is written, where it can't be seen, or was seen wrongly."""

from dataclasses import dataclass, field

TEXT_ONLY = ("delimiter", "quotechar", "encoding")


@dataclass(kw_only=True)
class TableSettings:
    """How the files of a dataset are to be read; None: found out. Every task's settings have these."""

    delimiter: str | None = field(
        default=None, metadata={"help": "what stands between the fields of a table, as ';' or tab; none: found"}
    )
    quotechar: str | None = field(
        default=None, metadata={"help": 'what a table\'s fields are quoted with; "": nothing is quoted; none: found'}
    )
    encoding: str | None = field(
        default=None, metadata={"help": "the file's encoding, as windows-1252 or gb18030; none: found"}
    )
    sheet: str | None = field(default=None, metadata={"help": "the sheet of a workbook (.xlsx, .ods, .xls) to read"})
    query: str | None = field(
        default=None, metadata={"help": "the SELECT whose rows are read of a SQLite or DuckDB file"}
    )
    header: bool | None = field(
        default=None,
        metadata={"help": "whether a table's first line names its columns (else column_1, column_2, …); none: found"},
    )
