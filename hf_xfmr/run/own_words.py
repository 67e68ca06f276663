"""Words of one's field in a checkpoint: its tokenizer takes them, and each new embedding begins as the mean of those
that the word was written with before."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..data.regular import check_regular
from ..data.text_files import lines
from ..data.wording import short
from ..errors import UserError
from ..tokenizer import own_words
from .console import say

AUTO = "auto"


@dataclass(kw_only=True)
class OwnWordsSettings:
    """Which words a checkpoint is given before it is trained on."""

    add_words: str | None = field(
        default=None,
        metadata={
            "help": "words that become a token each: a file with one on a line; or auto, those of the train texts that "
            "save the most tokens"
        },
    )
    max_added_words: int = field(default=1000, metadata={"help": "add_words auto: so many at most"})


def check(settings: Any) -> None:
    """Raises `UserError` for words without a checkpoint, and for a number that can't be."""
    if settings.add_words is not None and not settings.model:
        raise UserError(
            "add_words is for a checkpoint (model), and a vocabulary made from scratch has your texts' words already: "
            "leave it out, or give a larger vocab_size in model_config"
        )
    if not 1 <= settings.max_added_words <= 100_000:
        raise UserError(f"max_added_words is {settings.max_added_words}; it is at least 1 and at most 100,000")


class Growing:
    """In the place of a checkpoint's tokenizer: what makes it one with words once the train texts are known."""

    def __init__(self, tokenizer: Any, settings: Any):
        own_words.kind_of(tokenizer)
        self.tokenizer, self.most = tokenizer, settings.max_added_words
        self.words = None if settings.add_words == AUTO else of_file(settings.add_words)
        self.chat_template = getattr(tokenizer, "chat_template", None)

    def apply_chat_template(self, messages: Sequence[dict], **how: Any) -> Any:
        return self.tokenizer.apply_chat_template(messages, **how)

    def __call__(self, texts: Iterable[str]) -> Any:
        """The tokenizer with the words. Raises `UserError` if none is to be added."""
        words = self.words
        if words is None:
            words = own_words.frequent(texts, self.tokenizer, self.most)
            if not words:
                raise UserError(
                    f"add_words auto: no word of several tokens stands {own_words.SEEN} times in the train texts: give "
                    "a file of words, or leave it out"
                )
        before = copy.deepcopy(self.tokenizer)
        found = own_words.add(self.tokenizer, words)
        found.lines.append(own_words.shortened(texts, before, self.tokenizer))
        self.tokenizer.own_words = found
        return self.tokenizer


def said(tokenizer: Any) -> list[str]:
    """What a report says of the words a tokenizer was given; nothing, if none."""
    found = getattr(tokenizer, "own_words", None)
    return [] if found is None else found.lines


def of_file(name: str) -> list[str]:
    """The words of a text file, one on a line; empty lines are none. Raises `UserError` for what is no such file, or is
    empty."""
    path = Path(name).expanduser()
    check_regular(path, f"file of words (add_words; or say {AUTO})")
    found = []
    for number, line in enumerate(lines(path), 1):
        word = line.strip()
        if not word:
            continue
        if len(word.split()) > 1 or len(word) > 100:
            raise UserError(f'{path}: line {number} is "{short(word, 40)}", not one word: put each on its own line')
        found.append(word)
    return found


@torch.no_grad()
def grow(model: Any, tokenizer: Any, vocabulary: int) -> None:
    """Gives a checkpoint of so many words a row for each of the tokenizer's, in the output and its bias too: the mean
    of its parts' for each word of `Growing`; rows for other tokens are new ones, and are said."""
    found = getattr(tokenizer, "own_words", None)
    parts: dict[int, list[int]] = {} if found is None else found.parts
    size = max([vocabulary, len(tokenizer), *(number + 1 for number in parts)])
    if size > vocabulary:
        model.resize_token_embeddings(size, mean_resizing=not parts)
    if (more := len(tokenizer) - vocabulary - len(parts)) > 0:
        say(
            f"embeddings: {more:,} rows added to the checkpoint's {vocabulary:,}, for tokens of the tokenizer that it "
            "has not; these start untrained"
        )
    if not parts:
        return
    numbers = list(parts)
    out = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight]
    if out is not None and out.weight is not tables[0]:
        tables.append(out.weight)
    if out is not None and getattr(out, "bias", None) is not None:
        tables.append(out.bias)
    for table in tables:
        table[numbers] = torch.stack([table[ids].mean(0) for ids in parts.values()])
    say(f"embeddings: {len(parts):,} rows added to the checkpoint's {vocabulary:,}, each the mean of its parts'")
