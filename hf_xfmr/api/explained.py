"""Which words decided a classifier's answers, as a table."""

from typing import Any

import pandas as pd

from ..errors import UserError
from ..why import answer
from .texts import index_of, texts_of


def explained(classifier: Any, texts: Any, pairs: Any, label: str | None, method: str | None) -> pd.DataFrame:
    """See `hf_xfmr.api.runs.PredictingRun.why`."""
    given = texts_of(texts)
    others = [None] * len(given) if pairs is None else texts_of(pairs)
    if len(others) != len(given):
        raise UserError(f"{len(given):,} texts and {len(others):,} pairs: give each text its own")
    index = index_of(texts)
    found: list[dict[str, Any]] = []
    for name, text, pair in zip(range(len(given)) if index is None else index, given, others, strict=True):
        one = answer.explained(classifier, text, pair, label=label, method=method)
        about = {"text": name, "label": one.label, "rating" if one.label is None else "probability": one.all}
        found += [
            {
                **about,
                "word": one.text(word),
                "start": word.start,
                "end": word.end,
                "of": ("text", "text_pair")[word.of],
                "share": share,
            }
            for word, share in zip(one.words, one.shares, strict=True)
        ]
    return pd.DataFrame(found)
