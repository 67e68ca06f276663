"""A student beside its teacher: the share kept has the interval that its rows allow, and of a few rows is not said."""

import numpy as np
import pytest
import torch

from hf_xfmr.run import side_by_side


def told(right: list[list[int]]) -> tuple[dict, str]:
    """What is found, and said first, of the rows that student and teacher have right."""
    one, other = np.array(right, float)
    models = dict.fromkeys(("student", "teacher"), torch.nn.Linear(1, 1))
    found = side_by_side.beside(
        {"name": "a", "split": "test", "rows": len(one), "figure": "accuracy"},
        {"student": one.mean(), "teacher": other.mean()},
        models,
        {who: lambda: None for who in models},
        1,
        drawn=lambda weights: (weights @ one / len(one), weights @ other / len(one)),
    )
    return found, next(iter(side_by_side.lines(found)))


def test_a_share_of_a_few_rows_has_a_wide_interval_and_of_many_a_narrow_one():
    few, said = told([[1] * 10 + [0] * 2, [1] * 8 + [0] * 4])
    assert few["kept"] == pytest.approx(1.25)
    assert few["kept_low"] == pytest.approx(1.0, abs=0.1)
    assert few["kept_high"] > 1.6
    assert said.startswith("student beside teacher (test, 12 rows): accuracy 0.833 and 0.667, 125.0% kept (1")
    many, _ = told([[1, 1, 1, 1, 1, 0] * 200, [1, 1, 1, 1, 0, 0] * 200])
    assert 1.2 < many["kept_low"] < 1.25 < many["kept_high"] < 1.3
    same, _ = told([[1] * 20, [1] * 20])
    assert same["kept_low"] < 1 < same["kept_high"]


def test_a_share_of_less_than_ten_rows_is_not_said():
    found, said = told([[1, 1, 1], [1, 1, 0]])
    assert found["kept_low"] is None
    assert said.endswith("accuracy 1.000 and 0.667, too few rows to say which share is kept")
