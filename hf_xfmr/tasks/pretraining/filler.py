"""Fill in masked words with a BERT."""

from collections.abc import Iterable, Iterator

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from ...errors import UserError
from ...registration import longest_row
from ...run import adapted, finite
from ...tokenizer import long_texts
from ..task import task_of


class Filler:
    """A masked language model and its tokenizer, from one folder or Hub name."""

    def __init__(self, model: str):
        task_of(model, "fill")
        self.name = model
        self.tokenizer = adapted.from_pretrained(AutoTokenizer, model)
        if self.tokenizer.mask_token is None:
            raise UserError(f"{model}: its tokenizer has no [MASK] token, so it can't fill in words")
        self.model = adapted.to_use(AutoModelForMaskedLM, model)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")

    @torch.inference_mode()
    def __call__(self, text: str, *, top_k: int = 5) -> dict:
        """{"text", "masks": for each [MASK] its `top_k` [{"token", "probability"}], "filled": with the first of each}.

        Raises UserError for a text without [MASK], one longer than the model reads, one to which the model gives no
        finite numbers, or a `top_k` that can't be.
        """
        mask = self.tokenizer.mask_token
        if not 1 <= top_k <= len(self.tokenizer):
            raise UserError(f"top_k is {top_k}; it is at least 1 and at most the vocabulary's {len(self.tokenizer):,}")
        longest = longest_row(self.model.config)
        long_texts.check_length(text, self.tokenizer, longest)
        inputs = self.tokenizer(text, return_tensors="pt", verbose=False).to(self.model.device)
        ids = inputs["input_ids"][0]
        if len(ids) > longest:
            raise UserError(f'"{text[:20]}…" is {len(ids):,} tokens, and the model reads {longest:,}: shorten it')
        places = (ids == self.tokenizer.mask_token_id).nonzero().squeeze(1)
        if not len(places):
            raise UserError(f'"{text[:40]}" has no {mask} to fill in: write it where a word is missing')
        logits = self.model(**inputs).logits[0, places, : len(self.tokenizer)].float()
        finite.check(self.name, f'"{text[:40]}"', logits)
        shares = logits.softmax(-1)  # (masks, vocab)
        best, tokens = shares.topk(top_k)
        masks = [
            [
                {"token": self._word(token), "probability": round(share, 6)}
                for token, share in zip(row_tokens, row_shares, strict=True)
            ]
            for row_tokens, row_shares in zip(tokens.tolist(), best.tolist(), strict=True)
        ]
        filled = text
        for one in masks:
            filled = filled.replace(mask, one[0]["token"], 1)
        return {"text": text, "masks": masks, "filled": filled}

    def _word(self, token: int) -> str:
        """A token as text: without the mark of a word's beginning, but with that of a piece that continues one."""
        return self.tokenizer.convert_ids_to_tokens(token).replace("▁", "")


def fill(model: str, texts: Iterable[str], *, top_k: int = 5) -> Iterator[dict]:
    """For each text what `Filler` says of it, in their order. `model` is a folder or a Hub name."""
    filler = Filler(model)
    yield from (filler(text, top_k=top_k) for text in texts)
