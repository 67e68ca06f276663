"""Small models that learn while the page is made, from its own few sentences: what passes through them is real."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from ..models.bert import XfmrBertConfig, XfmrBertForPreTraining
from ..models.gpt2 import XfmrGPT2Config, XfmrGPT2ForCausalLM
from ..models.losses import IGNORE
from ..models.transformer import XfmrConfig, XfmrForConditionalGeneration
from ..tasks.pretraining.masking import Masker
from ..tasks.pretraining.sentence_pairs import NEXT, RANDOM, Pair, partners
from ..tokenizer import train

STEPS = {"transformer": 400, "bert": 300, "gpt2": 80}
DIM, HEADS, LAYERS, _POSITIONS, _INNER = 64, 4, 2, 64, 128
_ROWS = 24  # of the Transformer, a step


@dataclass(frozen=True)
class Small:
    """A model that has learned, in evaluation mode, and how its loss went."""

    model: Any
    tokenizer: PreTrainedTokenizerFast
    losses: list[float]


def make_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """One vocabulary for the Transformer and BERT: every word of the texts is a token, and every Chinese character."""
    return train(texts, "wordpiece", model_max_length=_POSITIONS, vocab_size=5000, lowercase=True, min_frequency=1)


def make_byte_tokenizer(texts: Sequence[str], tokens: int) -> PreTrainedTokenizerFast:
    """A tokenizer of GPT-2's kind: 256 bytes, and the merges that these texts teach. No text is unknown to it.

    Characters of several bytes are given by themselves too: in so few sentences they would else not come together
    before whole clauses do.
    """
    texts = [*texts, *[one for text in texts for one in text if not one.isascii()] * 20]
    return train(texts, "bpe", model_max_length=_POSITIONS, vocab_size=tokens, min_frequency=1)


def document(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """The ids of a text as GPT-2 reads it, between two <|endoftext|>."""
    return [tokenizer.eos_token_id, *words_of(tokenizer, text), tokenizer.eos_token_id]


def words_of(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """The ids of a text without special tokens."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def fit(model, batch: Callable[[], dict], steps: int, learning_rate: float) -> list[float]:
    """Train a model on what `batch` gives, step by step; returns the loss of each."""
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 2), pct_start=0.15)
    losses = []
    model.train()
    for _ in range(steps):
        loss = model(**batch()).loss
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses


def transformer(tokenizer: PreTrainedTokenizerFast, sentences: Sequence[str], *, steps: int, seed: int = 0) -> Small:
    """An encoder-decoder that has learned to write a sentence backwards, from random orders of the sentences' words."""
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = XfmrForConditionalGeneration(
            XfmrConfig(
                vocab_size=len(tokenizer),
                d_model=DIM,
                encoder_layers=LAYERS,
                decoder_layers=LAYERS,
                encoder_attention_heads=HEADS,
                decoder_attention_heads=HEADS,
                encoder_ffn_dim=_INNER,
                decoder_ffn_dim=_INNER,
                max_position_embeddings=_POSITIONS,
                dropout=0.0,
                init_std=DIM**-0.5,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=start,
                eos_token_id=end,
                decoder_start_token_id=start,
            )
        )
        lengths = [len(words_of(tokenizer, text)) for text in sentences]
        words = torch.tensor(sorted({one for text in sentences for one in words_of(tokenizer, text)}))

        def batch() -> dict:
            length = int(torch.randint(min(lengths), max(lengths) + 1, ()))
            order = words[torch.randint(len(words), (_ROWS, length))]
            ends = torch.full((_ROWS, 1), end)
            return {"input_ids": torch.cat([order, ends], 1), "labels": torch.cat([order.flip(1), ends], 1)}

        return Small(model, tokenizer, fit(model, batch, steps, 4e-3))


def pretraining_row(tokenizer, first: Sequence[int], second: Sequence[int]) -> tuple[list[int], list[int]]:
    """[CLS] first [SEP] second [SEP], and the segment of each token."""
    ids = [tokenizer.cls_token_id, *first, tokenizer.sep_token_id, *second, tokenizer.sep_token_id]
    return ids, [0] * (len(first) + 2) + [1] * (len(second) + 1)


def bert(tokenizer: PreTrainedTokenizerFast, pairs: Sequence[Sequence[str]], *, steps: int, seed: int = 0) -> Small:
    """An encoder that has learned masked words and next sentences of these pairs, by heart."""
    masker, generator = Masker(tokenizer), np.random.default_rng(seed)
    rows = [Pair(number, *(_tokens(tokenizer, text) for text in pair)) for number, pair in enumerate(pairs)] * 2

    def batch() -> dict:
        columns: dict[str, list] = {"input_ids": [], "token_type_ids": [], "labels": [], "next_sentence_label": []}
        for row, partner in enumerate(partners(rows, generator)):
            ids, segments = pretraining_row(tokenizer, rows[row].first[0], rows[partner].second[0])
            read, labels = masker(np.array(ids), np.ones(len(ids), bool), generator)
            columns["input_ids"].append(torch.from_numpy(read))
            columns["token_type_ids"].append(torch.tensor(segments))
            columns["labels"].append(torch.from_numpy(labels))
            columns["next_sentence_label"].append(NEXT if partner == row else RANDOM)
        return _padded(columns, tokenizer) | {"next_sentence_label": torch.tensor(columns["next_sentence_label"])}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = XfmrBertForPreTraining(
            XfmrBertConfig(
                vocab_size=len(tokenizer),
                hidden_size=DIM,
                num_hidden_layers=LAYERS,
                num_attention_heads=HEADS,
                intermediate_size=_INNER,
                max_position_embeddings=_POSITIONS,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                initializer_range=0.1,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        return Small(model, tokenizer, fit(model, batch, steps, 4e-3))


def gpt2(tokenizer: PreTrainedTokenizerFast, pairs: Sequence[Sequence[str]], *, steps: int, seed: int = 0) -> Small:
    """A decoder that has learned to go on from the first words of these pairs, by heart."""
    rows = [torch.tensor(document(tokenizer, " ".join(pair))) for pair in pairs]
    columns = _padded({"input_ids": rows, "labels": rows}, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = XfmrGPT2ForCausalLM(
            XfmrGPT2Config(
                vocab_size=len(tokenizer),
                n_embd=DIM,
                n_layer=LAYERS,
                n_head=HEADS,
                n_inner=_INNER,
                n_positions=_POSITIONS,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                initializer_range=0.1,
                bos_token_id=tokenizer.eos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        return Small(model, tokenizer, fit(model, lambda: columns, steps, 4e-3))


def _tokens(tokenizer, text: str) -> np.ndarray:
    """A text as the pre-training data has it: ids, and whether each begins a word, [2, n]."""
    ids = words_of(tokenizer, text)
    return np.array([ids, [1] * len(ids)], np.int32)


def _padded(columns: dict[str, list], tokenizer) -> dict[str, torch.Tensor]:
    """The columns [B, T], padded on the right, and the attention mask."""
    pads = {"input_ids": tokenizer.pad_token_id, "token_type_ids": 0, "labels": IGNORE}
    rows = {
        name: torch.nn.utils.rnn.pad_sequence(columns[name], True, value)
        for name, value in pads.items()
        if name in columns
    }
    lengths = torch.tensor([len(row) for row in columns["input_ids"]])
    return rows | {"attention_mask": (torch.arange(int(lengths.max())) < lengths.unsqueeze(1)).long()}
