"""Train a tokenizer on a stream of texts, and report what it makes of other texts.

Four kinds, each saved as tokenizer.json and tokenizer_config.json, so that plain `AutoTokenizer` loads it:

- `wordpiece` (BERT): Chinese characters one by one, `[CLS] a [SEP] b [SEP]` with token types, `[UNK]` for a word
  with an unseen character.
- `bpe` (GPT-2): merges of bytes; no text is unknown. `<|endoftext|>` begins and ends a document, `<|pad|>` pads.
- `unigram` (Marian): SentencePiece over NFKC text, `</s>` after it; unseen characters are spelt in bytes.
- `char`: a token for each character of the corpus, bytes for any other; specials as in `bpe`.

`for_encoder` gives any of them the special tokens of BERT.
"""

from .encoder import ENCODER_TOKENS, for_encoder
from .figures import format_report, promised, report
from .kinds import train

__all__ = ["ENCODER_TOKENS", "for_encoder", "format_report", "promised", "report", "train"]
