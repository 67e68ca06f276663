"""Words of one's field added to a tokenizer, each a token where it was several: to BERT's WordPiece and GPT-2's BPE.

WordPiece gets them as added tokens, which stand for whole words alone and are normalized as the rest (`Flexion` is
`flexion` to an uncased one; of Chinese words, which have no spaces around them, wherever they stand). BPE gets merges
behind its own: of a word in n pieces n - 1, each with the token that it makes, so that decoding loses nothing and every
program that knows merges reads them. Parts of a word are those that the tokenizer made of it before.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import AddedToken, Tokenizer

from ..errors import UserError
from .chinese import cutter

LOOKED_AT = 20_000_000  # characters of texts that words are counted in
MEASURED = 2_000_000  # characters of texts whose tokens are counted before and after
SEEN = 10  # times that a word stands there at least
WORD = re.compile(r"[^\W\d_]{3,}")
HAN = re.compile(r"[\u3400-\u9fff]+")


@dataclass
class OwnWords:
    """What was added: of each new token by its id the ids it was before, and what is said of it."""

    parts: dict[int, list[int]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def kind_of(tokenizer: Any) -> str:
    """WordPiece or BPE. Raises `UserError` for a tokenizer to which no words can be added here."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state = {} if backend is None else json.loads(backend.to_str())
    kind = (state.get("model") or {}).get("type", type(tokenizer).__name__)
    splits = json.dumps(state.get("pre_tokenizer"))
    if kind == "WordPiece" or (kind == "BPE" and '"ByteLevel"' in splits):
        return str(kind)
    kind = "a BPE of characters" if kind == "BPE" else kind
    raise UserError(
        f"add_words is for the tokenizers of BERT (WordPiece) and GPT-2 (byte-level BPE), and this one is {kind}: "
        "leave it out, or train a tokenizer on your texts (tokenizer)"
    )


def frequent(texts: Iterable[str], tokenizer: Any, most: int) -> list[str]:
    """The words of texts, at most `most`, that save the most tokens as one each: those that stand there at least SEEN
    times and are several tokens, by times × (tokens - 1). Chinese words are cut by jieba where it is installed, and
    only then found."""
    counts: Counter[str] = Counter()
    lower, cut = _lowers(tokenizer), cutter()
    seen = 0
    for text in texts:
        seen += len(text)
        text = text.lower() if lower else text
        counts.update(WORD.findall(HAN.sub(" ", text)))
        if cut is not None:
            counts.update(word for run in HAN.findall(text) for word in cut(run) if len(word) > 1)
        if seen > LOOKED_AT:
            break
    words = [word for word, times in counts.items() if times >= SEEN]
    pieces = _pieces(words, tokenizer)
    gains = {word: counts[word] * (len(ids) - 1) for word, ids in zip(words, pieces, strict=True) if len(ids) > 1}
    return sorted(gains, key=lambda word: (-gains[word], word))[:most]


def add(tokenizer: Any, words: Sequence[str]) -> OwnWords:
    """Adds words to a tokenizer, which is changed; those that are one token already, or that it can't write, are
    counted and left as they are. Raises `UserError` for a kind of tokenizer that takes none, and for no word left."""
    kind, found = kind_of(tokenizer), OwnWords()
    words = list(dict.fromkeys(word.lower() if _lowers(tokenizer) else word for word in words))
    pieces = _pieces(words, tokenizer)
    unknown = {tokenizer.unk_token_id} if kind == "WordPiece" else set()
    new = [(word, ids) for word, ids in zip(words, pieces, strict=True) if len(ids) > 1 and not unknown & {*ids}]
    whole = sum(len(ids) == 1 and not unknown & {*ids} for ids in pieces)
    strange = [word for word, ids in zip(words, pieces, strict=True) if unknown & {*ids}]
    gone = [word for word, ids in zip(words, pieces, strict=True) if not ids]
    if not new:
        raise UserError(_why_none(whole, strange, gone))
    (_as_tokens if kind == "WordPiece" else _as_merges)(tokenizer, new, found)
    whole_now = sum(len(ids) == 1 for ids in _pieces([word for word, _ in new], tokenizer))
    more = f", with {len(found.parts) - len(new):,} tokens on the way" if len(found.parts) > len(new) else ""
    left = f"; {whole:,} are one token already" if whole else ""
    left += (
        f"{',' if whole else ';'} {len(strange):,} have characters that the tokenizer does not know" if strange else ""
    )
    left += f"; of {len(gone):,} the tokenizer leaves nothing" if gone else ""
    shown = ", ".join(f'"{word}"' for word, _ in new[:5])
    number = f"{len(new):,} words are" if len(new) > 1 else "1 word is"
    number = number if whole_now == len(new) else f"{whole_now:,} of {len(new):,} words are"
    found.lines.append(f"add_words: {number} one token each now ({shown}{', …' * (len(new) > 5)}){more}{left}")
    return found


