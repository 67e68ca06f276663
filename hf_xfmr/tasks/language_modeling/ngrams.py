"""What a language model has to beat: tokens guessed by how common they are in train, alone or after the one before."""

from collections.abc import Iterable

import numpy as np

MOST = 2_000_000  # tokens of train that are counted


class Ngrams:
    """Unigrams and bigrams of token sequences, smoothed by Witten and Bell's rule (1991): what was never seen gets as
    much as there are different things seen."""

    def __init__(self, documents: Iterable[np.ndarray], size: int):
        """Counts MOST tokens at most; `size` is the vocabulary's."""
        self.size, some, seen = size, [], 0
        for ids in documents:
            some.append(np.asarray(ids[: MOST - seen], np.int64))
            seen += len(some[-1])
            if seen >= MOST:
                break
        firsts, seconds = (np.concatenate([ids[part] for ids in some]) for part in (slice(-1), slice(1, None)))
        counts = np.bincount(np.concatenate(some), minlength=size).astype(float)
        kinds = max(1, int((counts > 0).sum()))
        self.unigrams = (counts + kinds / size) / (counts.sum() + kinds)  # [size]
        self.pairs, self.times = np.unique(firsts * size + seconds, return_counts=True)
        self.followed = np.bincount(firsts, minlength=size).astype(float)
        self.followers = np.bincount(self.pairs // size, minlength=size).astype(float)

    def nats(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """-log p of every token but the first, [n - 1] each: by unigrams, by bigrams."""
        ids = np.asarray(ids, np.int64)
        before, alone = ids[:-1], self.unigrams[ids[1:]]
        codes = before * self.size + ids[1:]
        place = np.minimum(np.searchsorted(self.pairs, codes), max(0, len(self.pairs) - 1))
        times = np.where(self.pairs[place] == codes, self.times[place], 0) if len(self.pairs) else np.zeros(len(codes))
        followers, total = self.followers[before], self.followed[before] + self.followers[before]
        known = np.divide(times + followers * alone, total, out=alone.copy(), where=total > 0)
        return -np.log(alone), -np.log(known)
