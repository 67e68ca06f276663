"""Splits that are missing are carved from train; rows that were carved before are told from rows that are few."""

import re

import pytest
from datasets import Dataset

from hf_xfmr.data.carve import carve
from hf_xfmr.errors import UserError
from hf_xfmr.splits import split_of

TEXTS = [f"sentence number {number}" for number in range(1000)]


def carved(texts: list[str], **shares: float) -> dict[str, int]:
    rows = Dataset.from_dict({"text": texts})
    labels = [[row % 2] for row in range(len(texts))]
    found = carve({"train": rows}, "text", **{"validation": 0.0, "test": 0.0, **shares}, learned=labels)
    return {split: len(part) for split, part in found.items()}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("shares", [{"validation": 0.1, "test": 0.1}, {"test": 0.1}, {"validation": 0.2}], ids=repr)
def test_rows_of_a_split_by_the_same_hash_are_told_with_flags_that_carve_them(part, shares):
    texts = [text for text in TEXTS if split_of(text) == part]
    with pytest.raises(UserError, match="most likely one split of a larger table") as caught:
        carved(texts, **shares)
    flags = dict(re.findall(r"--(\w+)_fraction ([\d.]+)", str(caught.value)))
    assert flags.keys() == shares.keys()
    found = carved(texts, **{split: float(share) for split, share in flags.items()})
    for split, share in shares.items():
        assert 0.5 * share <= found[split] / len(texts) <= 2 * share


def test_a_few_rows_are_few():
    texts = [text for text in TEXTS if split_of(text) == "train"][:19]
    with pytest.raises(UserError, match=r"19 rows are too few to carve test rows .* or carve more by --test_fraction"):
        carved(texts, test=0.1)
    with pytest.raises(UserError, match=r"2 rows are too few .* or give a validation file$"):
        carved(texts[:2], validation=0.1, test=0.1)
