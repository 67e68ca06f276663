"""What a user may say of a corpus, and the documents it gives: texts that can be read any number of times."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from .kept_columns import KEEP_TOKENIZED
from .table.settings import TableSettings

# What recipes' --help says of `dataset`.
CORPUS = (
    "sample:NAME; a .txt file (one text; its lines with --lines, its parts with --separator); a folder of .txt files "
    "(a text each, in subfolders too, packed or not, each in its own encoding); a CSV, TSV, JSON(L), Parquet or other "
    "table with a column of texts, or a JSON list of texts; a table of instructions or conversations with "
    "--join_columns or --text_template; or a dataset on the Hub"
)


@dataclass(kw_only=True)
class DocumentSettings(TableSettings):
    """Which texts a corpus consists of; everything has a default."""

    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset"})
    text_column: str | None = field(default=None, metadata={"help": "column of the texts; none: found by name"})
    join_columns: str | None = field(
        default=None,
        metadata={
            "help": "columns that make one text together, as instruction,input,output; missing ones are left out"
        },
    )
    column_separator: str = field(
        default="\n\n", metadata={"help": r"what stands between joined columns, as '\n'; left out: a blank line"}
    )
    text_template: str | None = field(
        default=None,
        metadata={
            "help": r"how a text is made of columns, as '{question}\n{answer}'; of a column of messages, how each is "
            "written, as '{role}: {content}'"
        },
    )
    lines: bool = field(default=False, metadata={"help": ".txt: each line is a document (left out: each file is one)"})
    separator: str | None = field(
        default=None, metadata={"help": '.txt: the line that separates documents, as ---; "": a blank line'}
    )
    join: str | None = field(
        default=None, metadata={"help": r"make one text of each split's documents, with this between them, as '\n'"}
    )
    streaming: bool = field(
        default=False,
        metadata={
            "help": "read the corpus again for each epoch, in its order, instead of holding it (needs max_steps)"
        },
    )
    keep_tokenized: bool = field(default=True, metadata={"help": KEEP_TOKENIZED})
    validation_fraction: float = field(
        default=0.1,
        metadata={
            "help": "share of train that becomes validation where there is none: documents by a hash of their "
            "text, or the end of a single text"
        },
    )
    max_train_documents: int | None = field(
        default=None, metadata={"help": "read only the first so many of train, before any join; none: all"}
    )
    max_validation_documents: int | None = field(
        default=None, metadata={"help": "the same for validation (also where it is taken from train) and test"}
    )


class Documents:
    """Texts that can be read any number of times, each time from the first on. Those without a character (other than
    white space) are left out, and counted in `empty` whenever they are read. `said` gives what is to be reported of
    the last reading, `lacks` what a text has not that is left out."""

    def __init__(
        self,
        read: Callable[[], Iterable[str | None]],
        said: Callable[[], list[str]] = list,
        lacks: str = "a character",
    ):
        self.read, self.said, self.lacks = read, said, lacks
        self.empty = 0

    def __iter__(self) -> Iterator[str]:
        self.empty = 0
        for text in self.read():
            if text is None or not text.strip():
                self.empty += 1
            else:
                yield text

    def where(self, keep: Callable[[str], bool]) -> "Documents":
        return Documents(lambda: filter(keep, self), lacks=self.lacks)

    def first(self, limit: int | None) -> "Documents":
        return self if limit is None else Documents(lambda: islice(self.read(), limit), self.said, self.lacks)


def unescaped(text: str) -> str:
    r"""The text with `\n` and `\t`, as they are written in a shell, as what they stand for; `\\` is a backslash."""
    parts = [part.replace("\\n", "\n").replace("\\t", "\t") for part in text.split("\\\\")]
    return "\\".join(parts)
