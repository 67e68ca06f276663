"""Token classification: sentences with tagged words -> the columns a BERT-like model reads, and a report."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ...data.carve import carve, limit_rows
from ...data.corpus import Corpus
from ...data.part import Part, part_of_rows
from ...data.summary import splits_line
from ...data.table import reading
from ...data.wording import at, listed, short
from ...errors import UserError
from . import layouts, notation
from .alignment import join
from .encode import check_ids, encode_sentences
from .layouts import LayoutSettings
from .loading import load
from .schemes import bio_labels, entities, write_tags
from .sentence import Sentence

SPLITS = ("train", "validation", "test")
CHINESE = range(0x3400, 0xA000)
TYPES = 20  # of which a line of the report has the numbers
FEATURES = Features(
    {
        "tokens": List(Value("string")),
        "tags": List(Value("string")),
        "id": Value("string"),
        "text": Value("string"),
        "starts": List(Value("int32")),
    }
)


@dataclass(kw_only=True)
class TaggingSettings(LayoutSettings):
    """What a recipe's user may say about the data; everything has a default."""

    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset"})
    max_length: int | None = field(
        default=None,
        metadata={"help": "longest row in tokens, special tokens included; longer sentences go on in another row"},
    )
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


@dataclass(kw_only=True)
class TaggingData(Corpus):
    """Rows for Trainer and `TaggingCollator`, the sentences they are made of, and what a recipe needs to know.

    `sentences` have `tokens` (words), `tags` (BIO), `id`, `text` and the characters of it that the words begin at
    (`starts`). `splits` have `input_ids`, `labels` (both with the
    special tokens, whose label is -100), `word` (of each piece, the number of its word in the sentence) and `sentence`
    (which); a sentence longer than a row has several.
    """

    splits: dict[str, Dataset]
    sentences: dict[str, Dataset]
    tokenizer: PreTrainedTokenizerBase
    label_names: list[str]
    report: list[str]

    def held_out(self) -> dict[str, Dataset]:
        return {split: rows for split, rows in self.sentences.items() if split != "train"}

    def parts(self, most: int) -> dict[str, Part]:
        return {split: part_of_rows(split, rows, most)[0] for split, rows in self.sentences.items()}


def tagging(
    dataset: str,
    tokenizer: PreTrainedTokenizerBase | Callable[[list[str]], PreTrainedTokenizerBase],
    settings: TaggingSettings,
    *,
    max_positions: int,
    vocab_size: int | None = None,
) -> TaggingData:
    """Load a corpus (a file or folder in CoNLL's layout, or a name as `load_dataset_dict` takes), check its tags,
    carve the splits it lacks, and align tags with pieces.

    Instead of a tokenizer, a function can be given that makes one of the texts of the train split, and of no other.
    `max_positions` and `vocab_size` are the model's. Raises UserError, one sentence, for input that can't be used.
    """
    readings: list[reading.Reading] = []
    fields = (settings.tokens_column, settings.tags_column)
    loaded = load(dataset, settings.dataset_config, table=settings, readings=readings, fields=fields)
    if "train" not in loaded:
        raise UserError(f"{dataset} has no train split, only {listed(loaded)}; there is nothing to train on")
    if all(one.format == "CoNLL's layout" for one in readings) and readings:
        settings = replace(settings, tokens_column=None, tags_column=None)  # they said which fields
    read, lines, is_bio = layouts.read({split: loaded[split] for split in SPLITS if split in loaded}, settings)
    known = _notation(read, "BIO" if is_bio else settings.tag_scheme)
    types = notation.types_in([known.canonical[tag] for tag in one.tags] for one in read["train"])
    if not types:
        raise UserError(
            "train has no tag but O, no entity to learn; if another column has the tags, say which with --tags_column"
        )
    shown = f"{len(types):,} types: {listed(types)}" if len(types) > TYPES else ", ".join(map(short, types))
    separator = _separator(read["train"]) if settings.word_separator is None else settings.word_separator
    report = [f"data: {reading.called(dataset)}, tags {known.scheme} of {shown}; the model learns BIO"]
    report += [f"tags: {note}" for note in known.notes]
    given = {split: _sentences(rows, split, types, known, separator, report) for split, rows in read.items()}
    carved = carve(
        given,
        "text",
        validation=settings.validation_fraction,
        test=settings.test_fraction,
        learned=[{entity.type for entity in entities(tags)} for tags in given["train"]["tags"][:]],
        notes=report,
    )
    sentences = {
        split: limit_rows(carved[split], getattr(settings, f"max_{split}_rows"), split=split, notes=report)
        for split in SPLITS
        if split in carved
    }
    source = {split: split if split in given else "train" for split in sentences}
    unused = [split for split in loaded if split not in SPLITS]
    report[1:1] = [*reading.lines(readings), *lines, splits_line(sentences, source, unused=unused)]
    report += [_entity_line(split, rows["tags"][:]) for split, rows in sentences.items()]

    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        tokenizer = tokenizer(sentences["train"]["text"][:])
    if not tokenizer.is_fast:
        raise UserError(f"{type(tokenizer).__name__} has no offsets; save it with a tokenizer.json")
    labels = bio_labels(types)
    longest = min(settings.max_length or max_positions, tokenizer.model_max_length)
    if not 3 <= longest <= max_positions:
        raise UserError(f"max_length is {longest}; it is at least 3 and at most the model's {max_positions} positions")
    splits = {
        split: encode_sentences(split, rows, tokenizer, labels, longest=longest, report=report)
        for split, rows in sentences.items()
    }
    check_ids(splits["train"], vocab_size)
    return TaggingData(
        splits=splits,
        sentences=sentences,
        tokenizer=tokenizer,
        label_names=labels,
        report=report,
    )


