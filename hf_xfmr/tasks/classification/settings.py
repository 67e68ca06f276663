"""What a user may say about the data of a classification."""

from dataclasses import dataclass, field

from ...data.kept_columns import KEEP_TOKENIZED
from ...data.table.settings import TableSettings
from .fit_decision import DecisionSettings
from .kinds import KINDS
from .overlong import STRATEGIES


@dataclass(kw_only=True)
class ClassificationSettings(DecisionSettings, TableSettings):
    """What a recipe's user may say about the data; everything has a default."""

    dataset_config: str | None = field(
        default=None, metadata={"help": "configuration of a Hub dataset, as mrpc of glue"}
    )
    text_column: str | None = field(default=None, metadata={"help": "column of the text; none: found by name"})
    text_pair_column: str | None = field(
        default=None, metadata={"help": "column of a second text, read as segment B; none: single texts"}
    )
    label_column: str | None = field(default=None, metadata={"help": "column of the label; none: found by name"})
    label_columns: str | None = field(
        default=None,
        metadata={"help": "columns of 0 and 1, one for each of several labels, as toxic,insult,threat"},
    )
    label_separator: str | None = field(
        default=None,
        metadata={"help": "what stands between several labels in a text, as | in a|b; none: found out, and said"},
    )
    missing_label: str | None = field(
        default=None, metadata={"help": "a label that means there is none, as -1; none: only empty cells do"}
    )
    drop_unlabelled: bool = field(
        default=False, metadata={"help": "leave out rows without a label instead of stopping at them"}
    )
    problem_type: str | None = field(
        default=None,
        metadata={
            "help": f"{', '.join(KINDS)}; none: decimal numbers are ratings to regress on, lists (written out, too) "
            "are multi-label, the rest is single-label"
        },
    )
    max_length: int | None = field(
        default=None,
        metadata={"help": "longest row in tokens, special tokens included; none: what tokenizer and model can read"},
    )
    over_long: str = field(
        default="head", metadata={"help": f"what is read of a row longer than max_length: {', '.join(STRATEGIES)}"}
    )
    window_stride: int | None = field(
        default=None, metadata={"help": "tokens that neighbouring windows share; none: a quarter of a window"}
    )
    keep_tokenized: bool = field(default=True, metadata={"help": KEEP_TOKENIZED})
    drop_empty: bool = field(
        default=False, metadata={"help": "leave out rows without text instead of stopping at them"}
    )
    validation_fraction: float = field(
        default=0.1, metadata={"help": "share of train that becomes validation where the dataset has none"}
    )
    test_fraction: float = field(
        default=0.1, metadata={"help": "share of train that becomes test where the dataset has none"}
    )
    max_train_rows: int | None = field(
        default=None, metadata={"help": "train on this many rows, chosen by a hash of their text; none: all"}
    )
    rows_per_label: int | None = field(
        default=None, metadata={"help": "train on this many rows of each label, drawn by the seed; none: all"}
    )
    max_train_rows_seed: int | None = field(
        default=None,
        metadata={"help": "another choice of them: by this number, each label with its share; none: by the hash alone"},
    )
    max_validation_rows: int | None = field(default=None, metadata={"help": "the same for validation"})
    max_test_rows: int | None = field(default=None, metadata={"help": "the same for test"})
    folds: int | None = field(
        default=None,
        metadata={
            "help": "cross-validate: as 5, train once for each fifth of the rows without it, in OUTPUT_DIR/fold-N, "
            "then on all rows; ends with figures of all rows, and a page and CSV of labels that look wrong"
        },
    )
    fixed_labels: str | None = field(
        default=None,
        metadata={"help": "a CSV with the column fixed_label, as folds leave one: labels that replace the dataset's"},
    )
