"""Translation: pairs of sentences -> the columns an encoder-decoder reads, and a report of what was done to them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset, DatasetDict

from ...data.carve import carve, limit_rows
from ...data.corpus import Corpus, Encode
from ...data.kept_columns import KEEP_TOKENIZED, Kept
from ...data.summary import splits_line
from ...data.table import reading
from ...data.table.settings import TableSettings
from ...errors import UserError
from ...splits import position
from .encode import check_ids, encode_pairs, length_lines, unknown_line
from .parallel import PAIR, Pairs, read_pairs
from .tokenizer_pair import TokenizerPair

SPLITS = ("train", "validation", "test")
OVER_LONG = ("drop", "cut", "error")
SHARED = ("drop", "keep")


@dataclass(kw_only=True)
class TranslationSettings(TableSettings):
    """What a recipe's user may say about the data."""

    dataset: str = field(metadata={"help": PAIR})
    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset, as de-en"})
    source_lang: str | None = field(
        default=None,
        metadata={
            "help": "what is translated: a key of `translation`, a column, a file's ending; none: the first of two"
        },
    )
    target_lang: str | None = field(default=None, metadata={"help": "the same for what it is translated into"})
    keep_tokenized: bool = field(default=True, metadata={"help": KEEP_TOKENIZED})
    max_length: int = field(default=128, metadata={"help": "longest side of a pair in tokens, the last one included"})
    over_long: str = field(
        default="drop",
        metadata={"help": "what is done with a pair of which a side is longer than max_length: drop, cut, error"},
    )
    shared_sources: str = field(
        default="drop",
        metadata={"help": "train pairs whose source is in validation or test too: drop, or keep (and only count) them"},
    )
    drop_empty: bool = field(default=False, metadata={"help": "leave out pairs that lack a side instead of stopping"})
    validation_fraction: float = field(
        default=0.05, metadata={"help": "share of train that becomes validation where the dataset has none"}
    )
    test_fraction: float = field(
        default=0.05, metadata={"help": "share of train that becomes test where the dataset has none"}
    )
    max_train_rows: int | None = field(
        default=None, metadata={"help": "train on this many pairs, chosen by a hash of their source; none: all"}
    )
    max_validation_rows: int | None = field(default=None, metadata={"help": "the same for validation"})
    max_test_rows: int | None = field(default=None, metadata={"help": "the same for test"})
    task_rows: int = field(default=10_000, metadata={"help": "pairs that task:copy and task:reverse generate"})
    task_length: int = field(default=12, metadata={"help": "longest sequence that they generate, in letters"})


@dataclass(kw_only=True)
class TranslationData(Corpus):
    """Splits ready for `TranslationCollator` and `TokenBatches`, and what a recipe needs to know of them.

    `splits` holds `train`, `validation` and `test` (the latter two unless their fraction is 0) with the model columns
    `input_ids` and `labels` (lists of int32, both ended by the end-of-text token) and the passengers `source`, `target`
    and `id` (texts) and `length` (tokens of the longer side).
    """

    splits: DatasetDict
    tokenizers: TokenizerPair
    source_lang: str
    target_lang: str
    row_limit: int  # type: ignore[assignment]
    cuts: bool
    report: list[str]

    generates = True

    def encoders(self) -> dict[str, tuple[Any, Encode]]:
        pair = self.tokenizers  # whose ids end in the end-of-text token
        return {
            "source": (pair.source, lambda texts: [ids[:-1] for ids in pair.source_ids(texts)]),
            "target": (pair.target, lambda texts: [ids[:-1] for ids in pair.target_ids(texts)]),
        }


