"""Tags to entities in each scheme, files in CoNLL's layout, and words aligned with a tokenizer's pieces."""

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities
from transformers import BertTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.tagging.alignment import align, piece_labels, word_tags
from hf_xfmr.tasks.tagging.conll import read_conll
from hf_xfmr.tasks.tagging.schemes import Entity, bio_labels, entities, scheme_of, types_of, write_tags

TAGS = {
    "BIO": ["B-PER", "I-PER", "I-PER", "B-PER", "O", "B-LOC"],
    "BIOES": ["B-PER", "I-PER", "E-PER", "S-PER", "O", "S-LOC"],
    "BMES": ["B-PER", "M-PER", "E-PER", "S-PER", "O", "S-LOC"],
}
FOUND = [Entity("PER", 0, 3), Entity("PER", 3, 4), Entity("LOC", 5, 6)]


@pytest.mark.parametrize("scheme", TAGS)
def test_each_scheme_says_the_same_entities(scheme):
    assert scheme_of(TAGS[scheme]) == scheme
    assert entities(TAGS[scheme]) == FOUND
    assert write_tags(FOUND, 6, scheme) == TAGS[scheme]
    assert types_of(TAGS[scheme]) == ["LOC", "PER"]


def test_bio_that_is_out_of_order_is_read_as_seqeval_reads_it():
    draw = np.random.default_rng(0)
    labels = bio_labels(["A", "B"])
    for _ in range(500):
        tags = [str(tag) for tag in draw.choice(labels, 8)]
        assert entities(tags) == [Entity(kind, start, end + 1) for kind, start, end in get_entities(tags)]


@pytest.mark.parametrize("tag", ["PER", "B_PER", "X-PER", "B-", ""])
def test_what_is_no_tag_is_refused(tag):
    with pytest.raises(UserError, match="is no tag of BIO, BIOES, BMES"):
        scheme_of(["O", tag])


def test_tags_of_two_schemes_are_refused():
    with pytest.raises(UserError, match='"I-PER" and "M-LOC" are of two schemes'):
        scheme_of(["I-PER", "M-LOC"])


def test_a_conll_file_is_read_by_its_first_and_last_fields(tmp_path):
    file = tmp_path / "a.conll"
    file.write_text("-DOCSTART- -X- O\n\nAnna NNP B-PER\nsings VBZ O\n\n\nOslo NNP B-LOC", encoding="utf-8")
    rows = read_conll(file)
    assert rows["tokens"][:] == [["Anna", "sings"], ["Oslo"]]
    assert rows["tags"][:] == [["B-PER", "O"], ["B-LOC"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Anna B-PER\nsings\n", r'a\.conll: line 2, "sings", has 1 fields, not 2'),
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
    (one,) = align([["Anna", "sings", "in", "Oslo."]], tokenizer, " ")
    assert tokenizer.convert_ids_to_tokens(one.ids) == ["an", "##na", "sings", "in", "oslo", "."]
    assert one.word == [0, 0, 1, 2, 3, 3]
    tags = ["B-PER", "O", "O", "B-LOC"]
    given = piece_labels(one, tags, labels)
    names = list(labels)
    assert [names[label] for label in given] == ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"]
    assert word_tags(one.word, [names[label] for label in given], 4) == tags


def test_chinese_is_read_as_running_text_whose_pieces_may_hold_several_words(tokenizer):
    """`1998年` is five words of this corpus, and two pieces and a character of this tokenizer."""
    (one,) = align([list("1998年")], tokenizer, "")
    assert tokenizer.convert_ids_to_tokens(one.ids) == ["19", "##98", "年"]
    assert (one.word, one.first) == ([0, 2, 4], [True, True, True])
    assert word_tags(one.word, ["B-T", "I-T", "O"], 5) == ["B-T", "I-T", "I-T", "I-T", "O"]
