"""Which head of a checkpoint finds what a pronoun stands for, measured on sentences whose answer is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..drawing import attention


@dataclass(frozen=True)
class Found:
    """A head (layer and head from 1): in how many of the sentences the pronoun gives more to its antecedent than to any
    other token at all, by where that stands (`first` or `second` of two nouns); `among_words`, in how many if
    [CLS], [SEP] and the pronoun itself are left aside, where heads rest that find nothing; the antecedent's mean share.
    """

    layer: int
    head: int
    hits: int
    first: int
    second: int
    among_words: int
    share: float


def measure(model, tokenizer, cases: Mapping[str, Sequence[Sequence[str]]]) -> tuple[list[Found], dict[str, int]]:
    """All heads, the best first, and how many sentences of each kind were asked. `cases` are lists, under `first` and
    `second`, of (sentence, pronoun, antecedent); those whose words the tokenizer does not know are left out."""
    hits: dict[str, list[np.ndarray]] = {"first": [], "second": []}
    among, shares = [], []
    for kind, sentences in cases.items():
        for sentence, pronoun, antecedent in sentences:
            ids = tokenizer(sentence)["input_ids"]
            tokens = attention.shown(tokenizer, ids)
            asks, wanted = last_of(pronoun, tokens), attention.places_of(antecedent, tokens)
            if not asks or not wanted:
                continue
            with attention.eager(model):
                layers = model(torch.tensor([ids]), output_attentions=True).attentions
            row = torch.stack([one[0, :, asks].mean(1) for one in layers]).float().numpy()  # (layers, H, S)
            shares.append(row[:, :, wanted].sum(-1))
            hits[kind].append(np.isin(row.argmax(-1), wanted))
            special = [place for place, one in enumerate(ids) if one in tokenizer.all_special_ids]
            row[:, :, [*asks, *special]] = 0
            among.append(np.isin(row.argmax(-1), wanted))
    if not shares:
        return [], dict.fromkeys(hits, 0)
    counts = {kind: np.sum(found, 0) if found else np.zeros(shares[0].shape, int) for kind, found in hits.items()}
    mean = np.mean(shares, 0)
    found = [
        Found(
            layer + 1,
            head + 1,
            int(sum(one[layer, head] for one in counts.values())),
            int(counts["first"][layer, head]),
            int(counts["second"][layer, head]),
            int(sum(one[layer, head] for one in among)),
            float(mean[layer, head]),
        )
        for layer, head in np.ndindex(mean.shape)
    ]
    return sorted(found, key=lambda one: (-one.hits, -one.share)), {kind: len(one) for kind, one in hits.items()}


def last_of(word: str, tokens: Sequence[str]) -> list[int]:
    """The tokens of a word where it stands last: pronouns follow what they stand for."""
    reversed_places = [place for place, token in enumerate(tokens) if token.casefold() == word.casefold()]
    return reversed_places[-1:] or attention.places_of(word, tokens)
