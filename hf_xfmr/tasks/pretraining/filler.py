"""Fill in masked words with a BERT, whatever computes it."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ... import engines
from ...errors import UserError
from ...run import finite
from ...tokenizer import long_texts
from ..task import task_of

HEAD = "AutoModelForMaskedLM"


class Filler:
    """A masked language model and its tokenizer, from a run's folder, an exported one or a Hub name. `engine` computes
    it; None: what the folder is for (see `engines.find`)."""

    def __init__(self, model: str, *, engine: str | None = None):
        task_of(model, "fill", engine)
        self.name = model
        self.engine = engines.rows(model, HEAD, engine)
        self.tokenizer = self.engine.tokenizer
        if self.tokenizer.mask_token is None:
            raise UserError(f"{model}: its tokenizer has no [MASK] token, so it can't fill in words")

    def __call__(self, text: str, *, top_k: int = 5) -> dict:
        """{"text", "masks": for each [MASK] its `top_k` [{"token", "probability"}], "filled": with the first of each}.

        Raises UserError for a text without [MASK], one longer than the model reads, one to which the model gives no
        finite numbers, or a `top_k` that can't be.
        """
        mask, words = self.tokenizer.mask_token, len(self.tokenizer)
        if not 1 <= top_k <= words:
            raise UserError(f"top_k is {top_k}; it is at least 1 and at most the vocabulary's {words:,}")
        longest = engines.positions(self.engine.config)
        long_texts.check_length(text, self.tokenizer, longest)
        ids = list(self.tokenizer(text, verbose=False)["input_ids"])
        if len(ids) > longest:
            raise UserError(f'"{text[:20]}…" is {len(ids):,} tokens, and the model reads {longest:,}: shorten it')
        places = [place for place, one in enumerate(ids) if one == self.tokenizer.mask_token_id]
        if not places:
            raise UserError(f'"{text[:40]}" has no {mask} to fill in: write it where a word is missing')
        logits = self.engine([ids])[0, places, :words]
        finite.check(self.name, f'"{text[:40]}"', logits)
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)  # (masks, vocab)
        masks: list[list[dict[str, Any]]] = [
            [
                {"token": self._word(int(token)), "probability": round(float(row[token]), 6)}
                for token in np.argsort(-row, kind="stable")[:top_k]
            ]
            for row in shares
        ]
        filled = text
        for one in masks:
            filled = filled.replace(mask, one[0]["token"], 1)
        return {"text": text, "masks": masks, "filled": filled}

    def _word(self, token: int) -> str:
        """A token as text: without the mark of a word's beginning, but with that of a piece that continues one."""
        return self.tokenizer.convert_ids_to_tokens(token).replace("▁", "")


def fill(model: str, texts: Iterable[str], *, top_k: int = 5, engine: str | None = None) -> Iterator[dict]:
    """For each text what `Filler` says of it, in their order. `model` is a folder, exported or not, or a Hub name."""
    filler = Filler(model, engine=engine)
    yield from (filler(text, top_k=top_k) for text in texts)
