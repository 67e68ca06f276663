"""BERT's pre-training: documents -> rows of masked tokens, drawn anew each epoch from seed, epoch and row alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase

from ...data.corpus import DocumentCorpus
from ...data.documents import STREAMED, Documents, DocumentSettings, chat_of, load_documents
from ...data.kept_columns import Kept
from ...data.row_hash import of_arrays
from ...errors import UserError
from ...run import own_words
from .masking import Masker
from .sentence_pairs import NEXT, NOTHING, RANDOM, Pair, pairs, partners, texts
from .sentences import Tokens, tokenize

SHARD = 20_000  # rows of a stream among which second sentences change places
WHOLE_ROWS, PARTNERS, MASKS = range(3)  # what random numbers are for: a stream of them each


@dataclass(kw_only=True)
class PretrainingSettings(DocumentSettings):
    """Which texts BERT learns, and how they are asked; everything has a default."""

    max_length: int | None = field(
        default=None, metadata={"help": "longest row in tokens, special tokens included; none: the model's positions"}
    )
    nsp: bool = field(
        default=True, metadata={"help": "ask whether a second sentence follows the first; false: masked words only"}
    )
    whole_word_masking: bool = field(
        default=False, metadata={"help": "mask all pieces of a word together (Chinese words are those of jieba)"}
    )
    packing: bool = field(
        default=False,
        metadata={"help": "without nsp: fill rows up to max_length with texts that do not see one another"},
    )


@dataclass(kw_only=True)
class PretrainingData(DocumentCorpus):
    """Rows for Trainer and `PretrainingCollator`, and the documents they are made of; `train`, and `validation` and
    `test` where there are any."""

    splits: dict[str, "MaskedRows | MaskedStream"]
    documents: dict[str, Documents]
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    nsp: bool
    report: list[str]


def pretraining(
    dataset: str,
    tokenizer: PreTrainedTokenizerBase | Callable[[Iterable[str]], PreTrainedTokenizerBase],
    settings: PretrainingSettings,
    *,
    max_positions: int,
    first_position: int = 0,
    seed: int,
) -> PretrainingData:
    """Load a corpus (a name as `load_documents` takes), cut it into sentences, and make rows of at most `max_length`.

    Instead of a tokenizer, a function can be given that makes one of the texts of the train split, and of no other.
    Positions count from the model's `first_position`. Raises UserError, one sentence, for every input that can't be
    used as it stands.
    """
    longest = settings.max_length or max_positions
    if not 8 <= longest <= max_positions:
        raise UserError(f"max_length is {longest}; it is at least 8 and at most the model's {max_positions} positions")
    if settings.nsp and settings.packing:
        raise UserError(
            "packing and nsp exclude one another, since the next-sentence answer is read at the one [CLS] of a row: "
            "set nsp: false, or leave packing out (padding is never computed)"
        )
    documents, report = load_documents(dataset, settings, chat=chat_of(tokenizer))
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        tokenizer = tokenizer(documents["train"])
        report += own_words.said(tokenizer)
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise UserError(
            f"{type(tokenizer).__name__} has no tokens for the beginning and end of a text ([CLS] and [SEP], or <s> "
            "and </s>): use an encoder's tokenizer"
        )
    how = _Rows(tokenizer, longest, settings, first_position)
    splits: dict[str, MaskedRows | MaskedStream] = {}
    kept = Kept(settings.keep_tokenized)
    for split, given in documents.items():
        if settings.streaming:
            splits[split] = MaskedStream(given, how, seed, fixed=split != "train")
        else:
            rows = list(how.read(given, np.random.default_rng([seed, WHOLE_ROWS]), kept))
            if not rows:
                raise UserError(f"the tokenizer makes no token of the {split} split")
            splits[split] = MaskedRows(rows, how, seed, fixed=split != "train")
            report += _lines(split, rows, longest, how, seed)
    report += kept.lines()
    report.append(
        f"masking: 15 % of {'whole words' if settings.whole_word_masking else 'tokens'}, drawn anew each epoch; "
        + ("next sentences: half of the pairs of an epoch are true" if settings.nsp else "no next sentences")
    )
    if settings.streaming:
        report.append("streamed: tokenized while it is read, in the corpus's order, so not counted before")
        report.append(STREAMED)
    return PretrainingData(
        splits=splits, documents=documents, tokenizer=tokenizer, max_length=longest, nsp=settings.nsp, report=report
    )


class _Rows:
    """How documents become rows and rows what a model reads."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, longest: int, settings: PretrainingSettings, first_position: int
    ):
        self.first_position = first_position
        self.tokenizer, self.longest, self.nsp = tokenizer, longest, settings.nsp
        self.packing, self.whole_words = settings.packing, settings.whole_word_masking
        self.masker = Masker(tokenizer)
        self.cls, self.sep = (np.array([[i], [1]], np.int32) for i in (tokenizer.cls_token_id, tokenizer.sep_token_id))

    def read(self, documents: Iterable[str], generator: np.random.Generator, kept: Kept | None = None) -> Iterator:
        """With nsp each row is a `Pair`; without, a list of texts, several if they are packed."""
        sentences = tokenize(documents, self.tokenizer, whole_words=self.whole_words, kept=kept)
        if self.nsp:
            yield from pairs(sentences, self.longest - 3, generator)
            return
        row: list[Tokens] = []
        length = 0
        for text in texts(sentences, self.longest - 2):
            if row and (not self.packing or length + text.shape[1] + 2 > self.longest):
                yield row
                row, length = [], 0
            row.append(text)
            length += text.shape[1] + 2
        if row:
            yield row

    def ask(self, rows: Sequence, row: int, partner: int, generator: np.random.Generator) -> dict:
        """A row as the model reads it: `input_ids`, `labels`, `token_type_ids`, `position_ids`, and with nsp
        `next_sentence_label`."""
        if not self.nsp:
            parts = [part for text in rows[row] for part in (self.cls, text, self.sep)]
            positions = [np.arange(text.shape[1] + 2) + self.first_position for text in rows[row]]
            asked = self._mask(np.concatenate(parts, 1), generator)
            return asked | {"position_ids": np.concatenate(positions)}
        first, second = rows[row].first, rows[partner].second
        second = second[:, : self.longest - 3 - first.shape[1]]
        parts = [self.cls, first, self.sep]
        types = np.zeros(first.shape[1] + 2 + (second.shape[1] + 1) * bool(second.shape[1]), np.int64)
        if second.shape[1]:
            parts += [second, self.sep]
            types[first.shape[1] + 2 :] = 1
        label = NOTHING if not second.shape[1] else NEXT if partner == row else RANDOM
        asked = self._mask(np.concatenate(parts, 1), generator)
        return asked | {"token_type_ids": types, "next_sentence_label": label}

    def _mask(self, tokens: Tokens, generator: np.random.Generator) -> dict:
        ids, labels = self.masker(tokens[0], tokens[1].astype(bool), generator)
        return {"input_ids": ids, "labels": labels}


