"""What is kept of texts longer than the model reads, against a brute-force reading of the rules."""

import itertools
import logging
import random

import pytest
import torch
from transformers import BertTokenizer, PreTrainedTokenizerFast

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.collate import ClassificationCollator
from hf_xfmr.tasks.classification.overlong import Encoder, cut, share, windows
from hf_xfmr.tokenizer import long_texts

WORDS = [f"w{number}" for number in range(200)]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer():
    vocab = {token: number for number, token in enumerate([*SPECIALS, *WORDS, "我", "好", "##s"])}
    return BertTokenizer(vocab=vocab, model_max_length=32)


def words(count: int, start: int = 0) -> str:
    """`count` different words, one token each."""
    return " ".join(WORDS[start : start + count])


def ids(count: int, start: int = 0) -> list[int]:
    return [len(SPECIALS) + start + number for number in range(count)]


def test_short_texts_are_what_the_tokenizer_makes_of_them(tokenizer):
    texts, pairs = ["w1 w2s 我好", "unknown w3"], ["好", ""]
    for over_long in ("head", "tail", "head+tail", "error"):
        columns = Encoder(tokenizer, max_length=16, over_long=over_long)(texts)
        expected = tokenizer(texts)
        assert {name: columns[name] for name in ("input_ids", "token_type_ids")} == {
            name: expected[name] for name in ("input_ids", "token_type_ids")
        }
        columns = Encoder(tokenizer, max_length=16, over_long=over_long, pair=True)(texts, pairs)
        expected = tokenizer(texts, pairs)
        assert columns["input_ids"] == expected["input_ids"]
        assert columns["token_type_ids"] == expected["token_type_ids"]
        assert columns["tokens"] == columns["kept"] == [6, 2]  # w1 w2 ##s 我 好 | 好; [UNK] w3
    columns = Encoder(tokenizer, max_length=16, over_long="windows")(texts)
    assert columns["windows"] == [[row] for row in tokenizer(texts)["input_ids"]]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 30, 150])
@pytest.mark.parametrize(
    ("over_long", "kept"),
    [
        ("head", lambda ids: ids[:10]),
        ("tail", lambda ids: ids[-10:]),
        ("head+tail", lambda ids: ids[:3] + ids[-7:] if len(ids) > 10 else ids),  # a quarter of 10 is 2.5
    ],
)
def test_single_texts_are_cut_by_the_rule(tokenizer, count, over_long, kept):
    columns = Encoder(tokenizer, max_length=12, over_long=over_long)([words(count)])
    assert columns == {
        "input_ids": [[CLS, *kept(ids(count)), SEP]],
        "token_type_ids": [[0] * (min(count, 10) + 2)],
        "tokens": [count],
        "kept": [min(count, 10)],
    }


def test_head_and_tail_of_bert_are_those_of_sun_et_al():
    assert cut(list(range(3000)), 510, "head+tail") == [*range(128), *range(3000 - 382, 3000)]


def test_pairs_share_as_the_tokenizers_own_longest_first(tokenizer):
    """Hugging Face's truncation is the reference: every combination of lengths around the room."""
    for max_length in (5, 12, 13):
        encoder = Encoder(tokenizer, max_length=max_length, pair=True)
        for a, b in itertools.product([*range(14), 40], repeat=2):
            columns = encoder([words(a)], [words(b, 100)])
            expected = tokenizer([words(a)], [words(b, 100)], truncation="longest_first", max_length=max_length)
            assert columns["input_ids"] == expected["input_ids"]
            assert columns["token_type_ids"] == expected["token_type_ids"]
            assert columns["kept"] == [len(expected["input_ids"][0]) - 3]


def test_longest_first_is_what_taking_one_token_at_a_time_gives():
    for room, a, b in itertools.product(range(2, 12), range(16), range(16)):
        left, right = a, b
        while left + right > room:
            left, right = (left - 1, right) if left > right or (left == right and a <= b) else (left, right - 1)
        assert share(room, a, b) == (left, right)


def test_pair_segments_are_each_cut_by_the_rule(tokenizer):
    encode = Encoder(tokenizer, max_length=13, over_long="tail", pair=True)
    columns = encode([words(4), words(30)], [words(30, 100), words(30, 100)])
    assert columns["input_ids"] == [
        [CLS, *ids(4), SEP, *ids(30, 100)[-6:], SEP],
        [CLS, *ids(30)[-5:], SEP, *ids(30, 100)[-5:], SEP],
    ]
    assert columns["token_type_ids"] == [[0] * 6 + [1] * 7, [0] * 7 + [1] * 6]
    columns = Encoder(tokenizer, max_length=23, over_long="head+tail", pair=True)([words(30)], [words(30, 100)])
    a, b = ids(30), ids(30, 100)
    assert columns["input_ids"] == [[CLS, *a[:3], *a[-7:], SEP, *b[:3], *b[-7:], SEP]]
    assert columns["kept"] == [20]


