"""Rows of any values under the names that layouts have: sentences, or one sentence on what is wrong."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.tagging import layouts
from hf_xfmr.tasks.tagging.loading import load
from hf_xfmr.tasks.tagging.settings import TaggingSettings

TEXTS = st.sampled_from(["Anna in Oslo", "王小明在北京。", "a😀b", "", " ", "B-PER", "O", "3", "[0, 1]", "{'a': 1}"])
PLAIN = st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | TEXTS
KEYS = st.sampled_from(["text", "start", "end", "label", "labels", "points", "span", "value", "result", "type", "Anna"])
VALUES = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one, max_size=3), max_leaves=8
)
SPAN = st.fixed_dictionaries(
    {"start": PLAIN, "end": PLAIN, "label": VALUES}, optional={"text": PLAIN, "points": VALUES}
)
TRIPLE = st.tuples(st.integers(-1, 9), st.integers(-1, 14), PLAIN)
SPANS = st.lists(SPAN, max_size=3) | st.lists(TRIPLE, max_size=3) | VALUES
GOOD = {"text": "Anna in Oslo", "entities": [{"start": 0, "end": 4, "label": "PER"}]}
ROWS = st.one_of(
    st.fixed_dictionaries({"text": TEXTS, "entities": SPANS}),
    st.fixed_dictionaries({"text": TEXTS, "label": st.dictionaries(KEYS, st.dictionaries(TEXTS, SPANS, max_size=2))}),
    st.fixed_dictionaries(
        {
            "data": st.fixed_dictionaries({"text": VALUES}),
            "annotations": st.lists(
                st.fixed_dictionaries({"result": st.lists(VALUES, max_size=2)}) | VALUES, max_size=2
            ),
        }
    ),
    st.fixed_dictionaries({"tokens": VALUES, "ner_tags": VALUES}),
)


@given(rows=st.lists(ROWS, min_size=1, max_size=3), after=st.booleans())
def test_any_rows_are_read_or_refused_in_a_sentence(tmp_path_factory, rows, after):
    file = tmp_path_factory.mktemp("rows") / "a.jsonl"
    rows = [GOOD, *rows] if after else rows
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    try:
        found, _, _ = layouts.read(load(str(file), None), TaggingSettings())
    except UserError as error:
        said = str(error)
        assert "\n" not in said
    else:
        assert all(len(one.words) == len(one.tags) > 0 for one in found["train"])
