"""Token classification: sentences with tagged words -> the columns a BERT-like model reads, and a report."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from .. import samples
from ..errors import UserError
from . import conll, summary
from .alignment import Aligned, align, join, piece_labels, word_tags
from .carve import carve
from .rows import limit_rows
from .schemes import bio_labels, entities, scheme_of, types_of, write_tags
from .sources import load_dataset_dict, split_files
from .wording import at, listed

SPLITS = ("train", "validation", "test")
TOKENS = ("tokens", "words", "token", "word")
TAGS = ("ner_tags", "tags", "labels", "ner", "ner_labels", "tag")
CHINESE = range(0x3400, 0xA000)


@dataclass(kw_only=True)
class TaggingSettings:
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
class TaggingData:
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
    loaded = load(dataset, settings.dataset_config)
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
    report = [f"data: {dataset}, tags {scheme} of {', '.join(types)}; the model learns BIO"]
    given = {
        split: _sentences(rows, split, types, scheme, separator=separator, notes=report) for split, rows in read.items()
    }
    carved = carve(given, "text", validation=settings.validation_fraction, test=settings.test_fraction)
    sentences = {
        split: limit_rows(carved[split], getattr(settings, f"max_{split}_rows"), split=split, notes=report)
        for split in SPLITS
        if split in carved
    }
    source = {split: split if split in given else "train" for split in sentences}
    report.insert(1, summary.splits_line(sentences, source, unused=[split for split in loaded if split not in SPLITS]))
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
        split: _encode(split, rows, tokenizer, labels, separator=separator, longest=longest, report=report)
        for split, rows in sentences.items()
    }
    _check_ids(splits["train"], vocab_size)
    return TaggingData(
        splits=splits,
        sentences=sentences,
        tokenizer=tokenizer,
        label_names=labels,
        word_separator=separator,
        report=report,
    )


def load(name: str, config: str | None) -> DatasetDict | dict[str, Dataset]:
    """The splits of a file or folder in CoNLL's layout, or of any other dataset."""
    path = Path(name).expanduser()
    if not samples.is_sample(name):
        if path.is_file() and path.suffix.lower() in conll.SUFFIXES:
            return {"train": conll.read_conll(path)}
        if path.is_dir() and (files := split_files(path, conll.SUFFIXES)):
            return {split: conll.read_conll(file) for split, file in files.items()}
    return load_dataset_dict(name, config=config)


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


def _encode(
    split: str, sentences: Dataset, tokenizer, labels: list[str], *, separator: str, longest: int, report: list[str]
) -> Dataset:
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    if cls is None or sep is None:
        raise UserError(f"{type(tokenizer).__name__} has no [CLS] and [SEP]: use a tokenizer made for BERT")
    index = {name: number for number, name in enumerate(labels)}
    words, tags = sentences["tokens"][:], sentences["tags"][:]
    rows, hidden, divided, unknown, pieces = [], 0, 0, 0, 0
    for number, (aligned, gold) in enumerate(zip(_aligned(words, tokenizer, separator), tags, strict=True)):
        ids = piece_labels(aligned, gold, index)
        hidden += len({*entities(gold)} - {*_seen(aligned, ids, labels, len(gold))})
        pieces, unknown = pieces + len(ids), unknown + aligned.ids.count(tokenizer.unk_token_id)
        spans = list(_parts(aligned, longest - 2))
        divided += len(spans) > 1
        for start, stop in spans:
            rows.append(
                {
                    "input_ids": [cls, *aligned.ids[start:stop], sep],
                    "labels": [-100, *ids[start:stop], -100],
                    "word": aligned.word[start:stop],
                    "sentence": number,
                }
            )
    report.append(
        f"tokens of {split}: {pieces:,} ({unknown / max(pieces, 1):.2%} unknown); {divided:,} sentences longer than "
        f"max_length {longest} go on in another row; {hidden:,} entities begin or end inside a token and can't be found"
    )
    features = {name: List(Value("int32")) for name in ("input_ids", "labels", "word")} | {"sentence": Value("int32")}
    return Dataset.from_list(rows, features=Features(features))


def _aligned(words: list[list[str]], tokenizer, separator: str) -> Iterator[Aligned]:
    for start in range(0, len(words), 1000):
        yield from align(words[start : start + 1000], tokenizer, separator)


def _seen(aligned: Aligned, ids: list[int], labels: list[str], length: int):
    return entities(word_tags(aligned.word, [labels[one] for one in ids], length))


def _parts(aligned: Aligned, room: int) -> Iterator[tuple[int, int]]:
    """Spans of at most `room` pieces, each up to where a word begins unless that word alone fills it."""
    start, total = 0, len(aligned.ids)
    while total - start > room:
        stop = next((place for place in range(start + room, start, -1) if aligned.first[place]), start + room)
        yield start, stop
        start = stop
    yield start, total


def _check_ids(rows: Dataset, vocab_size: int | None) -> None:
    largest = max(max(ids) for ids in rows["input_ids"][:])
    if vocab_size is not None and largest >= vocab_size:
        raise UserError(
            f"the tokenizer gives the id {largest}, beyond the model's {vocab_size} embeddings: use its own tokenizer"
        )


class TaggingCollator:
    """Pads `input_ids` and `labels` (-100) on the right; `attention_mask` is 0 at padding. Each [B, T] int64."""

    def __init__(self, tokenizer):
        self.padding = tokenizer.pad_token_id

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        labels = [torch.tensor(row["labels"]) for row in rows]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.padding),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        }