class MaskedRows(Dataset):
    """Rows whose pairs and masks are a function of (seed, epoch, row): the same in any process, worker or run.

    `fixed` rows are asked the same way in every epoch, so that evaluations compare.
    """

    def __init__(self, rows: Sequence, how: _Rows, seed: int, *, fixed: bool):
        self.rows, self.how, self.seed, self.fixed = rows, how, seed, fixed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # workers that live on see it change
        self._partners: tuple[int, np.ndarray] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Called by Trainer's data loader before each epoch."""
        if not self.fixed:
            self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def row_hash(self) -> str:
        """A hash of all rows before they are asked."""
        return of_arrays(list(self.rows))

    def __getitem__(self, row: int) -> dict:
        epoch = int(self._epoch)
        generator = np.random.default_rng([self.seed, MASKS, epoch, row])
        return self.how.ask(self.rows, row, self._partner(epoch, row), generator)

    def _partner(self, epoch: int, row: int) -> int:
        if not self.how.nsp:
            return row
        if self._partners is None or self._partners[0] != epoch:
            self._partners = epoch, partners(self.rows, np.random.default_rng([self.seed, PARTNERS, epoch]))
        return int(self._partners[1][row])


class MaskedStream(IterableDataset):
    """The same for documents that are read again for each epoch; second sentences change places within a shard."""

    def __init__(self, documents: Documents, how: _Rows, seed: int, *, fixed: bool):
        super().__init__()
        self.documents, self.how, self.seed, self.fixed = documents, how, seed, fixed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    set_epoch = MaskedRows.set_epoch

    def __iter__(self) -> Iterator[dict]:
        worker, epoch = get_worker_info(), int(self._epoch)
        every, mine = (worker.num_workers, worker.id) if worker else (1, 0)
        stream = self.how.read(self.documents, np.random.default_rng([self.seed, WHOLE_ROWS]))
        number = 0
        while shard := list(islice(stream, SHARD)):
            change = np.arange(len(shard))
            if self.how.nsp:
                change = partners(shard, np.random.default_rng([self.seed, PARTNERS, epoch, number]))
            for row, partner in enumerate(change):
                if number % every == mine:
                    generator = np.random.default_rng([self.seed, MASKS, epoch, number])
                    yield self.how.ask(shard, row, int(partner), generator)
                number += 1


