"""Where a text can be cut so that its parts have, one after another, the very tokens that it has as a whole.

What lies between two cuts must be read without a look beyond them, by the normalizer, the splitting into words, the
search for added tokens and the model. So the places depend on the kind of tokenizer:

| splits words by | cut |
|---|---|
| BertPreTokenizer | behind white space and stops, each its own word; between Chinese characters that stand alone |
| ByteLevel (GPT-2) | before a space, which begins the next word; between letters and a stop or a line's end |
| nothing, and BPE without merges | anywhere |
| Metaspace, in our `unigram` | before a space; behind a single stop between Chinese characters, see `Cuts.context` |

Any other kind has none: its tokens may reach over white space.
"""

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .unigram import unigram_normalizer, unigram_splits

HAN = "一-鿿"
STOPS = "。！？；，、"
BEHIND = rf"(?<=[ \t\n\u3000{STOPS}])"  # no control character: BERT's normalizer takes those out, and joins words
BEFORE_SPACE = r"(?<=\S)(?= )"
LETTER = rf"[A-Za-z0-9{HAN}ぁ-んァ-ヴ]"
TRIES = 10_000  # places that added tokens may spoil, one after another, before a text is said to have none


@dataclass(frozen=True)
class Cuts:
    """`pattern` matches nothing, at the places. A part is tokenized with the `context` characters before its cut, whose
    tokens are left out. No added token lies across a cut or within `margin` characters of it, and
    where they are looked for in a `changed` text, none in its neighbourhood."""

    pattern: re.Pattern
    added: tuple[str, ...] = ()
    context: int = 0
    margin: int = 0
    changed: bool = False

    def after(self, text: str, least: int) -> int:
        """The first place from `least` on; the text's length if there is none."""
        for found in islice(self.pattern.finditer(text, least), TRIES):
            if not self._spoilt(text, found.start()):
                return found.start()
        return len(text)

    def _spoilt(self, text: str, place: int) -> bool:
        if self.changed:
            reach = 2 * max(map(len, self.added)) + 2
            around = text[max(0, place - reach) : place + reach].casefold()
            return any(token.casefold() in around for token in self.added)
        for token in self.added:
            around = text[max(0, place - len(token) - self.margin + 1) : place + len(token) + self.margin - 1]
            if token in around:
                return True
        return False


def cuts_of(tokenizer: Any) -> Cuts | None:
    """The cuts of a tokenizer; None for a kind of which nothing is known."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    tokens = list(tokenizer.added_tokens_decoder.values())
    splits, normalizer = _state(backend.pre_tokenizer), _state(backend.normalizer)
    kind, normal = splits.get("type"), normalizer.get("type")
    added = tuple(token.content for token in tokens)
    changed = normal is not None and any(token.normalized for token in tokens)
    beside = any(token.single_word or token.lstrip or token.rstrip for token in tokens)
    if kind == "BertPreTokenizer" and normal in (None, "BertNormalizer"):
        if changed and any(re.search(rf"[\s{STOPS}]", one) for one in added):
            return None
        alone = normalizer.get("handle_chinese_chars") and not changed and not beside
        return Cuts(re.compile(rf"{BEHIND}|(?<=[{HAN}])(?=[{HAN}])" if alone else BEHIND), added, changed=changed)
    if changed:
        return None
    if kind == "ByteLevel" and splits.get("use_regex") and normal in (None, "Lowercase", "NFC"):
        ends = "" if splits.get("add_prefix_space") else rf"|(?<={LETTER})(?=[{STOPS}\n])"
        return Cuts(re.compile(BEFORE_SPACE + ends), added, margin=2 * beside)
    if beside:
        return None
    if kind is None and normal in (None, "Lowercase") and _is_of_characters(backend.model):
        return Cuts(re.compile(""), added)
    if splits == _state(unigram_splits()) and normalizer in (_state(unigram_normalizer(low)) for low in (False, True)):
        # An empty text between a space and an added token is one more token. A part begins a word, and
        # places in a text are told from the character before: so one stands before it, a word of its own.
        return Cuts(
            re.compile(rf"(?<=[A-Za-z0-9{HAN}])(?= [A-Za-z0-9{HAN}])|(?<=[{HAN}][{STOPS}])(?=[{HAN}])"),
            added,
            context=1,
            margin=2,
        )
    return None


def _state(part: Any) -> dict:
    return {} if part is None else json.loads(part.__getstate__())


def _is_of_characters(model: Any) -> bool:
    state = json.loads(model.__getstate__())
    return (
        state.get("type") == "BPE"
        and not state["merges"]
        and not any(state.get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"))
        and not (state.get("unk_token") and state.get("fuse_unk"))
    )
