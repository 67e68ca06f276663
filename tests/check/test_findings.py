"""Many findings of a kind are a few lines."""

import time

from hf_xfmr.check.findings import KEPT, Finding, lines, some
from hf_xfmr.check.labels import balance, check_labels
from hf_xfmr.data.part import Part


def test_many_findings_of_a_kind_are_a_few_lines_and_their_number():
    rare = [Finding(level="warning", name="rare-label", message=f"label {i}", split="train") for i in range(1200)]
    other = Finding(level="error", name="disk", message="full")
    said = lines([*rare, other])
    assert said[:5] == [f"warning: label {i}" for i in range(5)]
    assert said[5:] == ["warning: and 1,195 more like this (rare-label of train)", "error: full"]


def test_a_record_keeps_a_hundred_findings_of_a_kind_and_how_many_more():
    rare = [Finding(level="warning", name="rare-label", message=f"label {i}", split="train") for i in range(1200)]
    kept = some([*rare, Finding(level="note", name="other", message="one")])
    assert [one.message for one in kept[:KEPT]] == [f"label {i}" for i in range(KEPT)]
    assert [one.message for one in kept[KEPT:]] == ["one", "and 1,100 more like this (rare-label)"]
    assert some(rare[:KEPT]) == rare[:KEPT]


def test_labels_are_counted_once_and_not_once_a_label():
    names = [f"label {number}" for number in range(40_000)]
    labels = {"train": names + names[:30], "test": names[:4000]}
    parts = {
        split: Part(split, len(rows), list(map(str, range(len(rows)))), {"text": rows}, rows)
        for split, rows in labels.items()
    }
    began = time.process_time()
    found = list(check_labels(parts, names))
    shares = balance(parts, names)
    assert time.process_time() - began < 5  # a minute, were it once a label
    assert sum(one.name == "rare-label" for one in found) == 40_000
    assert {split: (len(share), sum(share.values())) for split, share in shares.items()} == {
        "train": (21, 40_030),
        "test": (21, 4000),
    }


def test_a_label_that_no_held_out_row_has_is_noted():
    labels = {"train": ["a"] * 60 + ["b"] * 6, "test": ["a"] * 8}
    parts = {
        split: Part(split, len(rows), list(map(str, range(len(rows)))), {"text": rows}, rows)
        for split, rows in labels.items()
    }
    assert "note: no test row has the label 'b'; no figure will say" in str(list(check_labels(parts, ["a", "b"]))[-1])