def _notation(read: dict[str, list[Sentence]], scheme: str | None) -> notation.Notation:
    """How all splits' tags are written. Raises UserError naming the row of a tag that is none."""

    def where(tag: str) -> str:
        return next(at(split, [one.row]) for split, rows in read.items() for one in rows if tag in one.tags)

    return notation.find([one.tags for rows in read.values() for one in rows], scheme, where)


def _separator(read: list[Sentence]) -> str:
    counts = Counter(len(word) == 1 and ord(word) in CHINESE for one in read for word in one.words)
    return "" if counts[True] > counts[False] else " "


def _sentences(
    read: list[Sentence], split: str, types: list[str], known: notation.Notation, separator: str, notes: list[str]
) -> Dataset:
    rows, mended = [], []
    for one in read:
        tags = [known.canonical[tag] for tag in one.tags]
        found = entities(tags)
        if unseen := sorted({entity.type for entity in found} - set(types)):
            raise UserError(
                f'{at(split, [one.row])}: the type "{unseen[0]}" never occurs in train; add train rows of it, or '
                "correct it"
            )
        if known.written_as and write_tags(found, len(tags), known.written_as) != tags:
            mended.append(one.row)
        text, starts = join(one.words, separator) if one.text is None else (one.text, one.starts)
        bio = write_tags(found, len(tags))
        rows.append({"tokens": one.words, "tags": bio, "id": one.id, "text": text, "starts": starts})
    if mended:
        notes.append(
            f"tags out of {known.scheme} in {len(mended):,} of {len(rows):,} {split} rows, read as conlleval does (an "
            f"entity begins where its first tag stands): {at(split, mended)}"
        )
    return Dataset.from_list(rows, features=FEATURES)


def _entity_line(split: str, tags: list[list[str]]) -> str:
    """How many entities there are of each type; of many types, of those with most."""
    count = Counter(entity.type for row in tags for entity in entities(row))
    shown = sorted(count.items()) if len(count) <= TYPES else count.most_common(TYPES)
    parts = ", ".join(f"{short(kind)} {number:,}" for kind, number in shown)
    more = f", and {len(count) - TYPES:,} types more" if len(count) > TYPES else ""
    return f"entities of {split}: {count.total():,} in {len(tags):,} sentences ({parts or 'none'}{more})"