def translation(
    dataset: str | DatasetDict,
    tokenizers: TokenizerPair | Callable[[list[str], list[str]], TokenizerPair],
    settings: TranslationSettings,
    *,
    vocab_sizes: tuple[int, int] | None = None,
) -> TranslationData:
    """Load, check, carve and tokenize pairs of sentences.

    Instead of tokenizers a function can be given that makes them of the sources and targets of train, and of no other
    split. `vocab_sizes` are the model's, of source and target: no id may reach them.

    A missing validation or test split is carved from train by a hash of the source, so that a sentence that has several
    translations stands in one split. Where splits are given, train pairs whose source is in another split are counted
    and, unless `shared_sources` is `keep`, left out of train.

    Raises UserError, one sentence, for every input that cannot be used as it stands.
    """
    for option, known in (("over_long", OVER_LONG), ("shared_sources", SHARED)):
        if getattr(settings, option) not in known:
            raise UserError(f'{option} is "{getattr(settings, option)}"; it can be {", ".join(known)}')
    notes: list[str] = []
    readings: list[reading.Reading] = []
    pairs = pairs_of(dataset, settings, notes, readings)
    splits, origin = split_pairs(pairs, settings, notes)
    if not isinstance(tokenizers, TokenizerPair):
        tokenizers = tokenizers(splits["train"]["source"][:], splits["train"]["target"][:])
    kept = Kept(settings.keep_tokenized)
    encoded = DatasetDict(
        {
            split: encode_pairs(
                rows,
                tokenizers,
                settings.max_length,
                settings.over_long,
                split=split,
                origin=origin[split],
                notes=notes,
                kept=kept,
            )
            for split, rows in splits.items()
        }
    )
    if vocab_sizes is not None:
        check_ids(encoded, vocab_sizes)
    report = [
        f"data: {reading.called(dataset)}, {pairs.source_lang} to {pairs.target_lang}",
        *reading.lines(readings),
        splits_line(encoded, origin, unused=[]),
        *notes,
        *length_lines(encoded["train"]),
        unknown_line(encoded["train"], tokenizers),
        *kept.lines(),
    ]
    return TranslationData(
        splits=encoded,
        tokenizers=tokenizers,
        source_lang=pairs.source_lang,
        target_lang=pairs.target_lang,
        row_limit=settings.max_length,
        cuts=settings.over_long != "drop",
        report=report,
    )


def pairs_of(dataset: Any, settings: TranslationSettings, notes: list[str], readings: list[reading.Reading]) -> Pairs:
    """`read_pairs` as the settings say."""
    return read_pairs(
        dataset,
        config=settings.dataset_config,
        source=settings.source_lang,
        target=settings.target_lang,
        task_rows=settings.task_rows,
        task_length=settings.task_length,
        drop_empty=settings.drop_empty,
        notes=notes,
        table=settings,
        readings=readings,
    )


def split_pairs(
    pairs: Pairs, settings: TranslationSettings, notes: list[str]
) -> tuple[dict[str, Dataset], dict[str, str]]:
    """The splits of the pairs, the missing ones carved from train, limited; and which split each came from."""
    carved = carve(pairs, "source", validation=settings.validation_fraction, test=settings.test_fraction)
    splits = {split: carved[split] for split in SPLITS if split in carved}
    splits["train"] = _without_shared(splits, keep=settings.shared_sources == "keep", notes=notes)
    for split, rows in splits.items():
        splits[split] = limit_rows(
            rows, getattr(settings, f"max_{split}_rows"), split=split, notes=notes, column="source"
        )
    return splits, {split: split if split in pairs else "train" for split in splits}


def _without_shared(splits: dict[str, Dataset], *, keep: bool, notes: list[str]) -> Dataset:
    """The train split without the pairs whose source (up to case, width and white space) is in another split."""
    train = splits["train"]
    where = [position(text) for text in train["source"][:]]
    known, held_out = set(where), set()
    for split in (split for split in ("validation", "test") if split in splits):
        there = [position(text) for text in splits[split]["source"][:]]
        seen = sum(one in known for one in there)
        held_out.update(there)
        notes.append(f"overlap: the source of {seen:,} of {len(there):,} {split} pairs is in train too")
    kept = [row for row, one in enumerate(where) if one not in held_out]
    if keep or len(kept) == len(train):
        return train
    notes.append(
        f"dropped: {len(train) - len(kept):,} of {len(train):,} train pairs, whose source is held out "
        "(shared_sources: drop)"
    )
    if not kept:
        raise UserError("every source of train is in validation or test too; nothing is left to train on")
    return train.select(kept)