def _why_none(whole: int, strange: Sequence[str], gone: Sequence[str]) -> str:
    """What is to be said where none is left of so many words that are one token, of those that can't be written, and
    of those that a tokenizer normalizes to nothing."""
    if gone and not strange:
        words = f"the other {len(gone):,} words" if whole else "the word" if len(gone) == 1 else "all words"
        begins = f"{whole:,} are one token already, and " if whole else ""
        shown = ", ".join(repr(word[:30]) for word in gone[:3])
        return f"add_words: {begins}the tokenizer leaves nothing of {words} ({shown}): give others"
    if not strange:
        words = "the word is" if whole == 1 else f"all {whole:,} words are"
        return f"add_words: {words} one token already: leave it out, or give others"
    shown = ", ".join(f'"{word[:30]}"' for word in strange[:3]) + ", …" * (len(strange) > 3)
    words = "the word has" if len(strange) == 1 else f"all {len(strange):,} words have"
    if whole:
        words = f"of {whole + len(strange):,} words {whole:,} are one token already, and all others have"
    return (
        f"add_words: {words} characters that the tokenizer does not know ({shown}), and a word begins as the mean of "
        "pieces that it knows: give other words, or a model whose tokenizer knows these characters"
    )


def _pieces(words: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """The ids of each word as it stands within a text: of BPE with the space before it."""
    if not words:
        return []
    spaced = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["type"] == "BPE"  # all but Chinese words
    given = [f" {word}" if spaced and not HAN.search(word) else word for word in words]
    return tokenizer(given, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]


def _lowers(tokenizer: Any) -> bool:
    normalizer = tokenizer.backend_tokenizer.normalizer
    return normalizer is not None and normalizer.normalize_str("A") == "a"


def _as_tokens(tokenizer: Any, new: Sequence[tuple[str, list[int]]], found: OwnWords) -> None:
    first = len(tokenizer)
    tokenizer.add_tokens([AddedToken(word, single_word=not HAN.search(word), normalized=True) for word, _ in new])
    for word, ids in new:
        if (number := tokenizer.convert_tokens_to_ids(word)) >= first:
            found.parts[number] = ids


def _as_merges(tokenizer: Any, new: Sequence[tuple[str, list[int]]], found: OwnWords) -> None:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary, merges = state["model"]["vocab"], state["model"]["merges"]
    known = {tuple(pair) for pair in merges}
    texts = {number: token for token, number in vocabulary.items()}
    following = max([*vocabulary.values(), *tokenizer.added_tokens_encoder.values()]) + 1
    for _, ids in new:
        so_far, parts = texts[ids[0]], [ids[0]]
        for number in ids[1:]:
            merged = so_far + texts[number]
            parts = [*parts, number]
            if merged not in vocabulary:
                vocabulary[merged] = following
                found.parts[following] = parts
                following += 1
            if (so_far, texts[number]) not in known:
                known.add((so_far, texts[number]))
                merges.append([so_far, texts[number]])
            so_far = merged
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state, ensure_ascii=False))


def shortened(texts: Iterable[str], before: Any, after: Any) -> str:
    """How much shorter texts are by the tokenizer with words than by that without, as a line of a report."""
    some, characters = [], 0
    for text in texts:
        some.append(text[:MEASURED])
        characters += len(some[-1])
        if characters > MEASURED:
            break
    how = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
    new, old = (sum(map(len, one(some, **how)["input_ids"])) for one in (after, before))
    return (
        f"train texts are {1 - new / max(old, 1):.1%} shorter with them: {new:,} tokens for {old:,} before, of "
        f"{characters:,} characters"
    )
