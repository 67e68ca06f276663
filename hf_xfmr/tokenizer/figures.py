"""What a tokenizer makes of texts: size, unknown words, length, and what comes back."""

import re
from collections.abc import Iterable
from itertools import islice

from tokenizers import Tokenizer, decoders
from transformers import PreTrainedTokenizerBase

from ..errors import UserError
from .kinds import BYTES
from .words import read

# What white space separates, but for Chinese, where each character counts as a word.
WORD = re.compile(r"[㐀-䶿一-鿿豈-﫿𠀀-𯨟]|[^\s㐀-䶿一-鿿豈-﫿𠀀-𯨟]+")


def promised(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """What encoding and decoding keep of a text, if no token is unknown and it names no special token.

    `bpe` and `char`: every character. `unigram`: the text after NFKC, each run of white space one space, and none at
    either end. `wordpiece`: the text after BERT's normaliser (no control characters; if lowering, no capitals and
    accents), without white space, as decoding puts a space between any two words. A tokenizer from elsewhere promises
    what its own normaliser leaves.

    Raises:
        UserError: the tokenizer is not one of the `tokenizers` library, so its normaliser cannot be asked.
    """
    normalizer = _backend(tokenizer).normalizer
    return _unspaced(tokenizer, text if normalizer is None else normalizer.normalize_str(text))


def _backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UserError(f"{type(tokenizer).__name__} has no tokenizer.json: a report needs a fast tokenizer")
    return tokenizer.backend_tokenizer


def _unspaced(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """A text, without white space if the tokenizer decodes word pieces, which puts a space between any two words."""
    return "".join(text.split()) if isinstance(_backend(tokenizer).decoder, decoders.WordPiece) else text


def report(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], *, length: int | None = None) -> dict[str, float]:
    """What a tokenizer makes of texts, best held out from its training: read once and not kept.

    Special tokens are left out of all counts.

    Returns:
        `vocabulary` (tokens), `texts`, `words` (between white space; each Chinese character is one), `characters`,
        `tokens`; `unknown_rate` and `byte_rate`, the share of tokens that are the unknown token and single bytes for
        want of a better one; `tokens_per_word`, `tokens_per_character`; `round_trip_rate`, the share of texts that
        decode to what is `promised`.

    Raises:
        UserError: no text, an item that is not a string, or a tokenizer without tokenizer.json.
    """
    sums = dict.fromkeys(("texts", "words", "characters", "tokens", "unknown", "bytes", "kept"), 0)
    unknown = tokenizer.unk_token_id
    byte_ids = {tokenizer.get_vocab().get(token) for token in BYTES} - {None}
    stream = read(texts, length)
    while batch := list(islice(stream, 256)):
        rows = tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]
        decoded = tokenizer.batch_decode(rows, clean_up_tokenization_spaces=False)
        for text, row, back in zip(batch, rows, decoded, strict=True):
            sums["texts"] += 1
            sums["words"] += len(WORD.findall(text))
            sums["characters"] += len(text)
            sums["tokens"] += len(row)
            sums["unknown"] += row.count(unknown)
            sums["bytes"] += sum(token in byte_ids for token in row)
            sums["kept"] += _unspaced(tokenizer, back) == promised(tokenizer, text)
    tokens = sums["tokens"] or 1  # a normaliser may leave nothing
    return {
        "vocabulary": len(tokenizer),
        **{name: sums[name] for name in ("texts", "words", "characters", "tokens")},
        "unknown_rate": sums["unknown"] / tokens,
        "byte_rate": sums["bytes"] / tokens,
        "tokens_per_word": sums["tokens"] / sums["words"],
        "tokens_per_character": sums["tokens"] / sums["characters"],
        "round_trip_rate": sums["kept"] / sums["texts"],
    }


def format_report(figures: dict[str, float]) -> str:
    """The figures of `report`, a line each: rates in per cent."""

    def shown(name: str, value: float) -> str:
        if name.endswith("_rate"):
            return f"{value:.2%}"
        return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"

    return "\n".join(f"{name.replace('_', ' '):<21}{shown(name, value):>12}" for name, value in figures.items())
