"""Documents of any length -> blocks of one length, and blocks -> the batch a causal language model reads."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ...errors import UserError

PACKINGS = ("documents", "concatenate", "none")


def pack(documents: Iterable[np.ndarray], block_size: int, packing: str) -> Iterator[dict[str, np.ndarray]]:
    """Blocks of exactly `block_size` tokens, the last of them maybe shorter: no token is lost, moved or repeated.

    `documents` are the token ids of each, [n] int32. A block is its `input_ids` and the `lengths` of the sequences in
    it that must not see one another: of the documents, or with the packing `concatenate` the block's own. A document
    that does not fit into the rest of a block goes on in the next one, as a sequence of its own there.
    """
    pieces: list[np.ndarray] = []
    room = block_size
    for ids in documents:
        while len(ids):
            pieces.append(ids[:room])
            ids, room = ids[room:], room - len(pieces[-1])
            if not room:
                yield _block(pieces, packing)
                pieces, room = [], block_size
    if pieces:
        yield _block(pieces, packing)


def _block(pieces: list[np.ndarray], packing: str) -> dict[str, np.ndarray]:
    lengths = [len(piece) for piece in pieces]
    if packing == "concatenate":
        lengths = [sum(lengths)]
    return {"input_ids": np.concatenate(pieces), "lengths": np.array(lengths, np.int32)}


def end_of_text(tokenizer) -> int:
    """The id of the token after each document. Raises UserError if the tokenizer has none."""
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"{type(tokenizer).__name__} has no end-of-text token; set tokenizer.eos_token to one of its tokens"
        )
    return tokenizer.eos_token_id


class LanguageModelingCollator:
    """Pads blocks on the right and says by `position_ids` which tokens see one another.

    Gives `input_ids`, `attention_mask` (0 at padding), `position_ids` (from 0 anew in each sequence of a block) and
    `labels`, each [B, T] int64. Labels are the input_ids, to be shifted by the model, with -100 at padding, which is
    known by its place and not by its id, at the first token of each sequence, which nothing before it predicts, and
    where the `learned` of a block of conversations says so.
    """

    def __init__(self, tokenizer):
        self.padding = end_of_text(tokenizer) if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def __call__(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        ids = [torch.as_tensor(row["input_ids"], dtype=torch.int64) for row in rows]
        positions = [torch.cat([torch.arange(int(n)) for n in row["lengths"]]) for row in rows]
        labels = [one.masked_fill(place == 0, -100) for one, place in zip(ids, positions, strict=True)]
        if "learned" in rows[0]:
            learned = [torch.as_tensor(row["learned"], dtype=torch.bool) for row in rows]
            labels = [one.masked_fill(~which, -100) for one, which in zip(labels, learned, strict=True)]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.padding),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
            "position_ids": pad_sequence(positions, batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        }
