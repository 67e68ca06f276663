"""What is said where a tokenizer has no token for a character and none for the unknown, as nanoGPT's of characters."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import UserError


@contextmanager
def naming(texts: Iterable[str], tokenizer: Any) -> Iterator[None]:
    """Raises `UserError` for the first of the `texts` that the `tokenizer` within can't read, and which character it
    is."""
    try:
        yield
    except Exception as error:  # the library's own, of no kind
        if "[UNK]" not in str(error):
            raise
        known = tokenizer.get_vocab()
        strange = next(((one, text) for text in texts for one in text if one not in known), None)
        if strange is None:
            raise
        raise UserError(
            f'the tokenizer has no token for {strange[0]!r}, as in "{strange[1][:30]}", nor for anything but its '
            f"{len(known):,} characters: take such characters out of the texts"
        ) from None