def test_windows_cover_everything_and_are_full():
    for length, room in itertools.product(range(40), range(1, 12)):
        for overlap in range(room):
            spans = windows(length, room, overlap)
            covered = [place for start, stop in spans for place in range(start, stop)]
            assert sorted(set(covered)) == list(range(length))
            assert all(stop - start == min(room, length) for start, stop in spans)
            for (start, stop), (following, _) in itertools.pairwise(spans):
                assert start < following <= stop - overlap
            for (_, stop), (following, _) in itertools.pairwise(spans[:-1]):
                assert stop - following == overlap  # only the last one may share more
            step = room - overlap
            assert len(spans) == 1 + max(0, -(-(length - room) // step))  # no window too many


def test_windows_of_texts(tokenizer):
    columns = Encoder(tokenizer, max_length=12, over_long="windows", overlap=4)([words(27), words(10)])
    text = ids(27)
    assert columns == {
        "windows": [[[CLS, *text[s : s + 10], SEP] for s in (0, 6, 12, 17)], [[CLS, *ids(10), SEP]]],
        "windows_token_type_ids": [[[0] * 12] * 4, [[0] * 12]],
        "tokens": [27, 10],
        "kept": [27, 10],
    }


def test_windows_of_pairs_slide_over_the_longer(tokenizer):
    encode = Encoder(tokenizer, max_length=15, over_long="windows", overlap=2, pair=True)  # room for 12
    long, short = ids(20), ids(4, 100)
    columns = encode([words(20), words(4, 100)], [words(4, 100), words(20)])
    assert columns["windows"][0] == [[CLS, *long[s : s + 8], SEP, *short, SEP] for s in (0, 6, 12)]
    assert columns["windows_token_type_ids"][0] == [[0] * 10 + [1] * 5] * 3
    assert columns["windows"][1] == [[CLS, *short, SEP, *long[s : s + 8], SEP] for s in (0, 6, 12)]
    assert columns["windows_token_type_ids"][1] == [[0] * 6 + [1] * 9] * 3
    assert columns["kept"] == [24, 24]

    both = encode([words(20)], [words(15, 100)])  # the shorter is longer than half of the room: counted as cut
    assert both["windows"] == [[[CLS, *long[s : s + 6], SEP, *ids(6, 100), SEP] for s in (0, 4, 8, 12, 14)]]
    assert (both["tokens"], both["kept"]) == ([35], [26])


def test_error_names_the_rows(tokenizer):
    encode = Encoder(tokenizer, max_length=12, over_long="error")
    with pytest.raises(UserError) as caught:
        encode([words(3), words(11), words(150)], names=["train row 0", "train row 1", "train row 2"])
    assert str(caught.value) == (
        "max_length 12 has room for 10 tokens of text, less than train row 1 (11 tokens), train row 2 (150 tokens); "
        "shorten the text, raise max_length, or set over_long to head, tail, head+tail, windows"
    )


@pytest.mark.parametrize("over_long", ["head", "tail", "head+tail", "windows"])
def test_a_text_tokenized_in_pieces_has_the_tokens_it_has_as_a_whole(tokenizer, over_long, monkeypatch):
    texts = [words(400), words(3), "", f"{words(40)}\n\t{words(200)}。{words(9)}", "w" * 700, words(1) + " " * 300]
    options = {"max_length": 12, "over_long": over_long}
    expected = Encoder(tokenizer, **options)(texts)
    monkeypatch.setattr(long_texts, "PIECE", 20)
    monkeypatch.setattr(long_texts, "LONG", 40)
    assert Encoder(tokenizer, **options)(texts) == expected
    assert Encoder(tokenizer, **options, pair=True)(texts, texts[::-1])["tokens"] == [
        a + b for a, b in zip(expected["tokens"], expected["tokens"][::-1], strict=True)
    ]


@pytest.mark.parametrize("over_long", ["head", "tail", "head+tail", "windows"])
def test_a_row_of_ten_thousand_words(over_long, monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(SPECIALS + WORDS)}, model_max_length=32)
    text = " ".join(random.Random(0).choices(WORDS, k=10_000))
    columns = Encoder(tokenizer, max_length=32, over_long=over_long)([text, text], None)
    rows = columns["windows"][0] if over_long == "windows" else columns["input_ids"]
    assert {len(row) for row in rows} == {32}
    assert columns["tokens"] == [10_000] * 2
    assert columns["kept"] == [10_000 if over_long == "windows" else 30] * 2
    assert caplog.text == ""  # the tokenizer does not warn of what is reported anyway
    tokenizer([text])
    assert "longer than the specified maximum" in caplog.text


def test_other_tokenizers_frames():
    """A tokenizer without segments, with two separators between the texts, as RoBERTa's."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    raw = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3, "b": 4}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    roberta = PreTrainedTokenizerFast(tokenizer_object=raw, model_input_names=["input_ids", "attention_mask"])
    texts, pairs = ["a b a b", "b"], ["b b b b b b", "a"]
    columns = Encoder(roberta, max_length=9, pair=True)(texts, pairs)
    assert columns == {
        "input_ids": roberta(texts, pairs, truncation="longest_first", max_length=9)["input_ids"],
        "tokens": [10, 2],
        "kept": [5, 2],
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"over_long": "heads"}, 'over_long is "heads"; it can be head, tail, head+tail, windows, error'),
        ({"max_length": 2}, "max_length 2 leaves no room for text: the special tokens take 2; raise it"),
        ({"max_length": 4, "pair": True}, "max_length 4 leaves no room for text: the special tokens take 3; raise it"),
        (
            {"max_length": 12, "over_long": "windows", "overlap": 10},
            "window_stride 10 must be at least 0 and less than 10, the tokens of text that every window of "
            "max_length 12 has room for",
        ),
    ],
)
def test_impossible_options(tokenizer, options, expected):
    with pytest.raises(UserError) as caught:
        Encoder(tokenizer, **options)
    assert str(caught.value) == expected


def rows_of(columns: dict, **passengers) -> list[dict]:
    columns = {**columns, **passengers}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("side", ["right", "left"])
def test_collator_pads_to_the_longest_row(side):
    vocab = {token: number for number, token in enumerate(["[UNK]", *SPECIALS[2:], "[PAD]", "a", "b"])}
    tokenizer = BertTokenizer(vocab=vocab, padding_side=side)
    texts, pairs = ["a", "a b b", "b a"], ["b b", "a", "b"]
    rows = rows_of(Encoder(tokenizer, pair=True)(texts, pairs), labels=[0, 2, 1], text=texts, id=["x", "y", "z"])
    batch = ClassificationCollator(tokenizer)(rows)
    expected = tokenizer(texts, pairs, padding=True, return_tensors="pt")
    assert list(batch) == ["labels", "input_ids", "attention_mask", "token_type_ids"]
    for name in expected:
        assert batch[name].dtype == torch.int64
        assert torch.equal(batch[name], expected[name]), name
    assert torch.equal(batch["labels"], torch.tensor([0, 2, 1]))


@pytest.mark.parametrize(
    ("labels", "dtype", "shape"),
    [
        ([1, 0], torch.int64, (2,)),
        ([0.5, 2.0], torch.float32, (2,)),
        ([[1.0, 0.0, 1.0], [0.0] * 3], torch.float32, (2, 3)),
    ],
)
def test_collator_labels(tokenizer, labels, dtype, shape):
    batch = ClassificationCollator(tokenizer)(rows_of(Encoder(tokenizer)(["w1", "w2 w3"]), labels=labels))
    assert (batch["labels"].dtype, tuple(batch["labels"].shape)) == (dtype, shape)
    assert batch["labels"].tolist() == labels


def test_collator_flattens_windows(tokenizer):
    encoded = Encoder(tokenizer, max_length=8, over_long="windows", overlap=0)([words(14), words(2), words(7)])
    batch = ClassificationCollator(tokenizer)(rows_of(encoded, labels=[0, 1, 1]))
    assert next(iter(batch)) == "labels"  # Trainer counts the rows of a batch by its first tensor
    assert batch["window_row"].tolist() == [0, 0, 0, 1, 2, 2]
    assert batch["labels"].tolist() == [0, 1, 1]
    flat = [window for row in encoded["windows"] for window in row]
    assert batch["input_ids"].shape == batch["attention_mask"].shape == batch["token_type_ids"].shape == (6, 8)
    for padded, mask, window in zip(batch["input_ids"], batch["attention_mask"], flat, strict=True):
        assert padded[mask.bool()].tolist() == window
    assert batch["attention_mask"].sum(1).tolist() == [8, 8, 8, 4, 8, 8]


def test_collator_without_labels_and_without_padding_token(tokenizer):
    batch = ClassificationCollator(tokenizer)(rows_of(Encoder(tokenizer)(["w1"])))
    assert "labels" not in batch
    bare = BertTokenizer(vocab={token: number for number, token in enumerate(SPECIALS)})
    bare.pad_token = None
    with pytest.raises(
        UserError, match=r"^BertTokenizer has no padding token; set tokenizer\.pad_token to one of its tokens$"
    ):
        ClassificationCollator(bare)
