"""Findings about texts as their tokenizer and their model see them: unknown words, tokens cut, ids, special tokens."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.part import Part
from .findings import SHOWN, Finding, counted, ids, per_cent

ROWS, CHARACTERS = 5_000, 2_000_000  # of train, tokenized for the figures


@dataclass(frozen=True)
class Encoded:
    """A column's texts and their tokens: `lengths` [n] without special tokens, which rows have unknown ones, how often
    each id is used, and the number of characters (white space not counted) of each script."""

    part: Part
    column: str
    tokenizer: Any
    lengths: np.ndarray
    unknown_rows: list[int]
    used: Counter
    scripts: Counter

    @property
    def unknown(self) -> float:
        """Share of the tokens that are the unknown token."""
        return self.used[self.tokenizer.unk_token_id] / max(self.used.total(), 1)


@functools.cache
def script(character: str) -> str:
    """The script of a letter, as Latin, Cyrillic or Han; "" for digits, signs and white space."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "?").split()[0].split("-")[0].capitalize()
    return {"Cjk": "Han"}.get(name, name)


def encode(part: Part, encoders: Mapping[str, tuple[Any, Callable]]) -> list[Encoded]:
    """Tokenize rows from all over a part, each column by its own tokenizer."""
    part = part.spread(rows=ROWS, characters=CHARACTERS)
    found = []
    for column, texts in part.texts.items():
        tokenizer, to_ids = encoders[column]
        rows = to_ids(texts)
        letters = Counter(c for text in texts for c in text)
        scripts: Counter = Counter()
        for letter, count in letters.items():
            scripts[script(letter)] += count if not letter.isspace() else 0
        used = Counter(one for row in rows for one in row)
        lengths = np.array([len(row) for row in rows])
        strange = [row for row, one in enumerate(rows) if tokenizer.unk_token_id in one]
        found.append(Encoded(part, column, tokenizer, lengths, strange, used, scripts))
    return found


def unknown(one: Encoded) -> Iterator[Finding]:
    """Much that is unknown, or many tokens a character: a tokenizer of another language or script."""
    total, characters = one.used.total(), one.scripts.total()
    main = (one.scripts - Counter({"": one.scripts[""]})).most_common(1)
    if not total or not main:
        return
    column = one.part.named(one.column)
    name, count = main[0]
    with_script = sum(any(script(c) == name for c in token) for token in one.tokenizer.get_vocab())
    language = (
        f"the text's letters are {per_cent(count / (characters - one.scripts['']))} {name}, which "
        f"{with_script:,} of the vocabulary's {len(one.tokenizer):,} tokens have"
    )
    if one.unknown >= 0.02:
        rows = [one.part.ids[row] for row in one.unknown_rows]
        yield Finding(
            level="error" if one.unknown >= 0.5 else "warning",
            name="unknown-tokens",
            message=f'{per_cent(one.unknown)} of the tokens of train column "{column}" are unknown to the '
            f"tokenizer ({one.tokenizer.unk_token}), as in {ids(rows)}: {language}",
            advice="take a checkpoint of this language, or train a tokenizer on the texts",
            split="train",
            column=column,
            rows=tuple(rows[:SHOWN]),
        )
    elif total > 1.3 * characters:
        yield Finding(
            level="warning",
            name="fragmented",
            message=f'train column "{column}" is {total / characters:.1f} tokens a character: {language}',
            advice="take a checkpoint of this language: this tokenizer writes it in bytes",
            split="train",
            column=column,
        )


