"""A frozen encoder's features are computed in the precision that the run says."""

from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from oracles import tiny_stock, twin
from transformers import BertForSequenceClassification

import hf_xfmr
from hf_xfmr.tasks.classification import probe

IDS = [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([row["input_ids"] for row in rows])}


@pytest.mark.parametrize(
    ("said", "dtype"),
    [({}, torch.float32), ({"bf16": True}, torch.bfloat16), ({"fp16": True}, torch.float16)],
    ids=["neither", "bf16", "fp16"],
)
def test_features_have_the_precision_of_the_run(said, dtype):
    model = twin(hf_xfmr.XfmrBertForSequenceClassification, tiny_stock(BertForSequenceClassification))
    rows = Dataset.from_dict({"input_ids": IDS, "labels": [0, 1, 0]})
    args = SimpleNamespace(**{"bf16": False, "fp16": False, **said})
    made = torch.tensor(probe.features(model, rows, collate, args)["features"][:])
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
        expected = model.bert(torch.tensor(IDS)).pooler_output.float()
    with torch.no_grad():
        exact = model.bert(torch.tensor(IDS)).pooler_output
    assert torch.equal(made, expected)
    assert torch.equal(made, exact) is (not said)
