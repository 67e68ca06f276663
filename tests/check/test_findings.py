"""Many findings of a kind are a few lines."""

from hf_xfmr.check.findings import Finding, lines


def test_many_findings_of_a_kind_are_a_few_lines_and_their_number():
    rare = [Finding(level="warning", name="rare-label", message=f"label {i}", split="train") for i in range(1200)]
    other = Finding(level="error", name="disk", message="full")
    said = lines([*rare, other])
    assert said[:5] == [f"warning: label {i}" for i in range(5)]
    assert said[5:] == ["warning: and 1,195 more like this (rare-label of train)", "error: full"]
