"""Which column is meant is found by name, or asked for with the flag to paste."""

import pytest
from datasets import Dataset

from hf_xfmr.data.columns import WhichColumn, find_columns


def test_a_label_that_is_not_found_by_name_is_asked_for_by_the_columns_whose_values_repeat():
    rows = Dataset.from_dict(
        {
            "id": range(12),
            "message": [f"message {i}" for i in range(12)],
            "our team": ["a", "b", "c", "d"] * 3,
            "intent": ["cancel", "track"] * 6,
            "channel": ["web"] * 12,
        }
    )
    with pytest.raises(WhichColumn) as caught:
        find_columns(rows, text="message", pair=None, label=None)
    assert str(caught.value).startswith(
        "no column is known to be the label; say which with --label_column intent or --label_column 'our team': "
    )
    with pytest.raises(WhichColumn, match="say which with --label_column: the dataset has"):
        find_columns(rows.select_columns(["id", "message"]), text="message", pair=None, label=None)