def cut(columns: list[Encoded], *, limit: int | None) -> Iterator[Finding]:
    """Rows of which the model does not see all; `limit` is of tokens, special ones included."""
    if limit is None:
        return
    part, lengths = columns[0].part, whole_lengths(columns)
    over = lengths > limit
    lost = float(np.maximum(lengths - limit, 0).sum() / max(lengths.sum(), 1))
    if lost > 0.05:
        rows = [part.ids[row] for row in np.flatnonzero(over)]
        fits = int(np.percentile(lengths, 99, method="inverted_cdf"))
        yield Finding(
            level="warning",
            name="cut",
            message=f"max_length {limit:,} leaves about {per_cent(lost)} of the train tokens unread, in "
            f"{per_cent(float(over.mean()))} of the rows ({ids(rows)})",
            advice=f"99 % of the rows fit into {fits:,} tokens: raise max_length, or see over_long",
            split="train",
            rows=tuple(rows[:SHOWN]),
        )


def whole_lengths(columns: list[Encoded]) -> np.ndarray:
    """Tokens of each row, uncut, special tokens included; of a translation the longer side."""
    if columns[0].column == "source":
        return np.maximum.reduce([one.lengths + 1 for one in columns])
    specials = columns[0].tokenizer.num_special_tokens_to_add(pair=len(columns) > 1)
    return np.sum([one.lengths for one in columns], axis=0) + specials


def special_in_text(part: Part, encoders: Mapping[str, tuple[Any, Callable]]) -> Iterator[Finding]:
    """Texts in which a special token is written out: the tokenizer takes it for the real one."""
    for column, texts in part.texts.items():
        tokenizer, to_ids = encoders[column]
        for token in tokenizer.all_special_tokens:
            rows = [row for row, text in enumerate(texts) if token in text]
            number = tokenizer.convert_tokens_to_ids(token)
            if rows and number in to_ids([texts[rows[0]]])[0]:
                found = [part.ids[row] for row in rows]
                yield Finding(
                    level="warning",
                    name="special-token-in-text",
                    message=f'{counted(len(rows), part.split)} "{token}" written in column "{part.named(column)}" '
                    f"({ids(found)}), which the tokenizer takes for its own token",
                    advice="write it in another way",
                    split=part.split,
                    column=part.named(column),
                    rows=tuple(found[:SHOWN]),
                )


def beyond_embedding(one: Encoded, size: int) -> Iterator[Finding]:
    """Ids without a row in the embedding: the run would fail, or on some devices read garbage."""
    largest, column = max(one.used, default=0), one.part.named(one.column)
    if largest >= size:
        yield Finding(
            level="error",
            name="ids-beyond-embedding",
            message=f'column "{column}" has the id {largest} '
            f'("{one.tokenizer.convert_ids_to_tokens(largest)}"), but the model\'s embedding ends at {size - 1}',
            advice="use the checkpoint's own tokenizer",
            split=one.part.split,
            column=column,
        )


def special_tokens(tokenizer, config, *, generates: bool) -> Iterator[Finding]:
    """Padding, end and beginning of texts, as the tokenizer and the model's config have them."""

    def differ(name: str) -> bool:
        told, known = getattr(config, f"{name}_token_id", None), getattr(tokenizer, f"{name}_token_id")
        return told is not None and known is not None and known not in (told if isinstance(told, list) else [told])

    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id == tokenizer.unk_token_id:
        yield Finding(
            level="warning",
            name="padding-is-unknown",
            message=f"the tokenizer pads with {tokenizer.pad_token}, its token for unknown words",
            advice="give it a padding token of its own",
        )
    for name in ["pad", "eos", "bos"] if generates else ["pad"]:
        if differ(name):
            yield Finding(
                level="warning",
                name=f"{name}-differs",
                message=f"the model's {name}_token_id is {getattr(config, f'{name}_token_id')}, the tokenizer's "
                f"{getattr(tokenizer, f'{name}_token_id')} ({getattr(tokenizer, f'{name}_token')})",
                advice="use the checkpoint's own tokenizer, or set the config's id",
            )
    if generates and tokenizer.eos_token_id is None:
        yield Finding(
            level="error",
            name="no-end",
            message="the tokenizer has no end-of-text token, so no generated text would end",
            advice="set tokenizer.eos_token",
        )
