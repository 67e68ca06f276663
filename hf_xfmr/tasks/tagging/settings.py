"""What a user may say about the data of a tagging."""

from dataclasses import dataclass, field

from ...data.kept_columns import KEEP_TOKENIZED
from .layouts import LayoutSettings


@dataclass(kw_only=True)
class TaggingSettings(LayoutSettings):
    """What a recipe's user may say about the data; everything has a default."""

    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset"})
    max_length: int | None = field(
        default=None,
        metadata={"help": "longest row in tokens, special tokens included; longer sentences go on in another row"},
    )
    keep_tokenized: bool = field(default=True, metadata={"help": KEEP_TOKENIZED})
    validation_fraction: float = field(
        default=0.1, metadata={"help": "share of train that becomes validation where the dataset has none"}
    )
    test_fraction: float = field(
        default=0.1, metadata={"help": "share of train that becomes test where the dataset has none"}
    )
    max_train_rows: int | None = field(
        default=None, metadata={"help": "train on this many sentences, chosen by a hash of their text; none: all"}
    )
    max_validation_rows: int | None = field(default=None, metadata={"help": "the same for validation"})
    max_test_rows: int | None = field(default=None, metadata={"help": "the same for test"})
