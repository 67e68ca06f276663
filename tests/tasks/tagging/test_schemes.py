"""Tags to entities in each scheme, files in CoNLL's layout, and words aligned with a tokenizer's pieces."""

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities
from transformers import BertTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.tagging.alignment import align, join, piece_labels, word_tags
from hf_xfmr.tasks.tagging.conll import read_conll
from hf_xfmr.tasks.tagging.notation import find
from hf_xfmr.tasks.tagging.schemes import Entity, bio_labels, entities, write_tags

TAGS = {
    "BIO": ["B-PER", "I-PER", "I-PER", "B-PER", "O", "B-LOC"],
    "BIOES": ["B-PER", "I-PER", "E-PER", "S-PER", "O", "S-LOC"],
    "BMES": ["B-PER", "M-PER", "E-PER", "S-PER", "O", "S-LOC"],
}
FOUND = [Entity("PER", 0, 3), Entity("PER", 3, 4), Entity("LOC", 5, 6)]


@pytest.mark.parametrize("scheme", TAGS)
def test_each_scheme_says_the_same_entities(scheme):
    assert find([TAGS[scheme]], None).scheme == scheme
    assert entities(TAGS[scheme]) == FOUND
    assert write_tags(FOUND, 6, scheme) == TAGS[scheme]


def test_bio_that_is_out_of_order_is_read_as_seqeval_reads_it():
    draw = np.random.default_rng(0)
    labels = bio_labels(["A", "B"])
    for _ in range(500):
        tags = [str(tag) for tag in draw.choice(labels, 8)]
        assert entities(tags) == [Entity(kind, start, end + 1) for kind, start, end in get_entities(tags)]


