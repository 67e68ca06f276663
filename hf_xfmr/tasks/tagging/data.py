"""Token classification: sentences with tagged words -> the columns a BERT-like model reads, and a report."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from datasets import ClassLabel, Dataset, DatasetDict, List, Value
from transformers import PreTrainedTokenizerBase

from ... import samples
from ...data.carve import carve, limit_rows
from ...data.corpus import Corpus
from ...data.part import Part, part_of_rows
from ...data.sources import load_dataset_dict, local_path, split_files
from ...data.summary import splits_line
from ...data.table import reading
from ...data.table.packed import bare
from ...data.table.settings import TableSettings
from ...data.wording import at, listed
from ...errors import UserError
from . import conll
from .alignment import join
from .encode import check_ids, encode_sentences
from .schemes import bio_labels, entities, scheme_of, types_of, write_tags

SPLITS = ("train", "validation", "test")
TOKENS = ("tokens", "words", "token", "word")
TAGS = ("ner_tags", "tags", "labels", "ner", "ner_labels", "tag")
CHINESE = range(0x3400, 0xA000)


@dataclass(kw_only=True)
class TaggingSettings(TableSettings):
    """What a recipe's user may say about the data; everything has a default."""

    dataset_config: str | None = field(default=None, metadata={"help": "configuration of a Hub dataset"})
    tokens_column: str | None = field(default=None, metadata={"help": "column of the words; none: found by name"})
    tags_column: str | None = field(default=None, metadata={"help": "column of their tags; none: found by name"})
    word_separator: str | None = field(
        default=None,
        metadata={
            "help": "what stands between two words in running text; none: nothing where most words are Chinese "
            "characters, else a space"
        },
    )
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

    `sentences` have `tokens` (words), `tags` (BIO), `id` and `text`. `splits` have `input_ids`, `labels` (both with the
    special tokens, whose label is -100), `word` (of each piece, the number of its word in the sentence) and `sentence`
    (which); a sentence longer than a row has several.
    """

    splits: dict[str, Dataset]
    sentences: dict[str, Dataset]
    tokenizer: PreTrainedTokenizerBase
    label_names: list[str]
    word_separator: str
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
    loaded = load(dataset, settings.dataset_config, table=settings, readings=readings)
    if "train" not in loaded:
        raise UserError(f"{dataset} has no train split, only {listed(loaded)}; there is nothing to train on")
    names = [split for split in SPLITS if split in loaded]
    words_column = _column(loaded["train"], settings.tokens_column, TOKENS, option="tokens_column")
    tags_column = _column(loaded["train"], settings.tags_column, TAGS, option="tags_column")
    read = {split: _read(loaded[split], split, words_column, tags_column) for split in names}
    scheme = scheme_of({tag for _, tags, _ in read["train"] for tag in tags})
    types = types_of({tag for _, tags, _ in read["train"] for tag in tags})
    if not types:
        raise UserError(f'column "{tags_column}" of train has no tag but O: there is no entity to learn')
    separator = _separator(read["train"]) if settings.word_separator is None else settings.word_separator
    report = [f"data: {reading.called(dataset)}, tags {scheme} of {', '.join(types)}; the model learns BIO"]
    given = {
        split: _sentences(rows, split, types, scheme, separator=separator, notes=report) for split, rows in read.items()
    }
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
    report[1:1] = [*reading.lines(readings), splits_line(sentences, source, unused=unused)]
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
        split: encode_sentences(split, rows, tokenizer, labels, separator=separator, longest=longest, report=report)
        for split, rows in sentences.items()
    }
    check_ids(splits["train"], vocab_size)
    return TaggingData(
        splits=splits,
        sentences=sentences,
        tokenizer=tokenizer,
        label_names=labels,
        word_separator=separator,
        report=report,
    )


def load(
    name: str,
    config: str | None,
    *,
    table: TableSettings | None = None,
    readings: list[reading.Reading] | None = None,
) -> DatasetDict | dict[str, Dataset]:
    """The splits of a file or folder in CoNLL's layout, or of any other dataset (see `load_dataset_dict`)."""
    if not isinstance(name, str):
        return load_dataset_dict(name, config=config, table=table, readings=readings)
    path = local_path(name)
    if not samples.is_sample(name):
        if path.is_file() and bare(path).suffix.lower() in conll.SUFFIXES:
            return {"train": conll.read_conll(path, table, readings)}
        if path.is_dir() and (files := split_files(path, conll.SUFFIXES)):
            return {split: conll.read_conll(file, table, readings) for split, file in files.items()}
    return load_dataset_dict(name, config=config, table=table, readings=readings)


