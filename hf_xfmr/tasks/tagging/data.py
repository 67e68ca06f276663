"""Token classification: sentences with tagged words -> the columns a BERT-like model reads, and a report."""

from collections.abc import Callable
from dataclasses import dataclass

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from ...data.corpus import Corpus
from ...data.encoded import check_ids
from ...data.kept_columns import Kept
from ...data.part import Part, part_of_rows
from ...errors import UserError
from .encode import encode_sentences
from .read import read_tagged
from .schemes import bio_labels
from .settings import TaggingSettings


@dataclass(kw_only=True)
class TaggingData(Corpus):
    """Rows for Trainer and `TaggingCollator`, the sentences they are made of, and what a recipe needs to know.

    `sentences` have `tokens` (words), `tags` (BIO), `id`, `text` and the characters of it that the words begin at
    (`starts`). `splits` have `input_ids`, `labels` (both with the
    special tokens, whose label is -100), `word` (of each piece, the number of its word in the sentence) and `sentence`
    (which); a sentence longer than a row, of `max_length` tokens, has several.
    """

    splits: dict[str, Dataset]
    sentences: dict[str, Dataset]
    tokenizer: PreTrainedTokenizerBase
    max_length: int
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
    sentences, types, report = read_tagged(dataset, settings)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        tokenizer = tokenizer(sentences["train"]["text"][:])
    if not tokenizer.is_fast:
        raise UserError(f"{type(tokenizer).__name__} has no offsets; save it with a tokenizer.json")
    labels = bio_labels(types)
    longest = settings.max_length or min(max_positions, tokenizer.model_max_length)
    if not 3 <= longest <= max_positions:
        raise UserError(f"max_length is {longest}; it is at least 3 and at most the model's {max_positions} positions")
    kept = Kept(settings.keep_tokenized)
    splits = {
        split: encode_sentences(split, rows, tokenizer, labels, longest=longest, report=report, kept=kept)
        for split, rows in sentences.items()
    }
    report += kept.lines()
    check_ids(splits["train"], vocab_size)
    return TaggingData(
        splits=splits,
        sentences=sentences,
        tokenizer=tokenizer,
        max_length=longest,
        label_names=labels,
        report=report,
    )