WRITTEN = {
    "BIO": ("B-PER I-PER I-PER B-PER O B-LOC", "BIO"),
    "lower case": ("b-PER i-PER i-PER b-PER o b-LOC", "BIO"),
    "underscores": ("B_PER I_PER I_PER B_PER O B_LOC", "BIO"),
    "at the end": ("PER-B PER-I PER-I PER-B O LOC-B", "BIO"),
    "at the end, underscores": ("PER_B PER_I PER_E PER_S O LOC_S", "BIOES"),
    "BILOU": ("B-PER I-PER L-PER U-PER O U-LOC", "BILOU"),
    "BMEWO": ("B-PER M-PER E-PER W-PER O W-LOC", "BMES"),
    "IOB1": ("I-PER I-PER I-PER B-PER O I-LOC", "IOB1"),
    "IOE2": ("I-PER I-PER E-PER E-PER O E-LOC", "IOE"),
    "0 outside": ("B-PER I-PER I-PER B-PER 0 B-LOC", "BIO"),
    "_ outside": ("B-PER I-PER I-PER B-PER _ B-LOC", "BIO"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_tags_say_the_same_entities_however_they_are_written(way):
    text, scheme = WRITTEN[way]
    known = find([text.split()], None)
    assert known.scheme == scheme
    tags = [known.canonical[tag] for tag in text.split()]
    assert entities(tags) == FOUND
    if known.written_as:
        assert write_tags(FOUND, 6, known.written_as) == tags


@pytest.mark.parametrize(
    "text", ["I-PER I-PER O I-LOC", "PER PER O LOC", "person-actor person-actor O loc", "PER PER Other LOC"]
)
def test_types_without_a_place_are_runs(text):
    known = find([text.split()], None)
    assert known.scheme == "IO"
    assert [one[1:] for one in entities([known.canonical[tag] for tag in text.split()])] == [(0, 2), (3, 4)]
    assert "words of one type that touch are one entity" in known.notes[-1]


def test_tags_without_a_type_have_one():
    known = find([["B", "I", "O", "B"]], None)
    assert entities([known.canonical[tag] for tag in "BIOB"]) == [Entity("ENTITY", 0, 2), Entity("ENTITY", 3, 4)]
    assert "tags have no type" in known.notes[0]


@pytest.mark.parametrize(
    ("tags", "told", "message"),
    [
        ("B-PER I-PER X-PER", None, '"X-PER" is no tag of BIO'),
        ("B-PER PER O", None, '"PER" is no tag of BIO.*--tag_scheme IO'),
        ("B-PER B- O", None, '"B-" is no tag of BIO'),
        ("I-PER M-LOC O", None, '"I-PER" and "M-LOC" are of two schemes'),
        ("E-PER L-LOC O", None, "are of two schemes"),
        ("PER O", "BIO", "no tag has a place"),
        ("NN VB NN DT", None, "parts of speech.*--tag_scheme IO"),
        ("B-PER I-PER O", "IO", 'has no tag as "B-PER"'),
        ("B-PER S-PER O", "BIO", 'has no tag as "S-PER"'),
        ("B-PER O", "BLA", "it is one of BIO, IOB1, IO, IOE, BIOES, BMES, BILOU"),
    ],
)
def test_tags_that_are_none_are_refused(tags, told, message):
    with pytest.raises(UserError, match=message):
        find([tags.split()], told)


def test_empty_tags_beside_others_are_asked_about():
    assert find([["B-PER", ""]], None).canonical[""] == "O"
    with pytest.raises(UserError, match=': 1 words have an empty tag, and others "O"'):
        find([["B-PER", "", "O"]], None)


def test_a_conll_file_is_read_by_its_first_and_last_fields(tmp_path):
    file = tmp_path / "a.conll"
    file.write_text("-DOCSTART- -X- O\n\nAnna NNP B-PER\nsings VBZ O\n\n\nOslo NNP B-LOC", encoding="utf-8")
    rows = read_conll(file)
    assert rows["tokens"][:] == [["Anna", "sings"], ["Oslo"]]
    assert rows["tags"][:] == [["B-PER", "O"], ["B-LOC"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Anna B-PER\nsings\n", r'a\.conll: line 2, "sings", has 1 fields, not 2 fields'),
        ("Anna\n", "line 1.*not two or more"),
        ("-DOCSTART- O\n", "has no sentences"),
    ],
)
def test_a_conll_file_that_is_none_is_refused_by_line(tmp_path, text, message):
    (tmp_path / "a.conll").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_conll(tmp_path / "a.conll")


@pytest.fixture(scope="module")
def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "an", "##na", "sings", "in", "oslo", "19", "##98", "年", "."]
    return BertTokenizer(vocab={word: number for number, word in enumerate(words)})


def test_pieces_inherit_the_tags_of_their_words(tokenizer):
    labels = {name: number for number, name in enumerate(bio_labels(["LOC", "PER"]))}
    text, starts = join(["Anna", "sings", "in", "Oslo."], " ")
    (one,) = align([text], [starts], tokenizer)
    assert tokenizer.convert_ids_to_tokens(one.ids) == ["an", "##na", "sings", "in", "oslo", "."]
    assert one.word == [0, 0, 1, 2, 3, 3]
    tags = ["B-PER", "O", "O", "B-LOC"]
    given = piece_labels(one, tags, labels)
    names = list(labels)
    assert [names[label] for label in given] == ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"]
    assert word_tags(one.word, [names[label] for label in given], 4) == tags


def test_pieces_of_a_text_as_it_stands_belong_to_its_words(tokenizer):
    """White space before, between and behind words, and words that touch."""
    text = "  Anna \n sings,in  Oslo "
    starts = [text.index(word) for word in ("Anna", "sings", ",", "in  ", "Oslo")]
    (one,) = align([text], [starts], tokenizer)
    assert one.word == [0, 0, 1, 2, 3, 4]
    assert one.first == [True, False, True, True, True, True]


def test_chinese_is_read_as_running_text_whose_pieces_may_hold_several_words(tokenizer):
    """`1998年` is five words of this corpus, and two pieces and a character of this tokenizer."""
    (one,) = align(["1998年"], [list(range(5))], tokenizer)
    assert tokenizer.convert_ids_to_tokens(one.ids) == ["19", "##98", "年"]
    assert (one.word, one.first) == ([0, 2, 4], [True, True, True])
    assert word_tags(one.word, ["B-T", "I-T", "O"], 5) == ["B-T", "I-T", "I-T", "I-T", "O"]