def _column(rows: Dataset, told: str | None, known: Sequence[str], *, option: str) -> str:
    found = [name for name in known if name in rows.column_names] if told is None else [told]
    if not found or found[0] not in rows.column_names:
        wrong = f'is "{told}", which' if told else f"is not told, and none of {listed(known)}"
        raise UserError(f"{option} {wrong} is a column of the dataset; it has {listed(rows.column_names)}")
    if not isinstance(rows.features[found[0]], List):
        raise UserError(f'{option} "{found[0]}" holds {rows.features[found[0]]}, not a list for each sentence')
    return found[0]


def _read(rows: Dataset, split: str, words: str, tags: str) -> list[tuple[list[str], list[str], str]]:
    """Words, tags by name, and id of each sentence. Raises UserError naming rows."""
    for name in (words, tags):
        if name not in rows.column_names:
            raise UserError(f'the {split} split has no column "{name}", which train has')
    feature = rows.features[tags].feature
    names = feature.names if isinstance(feature, ClassLabel) else None
    if names is None and not (isinstance(feature, Value) and feature.dtype in ("string", "large_string")):
        raise UserError(
            f'tags_column "{tags}" holds {feature}, which says no name of a tag: give texts such as "B-PER"'
        )
    ids = rows["id"][:] if "id" in rows.column_names else range(len(rows))
    read = []
    for row, (one, given, name) in enumerate(zip(rows[words][:], rows[tags][:], ids, strict=True)):
        if not one or not given or len(one) != len(given):
            raise UserError(
                f"{at(split, [row])}: {len(one or [])} words and {len(given or [])} tags; give each word one"
            )
        if None in one or not all(word.strip() for word in one):
            raise UserError(f"{at(split, [row])}: a word is empty; give it a character, or remove it and its tag")
        if None in given or (names and min(given) < 0):
            raise UserError(f"{at(split, [row])}: a tag is missing; correct it, or remove the row")
        read.append((list(one), [names[tag] for tag in given] if names else list(given), str(name)))
    return read


def _separator(read: list) -> str:
    counts = Counter(len(word) == 1 and ord(word) in CHINESE for words, _, _ in read for word in words)
    return "" if counts[True] > counts[False] else " "


def _sentences(read, split: str, types: list[str], scheme: str, *, separator: str, notes: list[str]) -> Dataset:
    rows, mended = [], []
    for row, (words, tags, name) in enumerate(read):
        try:
            found = entities(tags)
        except UserError as error:
            raise UserError(f"{at(split, [row])}: {error}") from None
        if unseen := sorted({entity.type for entity in found} - set(types)):
            raise UserError(
                f'{at(split, [row])}: the type "{unseen[0]}" never occurs in train; add train rows of it, or correct it'
            )
        if write_tags(found, len(words), scheme) != tags:
            mended.append(row)
        rows.append(
            {"tokens": words, "tags": write_tags(found, len(words)), "id": name, "text": join(words, separator)[0]}
        )
    if mended:
        notes.append(
            f"tags out of {scheme} in {len(mended):,} of {len(rows):,} {split} rows, read as conlleval does (an entity "
            f"begins where its first tag stands): {at(split, mended)}"
        )
    return Dataset.from_list(rows)


def _entity_line(split: str, tags: list[list[str]]) -> str:
    count = Counter(entity.type for row in tags for entity in entities(row))
    parts = ", ".join(f"{kind} {number:,}" for kind, number in sorted(count.items()))
    return f"entities of {split}: {count.total():,} in {len(tags):,} sentences ({parts or 'none'})"
