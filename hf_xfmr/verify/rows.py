"""The rows a model is tried on: real texts, or random tokens of varied lengths."""

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer

from ..data.documents import DocumentSettings, load_documents
from ..errors import UserError
from ..run import loading
from ..tasks.translation.tokenizer_pair import TokenizerPair
from .subject import Subject, first

LENGTHS = (5, 24, 9, 17, 3, 21, 12, 7, 19, 4, 15, 10)  # 8 rows and 4 more: the last batch of 8 is a short one
LONGEST = 64  # tokens of a real text that are read
GENERATED = 8  # tokens, for which positions are left free


@dataclass(frozen=True)
class Rows:
    """Token ids, [n] int64 each, as many as `LENGTHS`; the `targets` of an encoder-decoder, else the same ids."""

    ids: list[Tensor]
    targets: list[Tensor]
    description: str


def room(subject: Subject) -> int:
    """Tokens that a row may have."""
    most = subject.positions - GENERATED
    if most < 3:
        raise UserError(f"{subject.positions} positions are too few to try anything on")
    return most


def built_in(subject: Subject) -> Rows:
    """Random tokens, none of them special, the same for every model of one vocabulary."""
    config, random = subject.config, torch.Generator().manual_seed(0)
    target_size = getattr(config, "decoder_vocab_size", None) or config.vocab_size
    size = min(config.vocab_size, target_size)
    names = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
    special = {first(getattr(config, name, None)) for name in names} | set(range(min(5, size // 4)))
    usable = torch.tensor([token for token in range(min(size, 50_000)) if token not in special])
    lengths = [min(length, room(subject)) for length in LENGTHS]
    ids = [usable[torch.randint(len(usable), (length,), generator=random)] for length in lengths]
    described = f"{len(ids)} rows of {min(lengths)} to {max(lengths)} random tokens (--data tries texts of yours)"
    return Rows(ids, ids[1:] + ids[:1], described)


def from_texts(subject: Subject, name: str, text_column: str | None) -> Rows:
    """The first texts of a corpus, and as targets the texts after each. Raises `UserError` if there are none."""
    by_line = Path(name).suffix.lower() == ".txt"
    settings = DocumentSettings(validation_fraction=0, lines=by_line, text_column=text_column)
    texts = list(islice(load_documents(name, settings)[0]["train"], len(LENGTHS)))
    described = f"the first {len(texts)} texts of {name}"
    texts = list(islice(cycle(texts), len(LENGTHS)))
    if subject.family == "marian":
        pair = loading.from_pretrained(TokenizerPair, subject.source, config=subject.config)
        sides = [pair.source_ids(texts), pair.target_ids(texts)]
    else:
        tokenizer = loading.from_pretrained(AutoTokenizer, subject.source)
        sides = [tokenizer(texts, verbose=False)["input_ids"]] * 2
    limit = min(LONGEST, room(subject))
    cut = sum(len(ids) > limit for ids in sides[0])
    ids, targets = ([torch.tensor(one[:limit]) for one in side] for side in sides)
    if min(map(len, ids + targets)) < 1:
        raise UserError(f"{name}: a text of it has no token")
    lengths = sorted(map(len, ids))
    described += f", {lengths[0]} to {lengths[-1]} tokens" + (f" ({cut} read to token {limit})" if cut else "")
    return Rows(ids, targets[1:] + targets[:1], described)