class PretrainingCollator:
    """Pads rows on the right: `input_ids`, `attention_mask` (0 at padding), `labels` (-100 where nothing is asked) and
    `token_type_ids` or `position_ids`, each [B, T] int64; with nsp `next_sentence_label` [B] int64."""

    def __init__(self, tokenizer):
        if tokenizer.pad_token_id is None:
            raise UserError(f"{type(tokenizer).__name__} has no padding token; set tokenizer.pad_token to one it has")
        self.padding = {"input_ids": tokenizer.pad_token_id, "labels": -100, "token_type_ids": 0, "position_ids": 0}

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        batch = {
            name: pad_sequence([torch.as_tensor(row[name]) for row in rows], batch_first=True, padding_value=padding)
            for name, padding in self.padding.items()
            if name in rows[0]
        }
        ones = [torch.ones(len(row["input_ids"]), dtype=torch.int64) for row in rows]
        batch["attention_mask"] = pad_sequence(ones, batch_first=True)
        if "next_sentence_label" in rows[0]:
            batch["next_sentence_label"] = torch.tensor([row["next_sentence_label"] for row in rows])
        return batch


def _lines(split: str, rows: list, longest: int, how: _Rows, seed: int) -> list[str]:
    parts = [[row.first, row.second] if isinstance(row, Pair) else row for row in rows]
    lengths = np.array([sum(part.shape[1] for part in row) for row in parts])
    unknown = sum(int((part[0] == how.tokenizer.unk_token_id).sum()) for row in parts for part in row)
    line = (
        f"{split}: {lengths.sum():,} tokens in {len(rows):,} rows of at most {longest}; unknown tokens "
        f"{unknown / lengths.sum():.2%}"
    )
    if not how.nsp:
        return [line]
    change = partners(rows, np.random.default_rng([seed, PARTNERS, 0]))
    single = sum(not row.second.shape[1] for row in rows)
    able = len(rows) - single
    if able and (change == np.arange(len(rows))).all():
        raise UserError(
            f"next-sentence prediction needs second sentences of other documents, and {split} is one document: say "
            'what separates documents (--separator "" where blank lines do, --lines true where each line is one, or '
            "--separator and the line that does), or set nsp: false"
        )
    room = longest - 3
    over = sum(row.first.shape[1] + rows[change[i]].second.shape[1] > room for i, row in enumerate(rows))
    true = (change == np.arange(len(rows))).sum() - single
    return [
        line,
        f"{split}: {able:,} pairs, {true / max(able, 1):.1%} of them true in the first epoch, where {over:,} strange "
        f"second sentences are shortened to fit; {single:,} rows are one sentence and ask for masked words only",
    ]
