"""A text as long as a library, tokenized in pieces: a tokenizer takes hundreds of bytes for each token it makes, so
that one line of 50 MB would take gigabytes."""

import re
from array import array
from collections.abc import Callable, Sequence

import psutil

from ...errors import UserError

PIECE = 100_000  # characters tokenized at a time
BYTES = 300  # that a tokenizer takes at most for each character it is given
_END = re.compile(r"[\s。！？；，、]")  # words end here, for tokenizers that never look across


def ids_of_long(text: str, tokenizer, encode: Callable[[list[str]], list[Sequence[int]]]) -> Sequence[int]:
    """The ids of one long text, those that it has as a whole: 4 bytes each where it can be taken apart.

    Raises `UserError` where it can't, because its tokens may reach over white space, and there is no room to tokenize
    it whole.
    """
    if not _is_of_words(tokenizer):
        need, free = BYTES * len(text), psutil.virtual_memory().available
        if need > free / 2:
            raise UserError(
                f"a text has {len(text):,} characters, for which a tokenizer takes up to {need / 1e9:,.1f} GB and "
                f"{free / 1e9:,.1f} GB are free: cut it into several rows"
            )
        return encode([text])[0]
    ids, start = array("i"), 0
    while start < len(text):
        found = _END.search(text, start + PIECE)
        end = found.end() if found else len(text)
        ids.extend(encode([text[start:end]])[0])
        start = end
    return ids


def _is_of_words(tokenizer) -> bool:
    """Whether a tokenizer reads word by word, as BERT's does: then a text's tokens are those of its parts."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if type(getattr(backend, "pre_tokenizer", None)).__name__ != "BertPreTokenizer":
        return False
    return not any(_END.search(token) for token in tokenizer.get_added_vocab())
