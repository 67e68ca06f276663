"""Masked words (section 3.1 of Devlin et al. 2018, task 1), drawn from a seed, an epoch and a row alone."""

import numpy as np

from ...errors import UserError

SHARE = 0.15  # of the words that are to be predicted
AS_MASK, AS_RANDOM = 0.8, 0.1  # of these become [MASK] and any other token; the rest stays as it is
IGNORE = -100


class Masker:
    """Chooses the words to predict and hides them. Special tokens, unknown ones too, are never chosen nor put in.

    Each word is chosen with probability 0.15, independently, where a word is what `starts` says: each token, or all
    the pieces of a whole word together. Each token chosen then becomes [MASK], a random token, or stays (80/10/10).
    """

    def __init__(self, tokenizer):
        if tokenizer.mask_token_id is None:
            raise UserError(f"{type(tokenizer).__name__} has no token for a masked word: use a tokenizer made for BERT")
        self.mask = tokenizer.mask_token_id
        self.special = np.zeros(len(tokenizer), bool)
        self.special[tokenizer.all_special_ids] = True
        self.ordinary = np.flatnonzero(~self.special)

    def __call__(
        self, ids: np.ndarray, starts: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """ids [n] and starts [n] bool (the token begins a word) to what the model reads and its labels, both [n] int64,
        -100 where nothing is to be predicted."""
        word = np.cumsum(starts) - starts[0]
        chosen = (generator.random(word[-1] + 1) < SHARE)[word] & ~self.special[ids]
        labels = np.where(chosen, ids, IGNORE)
        places = np.flatnonzero(chosen)
        draw = generator.random(len(places))
        others = generator.choice(self.ordinary, len(places))
        read = ids.astype(np.int64)
        read[places[draw < AS_MASK]] = self.mask
        random = (draw >= AS_MASK) & (draw < AS_MASK + AS_RANDOM)
        read[places[random]] = others[random]
        return read, labels.astype(np.int64)
