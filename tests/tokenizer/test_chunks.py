"""Chunks of texts have the tokens that the texts have, whatever is in them."""

from collections import Counter

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from hf_xfmr import samples, tokenizer
from hf_xfmr.tokenizer import chunks, long_texts
from hf_xfmr.tokenizer import words as counting
from hf_xfmr.tokenizer.unigram import unigram_normalizer, unigram_splits

CORPUS = ["the film is good, the end is not", "It's a well-made film; we'll see it again 3 times", "电影 很好"] * 3
# Letters with accents, combining marks, controls, every kind of white space, marks, Chinese, emoji, added tokens.
PIECES = st.sampled_from(
    [*" \t\n\r\v\f\x1c\x1f\x85\xa0\u2003\u3000\u200b\x00\x07'’.,!?-[]<|>#aAéÉß", "e\u0301", "´", "İ", "Σ", "中", "🎬",
     "  ", "'s", "'ll", "[SEP]", "[MASK]", "<|endoftext|>", "film", "The", "42", "ﬁ", "▁"]
)  # fmt: skip
TEXTS = st.lists(st.lists(PIECES, max_size=14).map("".join), min_size=1, max_size=5)


def made(name: str):
    if name == "minilm":
        return transformers.AutoTokenizer.from_pretrained(samples.checkpoint("sample:minilm"))
    kind, lowercase = name.split("-") if "-" in name else (name, "")
    size = 400 if kind == "unigram" else 330
    return tokenizer.train(CORPUS, kind, vocab_size=size, model_max_length=64, lowercase=bool(lowercase))


@pytest.fixture(scope="module", params=["minilm", "wordpiece", "bpe", "bpe-low", "unigram", "char"])
def one(request):
    return made(request.param)


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS)
def test_ids_are_those_of_the_whole_texts(one, texts):
    remembered = chunks.Remembered(one)
    whole = one(texts, add_special_tokens=False, verbose=False)["input_ids"]
    for _ in range(2):  # the second time, of what is remembered
        assert [list(ids) for ids in long_texts.ids_of(texts, one, remembered=remembered)] == whole


def test_chunks_are_remembered_within_bounds_and_given_up_where_none_comes_again(monkeypatch):
    wordpiece, asked = made("wordpiece"), []
    remembered = chunks.Remembered(wordpiece)

    def encode(texts):
        asked.extend(texts)
        return wordpiece(texts, add_special_tokens=False)["input_ids"]

    first = remembered.ids_of(["the film", "a film"], encode)
    assert asked == ["the", "film", "a"]
    assert remembered.ids_of(["the film", "a film"], encode) == first
    assert len(asked) == 3
    monkeypatch.setattr(chunks, "KEPT", 3)
    remembered.ids_of(["an end"], encode)
    remembered.ids_of(["an end"], encode)
    assert asked[3:] == ["an", "end", "an", "end"]
    monkeypatch.setattr(chunks, "TRIED", 10)
    remembered.ids_of([f"{number} x{number}" for number in range(20)], encode)
    remembered.ids_of(["the film"], encode)
    assert asked[-1] == "the film"


def test_a_text_with_an_added_token_and_a_tokenizer_that_changes_are_read_whole():
    wordpiece, asked = made("wordpiece"), []
    wordpiece.add_tokens(["film noir"])

    def encode(texts):
        asked.extend(texts)
        return wordpiece(texts, add_special_tokens=False)["input_ids"]

    chunks.Remembered(wordpiece).ids_of(["a film noir", "a film"], encode)
    assert "a film noir" in asked or chunks.split_of(wordpiece) is None
    bpe = made("bpe")
    assert chunks.split_of(bpe) is not None
    bpe.backend_tokenizer.model.dropout = 0.5
    assert chunks.split_of(bpe) is None


NORMALIZED = {
    "wordpiece": (normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()),
    "bpe": (normalizers.Lowercase(), pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "unigram": (unigram_normalizer(False), unigram_splits()),
}


@pytest.mark.parametrize("kind", NORMALIZED)
@settings(max_examples=150, deadline=None)
@given(texts=TEXTS, part=st.sampled_from([1, 20, 1000]))
def test_words_are_counted_as_in_whole_texts(kind, texts, part):
    plain = Tokenizer(models.WordLevel())
    plain.normalizer, plain.pre_tokenizer = NORMALIZED[kind]
    words = [plain.pre_tokenizer.pre_tokenize_str(plain.normalizer.normalize_str(text)) for text in texts * 3]
    whole = Counter(word for text in words for word, _ in text)
    split = chunks.with_space_before if kind == "bpe" else chunks.between_spaces
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "PART", part)
        found = counting.count_words(plain, iter(texts * 3), split)
    for nothing in ("▁", ""):  # of a text of white space alone, of which nothing is to be learned
        if kind == "unigram":
            whole.pop(nothing, None), found.pop(nothing, None)
    assert found == whole
    assert list(found) == sorted(found)
