"""What a user may say about questions, contexts and their answers."""

from dataclasses import dataclass, field

from ...data.table.settings import TableSettings

FAULTY = ("error", "mend", "leave_out")
METRICS = ("auto", "squad", "cmrc")
LONGEST_ROW = 384  # tokens: what SQuAD's results of BERT were made with (Devlin et al. 2018)


@dataclass(kw_only=True)
class AnsweringSettings(TableSettings):
    """What a recipe's user may say about the data; everything has a default."""

    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset"})
    question_column: str | None = field(default=None, metadata={"help": "column of the question; none: found by name"})
    context_column: str | None = field(
        default=None, metadata={"help": "column of the text that holds the answer; none: found by name"}
    )
    answer_column: str | None = field(
        default=None,
        metadata={
            "help": "column of the answer, copied from the context, empty where it has none; none: found by name"
        },
    )
    start_column: str | None = field(
        default=None,
        metadata={"help": "column of the number of characters before the answer; none: found by name, if there is one"},
    )
    faulty_answers: str = field(
        default="error",
        metadata={
            "help": "of answers that don't stand where they should, or at several places: error stops; mend takes the "
            "place nearest to the one told, else the first, and leaves out those that stand nowhere; leave_out leaves "
            "all of them out"
        },
    )
    max_length: int | None = field(
        default=None,
        metadata={
            "help": f"longest row in tokens, question and special tokens included; none: {LONGEST_ROW}, or what the "
            "model reads; longer contexts are read in windows"
        },
    )
    window_stride: int | None = field(
        default=None,
        metadata={
            "help": "tokens of the context that neighbouring windows share; none: a third of a window, at most 128"
        },
    )
    max_answer_length: int = field(default=30, metadata={"help": "longest answer in tokens that is given"})
    answer_metric: str = field(
        default="auto",
        metadata={
            "help": "how answers are compared: squad (words, as SQuAD's script), cmrc (Chinese characters, as CMRC "
            "2018's); auto: cmrc where most letters are Chinese"
        },
    )
    validation_fraction: float = field(
        default=0.1, metadata={"help": "share of train's contexts that become validation where the dataset has none"}
    )
    test_fraction: float = field(
        default=0.1, metadata={"help": "share of train's contexts that become test where the dataset has none"}
    )
    max_train_rows: int | None = field(
        default=None, metadata={"help": "train on this many questions, chosen by a hash of their text; none: all"}
    )
    max_validation_rows: int | None = field(default=None, metadata={"help": "the same for validation"})
    max_test_rows: int | None = field(default=None, metadata={"help": "the same for test"})
