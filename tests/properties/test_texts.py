"""Texts cut or read in windows, split by a hash, tagged and labelled: for all lengths, texts and tags."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from hf_xfmr.data.wording import LONGEST, SHOWN, listed
from hf_xfmr.errors import UserError
from hf_xfmr.splits import position, split_of
from hf_xfmr.tasks.classification.labels import distinct_labels
from hf_xfmr.tasks.classification.overlong import cut, share, windows
from hf_xfmr.tasks.tagging.notation import types_in
from hf_xfmr.tasks.tagging.schemes import SCHEMES, Entity, bio_labels, entities, write_tags

LENGTHS = st.integers(0, 300)


@given(length=LENGTHS, room=st.integers(1, 60), overlap=st.integers(0, 59))
def test_windows_show_every_token_and_none_is_longer_than_its_room(length, room, overlap):
    assume(overlap < room)
    found = windows(length, room, overlap)
    assert sorted({place for start, end in found for place in range(start, end)}) == list(range(length))
    assert all(end - start == min(room, length) for start, end in found)
    assert all(later[0] > earlier[0] for earlier, later in pairwise(found))
    assert all(earlier[1] - later[0] >= overlap for earlier, later in pairwise(found))


@given(length=LENGTHS, room=st.integers(1, 60), strategy=st.sampled_from(["head", "tail", "head+tail"]))
def test_what_is_cut_is_a_beginning_and_an_end_that_fill_the_room(length, room, strategy):
    ids = list(range(length))
    kept = cut(ids, room, strategy)
    assert len(kept) == min(room, length)
    assert kept == sorted(set(kept))
    if length > room:
        assert (kept[0] == 0) == (strategy != "tail")
        assert (kept[-1] == length - 1) == (strategy != "head") or room == 1


@given(room=st.integers(2, 100), a=LENGTHS, b=LENGTHS)
def test_a_pair_fills_its_room_and_the_shorter_text_is_cut_last(room, a, b):
    kept_a, kept_b = share(room, a, b)
    assert 0 <= kept_a <= a
    assert 0 <= kept_b <= b
    assert kept_a + kept_b == min(room, a + b)
    if a + b > room:
        assert min(kept_a, kept_b) == min(a, b, room // 2)


SHARES = st.floats(0, 0.5)


@given(text=st.text(), validation=SHARES, test=SHARES, others=st.lists(st.text(), max_size=3))
def test_a_text_s_side_is_its_own(text, validation, test, others):
    side = split_of(text, validation, test)
    for one in others:
        split_of(one, validation, test)
    assert split_of(text, validation, test) == side
    for same in (text + " ", "\n" + text, " ".join(text.split())):
        assert split_of(same, validation, test) == side
    assert 0 <= position(text) < 1
    if side == "test":  # a larger share takes no row of test away
        assert split_of(text, validation, min(1, test + 0.1)) == "test"


TYPES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@st.composite
def sentences(draw):
    """Entities without overlap, and the length of the sentence they stand in."""
    found, place = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = place + draw(st.integers(0, 3))
        place = start + draw(st.integers(1, 4))
        found.append(Entity(draw(TYPES), start, place))
    return found, place + draw(st.integers(0, 3))


@given(sentence=sentences(), scheme=st.sampled_from([*SCHEMES]))
def test_tags_say_the_entities_they_were_written_from(sentence, scheme):
    found, length = sentence
    tags = write_tags(found, length, scheme)
    assert len(tags) == length
    assert entities(tags) == found
    assert write_tags(entities(tags), length, scheme) == tags
    assert types_in([tags]) == sorted({one.type for one in found})
    assert set(write_tags(found, length)) <= set(bio_labels(types_in([tags])))


@given(tags=st.lists(st.sampled_from(["O", *(f"{place}-{kind}" for place in "BIMES" for kind in ("A", "B"))])))
def test_any_tags_are_entities_that_stand_in_order_and_apart(tags):
    found = entities(tags)
    places = [place for one in found for place in range(one.start, one.end)]
    assert places == [place for place, tag in enumerate(tags) if tag != "O"]
    assert entities(write_tags(found, len(tags))) == found


@given(tag=st.text(max_size=6))
def test_any_text_is_a_tag_or_one_sentence(tag):
    try:
        found = entities([tag])
    except UserError as one:
        said = str(one)
        assert said.isprintable()
    else:
        assert tag == "O" or found == [Entity(tag[2:], 0, 1)]


@given(labels=st.lists(st.text(), min_size=2, unique=True) | st.lists(st.integers(), min_size=2, unique=True))
def test_labels_have_an_order_that_the_rows_have_no_part_in(labels):
    found = distinct_labels(labels, None, column="label")
    assert sorted(found) == sorted(labels)
    assert distinct_labels([*reversed(labels), *labels], None, column="label") == found


@given(names=st.lists(st.text(max_size=100), max_size=30))
def test_names_in_a_message_are_one_line_of_bounded_length(names):
    assert len(listed(names)) <= (SHOWN * (LONGEST + 5)) + 20
    assert listed(names).isprintable()
