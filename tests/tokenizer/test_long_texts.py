"""A long text has the tokens that it has as a whole, wherever it is cut; what can't be cut is refused by name."""

import random

import pytest
from tokenizers import AddedToken, pre_tokenizers
from transformers import BertTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.tokenizer import for_encoder, long_texts, train

ALPHABET = [
    *"abcXYZ019 \t\n  ,.;'!?-_()",
    *("\r\n", "\u3000", "\x85", "\x1c", "\u200b", "\u00a0", "  ", "'s", "'ll", " don't"),
    *("很", "好", "看", "。", "，", "！", "；", "、", "好。看", "ガ", "か\u3099", "。。", "好！？看"),
    *("e\u0301", "\u0301", "\u0308", "é", "ﬁ", "ａ", "！", "Σς", "İ", "ß", "한", "ก็", "नि"),
    *("😀", "👨‍👩‍👧", "🏳️‍🌈", "\ufffd", "²", "½", "▁", " ▁ "),
    *(
        "[MASK]",
        " [MASK] ",
        "[SEP]",
        "<|endoftext|>",
        "<|pad|>",
        "</s>",
        " </s>",
        "<pad> ",
        "<unk>",
        "<0x41>",
        "[CLS]好",
    ),
]


def texts(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(ALPHABET, k=draw.randint(30, 400))) for _ in range(count)]


@pytest.fixture(scope="module")
def kinds():
    corpus = texts(1, 60)
    sizes = {"wordpiece": 400, "bpe": 500, "unigram": 700, "char": None}
    made = {kind: train(corpus, kind, model_max_length=64, vocab_size=size) for kind, size in sizes.items()}
    lower = train(corpus, "wordpiece", model_max_length=64, vocab_size=400, lowercase=True)
    prefixed = train(corpus, "bpe", model_max_length=64, vocab_size=500)
    prefixed.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    named = train(corpus, "wordpiece", model_max_length=64, vocab_size=400, lowercase=True)
    named.add_tokens(["Covid", "好看"])
    flagged = train(corpus, "wordpiece", model_max_length=64, vocab_size=400)
    flagged.add_tokens([AddedToken("ab", single_word=True), AddedToken("[X]", lstrip=True, rstrip=True)])
    stripped = train(corpus, "bpe", model_max_length=64, vocab_size=500)
    stripped.add_tokens([AddedToken("<m>", lstrip=True, rstrip=True), AddedToken("X", single_word=True)])
    chars = train(corpus, "char", model_max_length=64, lowercase=True)
    return made | {
        "wordpiece, lowered": lower,
        "bpe after a space": prefixed,
        "words of one's own": named,
        "words that look around": flagged,
        "bpe that looks around": stripped,
        "characters, lowered": chars,
        "unigram, lowered": train(corpus, "unigram", model_max_length=64, vocab_size=700, lowercase=True),
        "unigram for an encoder": for_encoder(made["unigram"]),
    }


NAMES = [
    *("wordpiece", "bpe", "unigram", "char", "wordpiece, lowered", "bpe after a space", "words of one's own"),
    *("words that look around", "bpe that looks around", "characters, lowered", "unigram, lowered"),
    "unigram for an encoder",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_text_taken_apart_has_the_tokens_that_it_has_as_a_whole(kinds, name, monkeypatch):
    tokenizer = kinds[name]
    some = [text + extra for text in texts(2, 5) for extra in ("", " <m>  x[X] ab Covid covid\u0301好看 ab", " " * 40)]
    whole = list(long_texts.tokens_of(some, tokenizer, offsets=True))
    taken = 0
    for piece in (5, 40):
        monkeypatch.setattr(long_texts, "PIECE", piece)
        monkeypatch.setattr(long_texts, "LONG", 2 * piece)
        apart = list(long_texts.tokens_of(some, tokenizer, offsets=True))
        for text, one, other in zip(some, whole, apart, strict=True):
            assert list(one.ids) == list(other.ids), (text, list(long_texts.parts(text, tokenizer)))
            assert list(one.ends) == list(other.ends)
            if name != "bpe after a space":  # it counts the space that it adds now and then
                assert list(one.starts) == list(other.starts)
        taken += sum(len(list(long_texts.parts(text, tokenizer))) for text in some)
    assert [list(ids) for ids in long_texts.ids_of(some, tokenizer)] == [list(one.ids) for one in whole]
    assert taken > 5 * len(some)


def test_a_text_that_no_memory_holds_is_one_sentence_that_names_it(kinds, monkeypatch):
    monkeypatch.setattr(long_texts, "PIECE", 20)
    monkeypatch.setattr(long_texts, "LONG", 40)
    monkeypatch.setattr(long_texts, "BYTES", 2**50)
    with pytest.raises(long_texts.TooLong, match=r'the text "好好.*" has 500 characters, .* free: cut it into several'):
        long_texts.ids_of(["a", "好" * 500], kinds["bpe"])  # one word
    assert len(long_texts.ids_of(["好" * 500], kinds["wordpiece"])[0]) == 500
    with pytest.raises(long_texts.TooLong, match="has 511 characters, of them 510 that can't be taken apart"):
        long_texts.ids_of(["很。看看看看看看。 " + "好" * 500 + "\n"], kinds["bpe"])
    words = BertTokenizer(vocab={"[UNK]": 0, "a": 1}, unk_token="[UNK]")
    words.backend_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    with pytest.raises(long_texts.TooLong, match="cut it into several rows"):
        long_texts.ids_of(["a " * 300], words)  # of a kind that nothing is known of


def test_a_text_that_is_refused_anyway_is_not_read_to_its_end(kinds, monkeypatch):
    seen = []
    encoded = long_texts._encoded
    monkeypatch.setattr(long_texts, "_encoded", lambda some, *rest: seen.extend(some) or encoded(some, *rest))
    with pytest.raises(UserError, match=r'the text "a b a b.*" of 900,000 characters has more than 512 tokens'):
        long_texts.check_length("a b " * 225_000, kinds["wordpiece"], 512)
    assert sum(map(len, seen)) < 2 * long_texts.PIECE
