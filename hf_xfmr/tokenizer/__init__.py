"""Train a tokenizer on a stream of texts, and report what it makes of other texts.

Four kinds, each saved as tokenizer.json and tokenizer_config.json, so that plain `AutoTokenizer` loads it:

- `wordpiece` (BERT): Chinese characters one by one, `[CLS] a [SEP] b [SEP]` with token types, `[UNK]` for a word
  with an unseen character.
- `bpe` (GPT-2): merges of bytes; no text is unknown. `<|endoftext|>` begins and ends a document, `<|pad|>` pads.
- `unigram` (Marian): SentencePiece over NFKC text, `</s>` after it; unseen characters are spelt in bytes.
- `char`: a token for each character of the corpus, bytes for any other; specials as in `bpe`.

`for_encoder` gives any of them the special tokens of BERT.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .encoder import ENCODER_TOKENS, for_encoder
    from .figures import format_report, promised, report
    from .kinds import train

__all__ = ["ENCODER_TOKENS", "for_encoder", "format_report", "promised", "report", "train"]

_HOMES = {"ENCODER_TOKENS": "encoder", "for_encoder": "encoder", "train": "kinds"}  # the others: figures


def __getattr__(name: str):
    if name not in __all__:  # what cuts long texts is imported where nothing is trained, and transformers is not there
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES.get(name, 'figures')}", __name__), name)
