"""Fill in masked words with a BERT: one JSON line for each text, with the likeliest tokens of each [MASK].

Texts are the arguments, or else the lines of standard input. A [MASK] is one token, in Chinese most often a character:
a word of two characters takes two. Several are filled each on its own, as in training, and not to suit one another.
"""

import argparse
import json
import sys
from collections.abc import Sequence

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from .. import recipe
from ..errors import UserError


class Filler:
    """A masked language model and its tokenizer, from one folder or Hub name."""

    def __init__(self, model: str):
        self.tokenizer = recipe.from_pretrained(AutoTokenizer, model)
        if self.tokenizer.mask_token is None:
            raise UserError(f"{model}: its tokenizer has no [MASK] token, so it can't fill in words")
        self.model = recipe.from_pretrained(AutoModelForMaskedLM, model).eval()
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")

    @torch.inference_mode()
    def __call__(self, text: str, *, top_k: int = 5) -> dict:
        """{"text", "masks": for each [MASK] its `top_k` [{"token", "probability"}], "filled": with the first of each}.

        Raises UserError for a text without [MASK], one longer than the model reads, or a `top_k` that can't be.
        """
        mask = self.tokenizer.mask_token
        if not 1 <= top_k <= len(self.tokenizer):
            raise UserError(f"top_k is {top_k}; it is at least 1 and at most the vocabulary's {len(self.tokenizer):,}")
        inputs = self.tokenizer(text, return_tensors="pt", verbose=False).to(self.model.device)
        ids, longest = inputs["input_ids"][0], self.model.config.max_position_embeddings
        if len(ids) > longest:
            raise UserError(f'"{text[:20]}…" is {len(ids):,} tokens, and the model reads {longest:,}: shorten it')
        places = (ids == self.tokenizer.mask_token_id).nonzero().squeeze(1)
        if not len(places):
            raise UserError(f'"{text[:40]}" has no {mask} to fill in: write it where a word is missing')
        shares = self.model(**inputs).logits[0, places, : len(self.tokenizer)].float().softmax(-1)  # (masks, vocab)
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, or a model on the Hub")
    parser.add_argument("texts", nargs="*", help="texts with [MASK] in them; none: the lines of standard input")
    parser.add_argument("--top_k", type=int, default=5, help="tokens to show for each mask (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    if not arguments.texts and sys.stdin.isatty():
        raise UserError("no texts: give them as arguments, or pipe in a file with one text a line")
    filler = Filler(arguments.model)
    lines: Sequence[str] = arguments.texts or [line.rstrip("\n") for line in sys.stdin]
    for text in lines:
        print(json.dumps(filler(text, top_k=arguments.top_k), ensure_ascii=False), flush=True)
