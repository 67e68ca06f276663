"""Language modelling: documents -> blocks of tokens, packed without loss, and a report of what was done to them.
Conversations, of which a part is learned: `instructions.py`."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, IterableDataset, List, Value
from datasets.table import InMemoryTable
from transformers import PreTrainedTokenizerBase

from ...data import cache
from ...data.conversations import ConversationSettings
from ...data.corpus import DocumentCorpus
from ...data.documents import STREAMED, Documents, chat_of, load_documents
from ...data.kept_columns import Kept
from ...errors import UserError
from ...run import own_words
from ...tokenizer.long_texts import tokens_of
from ...tokenizer.token_table import kept_tokens
from . import instructions
from .examples import Example, Tally, examples
from .pack import PACKINGS, end_of_text, pack
from .templates import TEMPLATES, Template

BLOCK = Features({"input_ids": List(Value("int32")), "lengths": List(Value("int32"))})


@dataclass(kw_only=True)
class LanguageModelingSettings(ConversationSettings):
    """Which texts a language model learns, and in which pieces; everything has a default."""

    block_size: int | None = field(
        default=None, metadata={"help": "tokens the model reads at a time; none: all the positions it has"}
    )
    packing: str = field(
        default="documents",
        metadata={
            "help": "documents: those in one block do not see one another, and positions start anew; "
            "concatenate: a block is one text; none: a conversation a block"
        },
    )
    template: str | None = field(
        default=None,
        metadata={
            "help": f"how conversations are written: {', '.join(TEMPLATES)} or a file with a chat template in Jinja; "
            "none: the tokenizer's own, or instruction, in Chinese chinese"
        },
    )
    over_long: str = field(
        default="error",
        metadata={
            "help": "a conversation longer than block_size: error; leave_out; cut_prompt: its last tokens are kept, if "
            "all that is learned is among them"
        },
    )


@dataclass(kw_only=True)
class LanguageModelingData(DocumentCorpus):
    """Blocks ready for Trainer and `LanguageModelingCollator`, and the documents they are made of.

    `splits` and `documents` hold `train`, `validation` unless its fraction is 0, and `test` if the corpus has one. A
    split is a `Dataset`, or an `IterableDataset` when streaming, with the columns `input_ids` and `lengths` of `pack`.
    """

    splits: dict[str, Dataset | IterableDataset]
    documents: Mapping[str, Documents]
    tokenizer: PreTrainedTokenizerBase
    block_size: int
    report: list[str]
    keep_tokenized: bool = False
    joined: bool = False
    template: Template | None = None
    over_long: str = "error"

    generates = True

    def examples(self, split: str) -> Iterator[Example]:
        """The conversations of a split."""
        assert self.template is not None
        how = {"limit": self.block_size, "over_long": self.over_long, "tally": Tally()}
        return examples(self.documents[split], self.tokenizer, self.template, **how)  # type: ignore[arg-type]

    @property
    def row_limit(self) -> int:  # type: ignore[override]
        return self.block_size

    def token_ids(self, split: str) -> Iterator[np.ndarray]:
        """Of each document of a split, [n] int32, with the end-of-text token."""
        return token_ids(self.documents[split], self.tokenizer, "documents", Kept(self.keep_tokenized))


def language_modeling(
    dataset: str,
    tokenizer: PreTrainedTokenizerBase | Callable[[Iterable[str]], PreTrainedTokenizerBase],
    settings: LanguageModelingSettings,
    *,
    max_positions: int,
) -> LanguageModelingData:
    """Load a corpus (a name as `load_documents` takes), tokenize its documents, end each with the end-of-text token
    (or put it between them, to concatenate them), and pack them into blocks.

    Instead of a tokenizer, a function can be given that makes one of the texts of the train split, and of no other.
    `max_positions` is the model's. Raises UserError, one sentence, for every input that can't be used as it stands.
    """
    if settings.packing not in PACKINGS:
        raise UserError(f"packing is '{settings.packing}'; it can be {' or '.join(PACKINGS)}")
    block_size = max_positions if settings.block_size is None else settings.block_size
    if not 2 <= block_size <= max_positions:
        raise UserError(
            f"block_size is {block_size}; it is at least 2 and at most the model's {max_positions} positions"
        )
    documents, report = load_documents(dataset, settings, chat=chat_of(tokenizer))
    if instructions.are(documents, settings):
        return _of_conversations(documents, tokenizer, settings, block_size, report)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        tokenizer = tokenizer(documents["train"])
        report += own_words.said(tokenizer)
    end = tokenizer.convert_ids_to_tokens(end_of_text(tokenizer))
    if settings.packing == "documents":
        how = f"documents ended by {end}, which do not see one another"
    else:
        how = f"{end} between documents, with attention across them"
    report.append(f"packing: blocks of {block_size:,} tokens; {how}")
    splits: dict[str, Dataset | IterableDataset] = {}
    kept = Kept(settings.keep_tokenized)
    for split, texts in documents.items():
        if settings.streaming:
            splits[split] = _stream(texts, tokenizer, block_size, settings.packing)
        else:
            splits[split], lines = _blocks(split, texts, tokenizer, block_size, settings.packing, kept)
            report += lines
    report += kept.lines()
    if settings.streaming:
        report.append("streamed: tokenized and packed while it is read, in the corpus's order, so not counted before")
        report.append(STREAMED)
    return LanguageModelingData(
        splits=splits,
        documents=documents,
        tokenizer=tokenizer,
        block_size=block_size,
        report=report,
        keep_tokenized=settings.keep_tokenized and not settings.streaming,
        joined=settings.packing == "concatenate" or settings.join is not None,
    )


def _of_conversations(
    documents: Mapping[str, Documents], tokenizer: Any, settings: Any, block_size: int, report: list[str]
) -> LanguageModelingData:
    template = instructions.template_of(documents["train"], tokenizer, settings)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        tokenizer = tokenizer(instructions.written(documents["train"], template))
        report += own_words.said(tokenizer)
    end_of_text(tokenizer)  # which the templates write behind an answer
    tokenizer.chat_template = template.source  # with which it is saved
    splits, lines = instructions.blocks(documents, tokenizer, template, settings, block_size)
    return LanguageModelingData(
        splits=splits,
        documents=documents,
        tokenizer=tokenizer,
        block_size=block_size,
        report=[*report, *lines],
        template=template,
        over_long=settings.over_long,
    )


def token_ids(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, packing: str, kept: Kept | None = None
) -> Iterator[np.ndarray]:
    """The tokens of each document, [n] int32, nothing cut: with the end-of-text token at its end, or, if they are to be
    concatenated, between it and the one before. They are taken from `kept`, where it knows these texts, which are then
    read several times."""
    end, first = end_of_text(tokenizer), True
    known = None if kept is None else kept_tokens(texts, tokenizer, kept)
    for ids, _, _ in tokens_of(texts, tokenizer) if known is None else known:
        if isinstance(ids, np.ndarray):
            row = array("i", ids.tobytes())
        else:
            row = ids if isinstance(ids, array) else array("i", ids)  # a book's are not copied
        if packing == "documents":
            row.append(end)
        elif not first:
            row.insert(0, end)
        yield np.asarray(row)
        first = False


def _stream(texts: Documents, tokenizer, block_size: int, packing: str) -> IterableDataset:
    def blocks() -> Iterator[dict]:
        for block in pack(token_ids(texts, tokenizer, packing), block_size, packing):
            yield {name: ids.tolist() for name, ids in block.items()}

    with cache.for_streams():
        return IterableDataset.from_generator(blocks, features=BLOCK)


def _blocks(
    split: str, texts: Documents, tokenizer, block_size: int, packing: str, kept: Kept
) -> tuple[Dataset, list[str]]:
    """All blocks of a split, and its lines of the report."""
    lengths, unknown = [], 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal unknown
        for ids in token_ids(texts, tokenizer, packing, kept):
            lengths.append(len(ids))
            unknown += int((ids == tokenizer.unk_token_id).sum()) if tokenizer.unk_token_id is not None else 0
            yield ids

    blocks = list(pack(counted(), block_size, packing))
    table = {name: pa.array([block[name] for block in blocks], pa.list_(pa.int32())) for name in BLOCK}
    report = _report(split, lengths, unknown, blocks, block_size)
    if packing == "documents":
        report.append(_cuts(split, np.array(lengths), block_size))
    return Dataset(InMemoryTable(pa.table(table))), report


def _report(split: str, lengths: list[int], unknown: int, blocks: list[dict], block_size: int) -> list[str]:
    tokens = sum(lengths)
    predicted = tokens - sum(len(block["lengths"]) for block in blocks)
    padding = 1 - tokens / (len(blocks) * block_size)
    return [
        f"{split}: {len(lengths):,} documents, {tokens:,} tokens ({predicted:,} of them predicted) in {len(blocks):,} "
        f"blocks, the last of {len(blocks[-1]['input_ids']):,}; padding {padding:.2%}; "
        f"unknown tokens {unknown / tokens:.2%}"
    ]


def _cuts(split: str, lengths: np.ndarray, block_size: int) -> str:
    """How many documents the ends of blocks cut; a piece begins without what stood before it."""
    ends = np.cumsum(lengths)
    pieces = (ends - 1) // block_size - (ends - lengths) // block_size + 1
    cut = pieces > 1
    return f"{split}: {cut.sum():,} documents are cut by the ends of blocks, into {pieces[cut].sum():,} pieces"
