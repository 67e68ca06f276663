"""Tokenizers of the four kinds: what they promise to give back, what they save, what they refuse."""

import json
import random
import subprocess
import sys
import sysconfig
import unicodedata
import weakref
from itertools import islice
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, ByT5Tokenizer

from hf_xfmr import samples
from hf_xfmr.errors import UserError
from hf_xfmr.tokenizer import for_encoder, format_report, promised, report, train, words

KINDS = ("wordpiece", "bpe", "unigram", "char")
FEW = ["The cat sat on the mat.", "the cat, the hat; that mat", "猫坐在垫子上。", "def cat(mat):\n\treturn 'hat'"] * 5


def code():
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        yield from path.read_text(encoding="utf-8").splitlines()


def emoji():
    """Lines of words and emoji: plain, with a skin tone, with a variation selector, joined."""
    draw = random.Random(0)
    blocks = ((0x1F300, 0x1F5FF), (0x1F600, 0x1F64F), (0x1F680, 0x1F6C5), (0x1F910, 0x1F96B), (0x2600, 0x26FF))
    faces = [chr(point) for first, last in blocks for point in range(first, last + 1)]
    for _ in range(9000):
        faces_here = draw.choices(faces, k=3)
        faces_here[0] += draw.choice(["", "\U0001f3fd", "\ufe0f", "\u200d" + draw.choice(faces)])
        yield draw.choice(["so good", "看完了", "wow!!", "  "]) + " ".join(faces_here) + draw.choice(["", "?", " ok"])


@pytest.fixture(scope="module")
def lines():
    """(training lines, 10,000 held-out ones): as many of Chinese, English, emoji and code, no line in both."""
    chinese, english = samples.load("sample:reviews-zh"), samples.load("sample:movie-reviews")
    corpus, held_out = [], []
    for source in (chinese["train"]["text"], english["train"]["text"], emoji(), code()):
        distinct = list(islice(dict.fromkeys(line for line in source if line.strip()), 7500))
        random.Random(0).shuffle(distinct)
        held_out += distinct[:2500]
        corpus += distinct[2500:]
    assert len(held_out) == 10_000
    return corpus, held_out


@pytest.fixture(scope="module")
def trained(lines):
    return {
        kind: train(iter(lines[0]), kind, vocab_size=None if kind == "char" else 10_000, model_max_length=512)
        for kind in KINDS
    }


@pytest.fixture(scope="module")
def small():
    return {
        kind: train(FEW, kind, vocab_size=None if kind == "char" else 400, model_max_length=32, lowercase=False)
        for kind in KINDS
    }


def expected(kind, line):
    """What each kind promises, without asking the tokenizer."""
    if kind == "unigram":
        return " ".join(unicodedata.normalize("NFKC", line).replace("▁", " ").split())
    if kind == "wordpiece":
        return "".join(c for c in line if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf", "Co"))
    return line


@pytest.mark.parametrize("kind", [one if one == "bpe" else pytest.param(one, marks=pytest.mark.slow) for one in KINDS])
def test_held_out_lines_come_back_as_promised(kind, trained, lines):
    tokenizer, held_out = trained[kind], lines[1]
    rows = tokenizer(held_out, add_special_tokens=False, verbose=False)["input_ids"]
    back = tokenizer.batch_decode(rows)
    if kind == "wordpiece":
        back = ["".join(line.split()) for line in back]
    unknown = [tokenizer.unk_token_id in row for row in rows]
    seen = set("".join(expected(kind, line) for line in lines[0]))
    for line, got, lost in zip(held_out, back, unknown, strict=True):
        assert promised(tokenizer, line) == expected(kind, line)
        if kind == "wordpiece":
            assert lost == (not seen.issuperset(expected(kind, line))), line
        assert (got == expected(kind, line)) is not lost, line

    figures = report(tokenizer, iter(held_out), length=len(held_out))
    assert figures["round_trip_rate"] == 1 - sum(unknown) / len(held_out) > (0.95 if kind == "wordpiece" else 0.999)
    assert figures["tokens"] == sum(map(len, rows))
    assert figures["unknown_rate"] < 0.002
    assert figures["vocabulary"] == len(tokenizer)


LOAD = """
import json, sys
sys.modules["hf_xfmr"] = None  # importing it raises
from transformers import AutoTokenizer
loaded = {}
for kind, folder in json.load(sys.stdin).items():
    t = AutoTokenizer.from_pretrained(folder)
    loaded[kind] = {
        "ids": t(["The 猫 sat 🙂", "def"], padding=True).data,
        "special": t.special_tokens_map,
        "names": t.model_input_names,
        "length": t.model_max_length,
        "side": t.padding_side,
        "size": len(t),
        "text": t.decode(t("The 猫\\n sat,  🙂")["input_ids"], skip_special_tokens=True),
    }
print(json.dumps(loaded))
"""


def test_plain_transformers_loads_what_was_saved(trained, tmp_path):
    for kind, tokenizer in trained.items():
        tokenizer.save_pretrained(tmp_path / kind)
        assert sorted(path.name for path in (tmp_path / kind).iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    folders = json.dumps({kind: str(tmp_path / kind) for kind in trained})
    process = subprocess.run([sys.executable, "-c", LOAD], input=folders, capture_output=True, text=True, check=True)
    loaded = json.loads(process.stdout)
    for kind, tokenizer in trained.items():
        assert loaded[kind] == {
            "ids": tokenizer(["The 猫 sat 🙂", "def"], padding=True).data,
            "special": tokenizer.special_tokens_map,
            "names": ["input_ids", *(["token_type_ids"] if kind == "wordpiece" else []), "attention_mask"],
            "length": 512,
            "side": "right",
            "size": len(tokenizer),
            "text": {"wordpiece": "The 猫 sat, 🙂", "unigram": "The 猫 sat, 🙂"}.get(kind, "The 猫\n sat,  🙂"),
        }


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_tokenizer(kind, lines):
    def again():
        return train(lines[0][::10], kind, vocab_size=None if kind == "char" else 6000, model_max_length=8)

    assert again().backend_tokenizer.to_str() == again().backend_tokenizer.to_str()


def test_byte_level_bpe_learns_what_the_library_learns_directly(lines):
    direct = Tokenizer(models.BPE())
    direct.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<|endoftext|>", "<|pad|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=3000, min_frequency=2, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    direct.train_from_iterator(lines[0][::5], trainer)
    ours = train(lines[0][::5], "bpe", vocab_size=3000, model_max_length=8).backend_tokenizer
    assert json.loads(ours.to_str())["model"] == json.loads(direct.to_str())["model"]


def test_wordpiece_is_berts(small):
    tokenizer = small["wordpiece"]
    assert tokenizer.tokenize("猫坐the cat,") == ["猫", "坐", "the", "cat", ","]
    pair = tokenizer("the cat", "the hat")
    assert tokenizer.convert_ids_to_tokens(pair["input_ids"]) == ["[CLS]", "the", "cat", "[SEP]", "the", "hat", "[SEP]"]
    assert pair["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert tokenizer.tokenize("the dog") == ["the", "[UNK]"]
    assert [tokenizer.convert_tokens_to_ids(f"[{name}]") for name in ("PAD", "UNK", "CLS", "SEP", "MASK")] == [
        *range(5)
    ]

    lower = train(["Café The"] * 3, "wordpiece", vocab_size=40, model_max_length=8, lowercase=True)
    assert lower.tokenize("CAFÉ the") == ["cafe", "the"]


def test_wordpiece_spends_no_inner_piece_on_characters_that_stand_alone():
    inner = {
        token for token in train(FEW, "wordpiece", vocab_size=200, model_max_length=8).get_vocab() if "##" in token
    }
    assert "##a" in inner
    assert not inner & {f"##{character}" for character in "猫坐在垫子上。,;"}


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
def test_lowercase_lowers_and_is_promised(kind):
    tokenizer = train(["Ab Ba"], kind, vocab_size=300, model_max_length=8, lowercase=True)
    assert tokenizer.decode(tokenizer("BA aB", add_special_tokens=False)["input_ids"]) == "ba ab"
    assert promised(tokenizer, "BA aB") == "ba ab"


def test_padding_leaves_a_real_end_of_text_alone(small):
    for kind in ("bpe", "char"):
        tokenizer = small[kind]
        assert tokenizer.eos_token == tokenizer.bos_token == "<|endoftext|>"
        assert tokenizer.pad_token_id != tokenizer.eos_token_id
        batch = tokenizer(["cat<|endoftext|>", "the cat sat on"], padding=True)
        ends = [row.count(tokenizer.eos_token_id) for row in batch["input_ids"]]
        assert ends == [1, 0]
        assert batch["attention_mask"][0][-1] == 0
        assert batch["input_ids"][0][-1] == tokenizer.pad_token_id


def test_unigram_serves_source_and_target(small):
    tokenizer = small["unigram"]
    batch = tokenizer(["the cat", "mat"], text_target=["猫", "the hat"], padding=True)
    assert tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True) == ["the cat", "mat"]
    assert tokenizer.batch_decode(batch["labels"], skip_special_tokens=True) == ["猫", "the hat"]
    assert [row.count(tokenizer.eos_token_id) for row in batch["input_ids"] + batch["labels"]] == [1, 1, 1, 1]
    assert tokenizer("mat")["input_ids"][-1] == tokenizer.eos_token_id
    assert len({tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id}) == 3


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
@pytest.mark.parametrize("text", ["naïve 🦄 Ω", "<0x41><0x0A>", "nul \x00 and \ufeff", "x" * 5000, "中" * 5000, ""])
def test_unseen_characters_are_spelt_in_bytes(kind, text, small):
    tokenizer = small[kind]
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    assert tokenizer.unk_token_id is None or tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_char_has_a_token_for_each_character(small):
    tokenizer = small["char"]
    alphabet = set("".join(FEW))
    assert len(tokenizer) == len(alphabet) + 256 + 2
    assert tokenizer.tokenize("\tthe 猫\n") == list("\tthe 猫\n")
    assert "".join(sorted(alphabet)) == tokenizer.decode(range(258, len(tokenizer)))


def test_report_counts(small):
    figures = report(small["wordpiece"], ["the cat 猫猫", "the z 猫"])
    assert figures == {
        "vocabulary": len(small["wordpiece"]),
        "texts": 2,
        "words": 7,
        "characters": 17,
        "tokens": 7,
        "unknown_rate": 1 / 7,
        "byte_rate": 0,
        "tokens_per_word": 1,
        "tokens_per_character": 7 / 17,
        "round_trip_rate": 0.5,
    }
    assert format_report(figures).splitlines()[5:7] == [
        "unknown rate               14.29%",
        "byte rate                   0.00%",
    ]
    spelt = report(small["char"], ["cat é"])
    assert (spelt["tokens"], spelt["byte_rate"], spelt["round_trip_rate"]) == (6, 2 / 6, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_read_once_and_not_kept(kind, capsys, monkeypatch):
    class Text(str):
        """A string that can be watched."""

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)  # where progress is a bar
    watched = weakref.WeakSet()
    most = 0

    def stream():
        nonlocal most
        for number in range(20_000):
            watched.add(text := Text(f"line {number}"))
            most = max(most, len(watched))
            yield text

    tokenizer = train(stream(), kind, vocab_size=None if kind == "char" else 300, model_max_length=8, length=20_000)
    report(tokenizer, stream())
    assert most < 1000
    assert "20000/20000" in capsys.readouterr().err


def test_too_many_words_are_left_out_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(words, "WORDS_KEPT", 3)
    monkeypatch.setattr(words, "PART", 10)
    texts = ["common words here"] * 20 + [chr(ord("a") + number) * 9 for number in range(20)]
    tokenizer = train(texts, "bpe", vocab_size=400, model_max_length=8)
    assert "3 most frequent, which leaves out 25.0 % of all words" in caplog.text
    assert tokenizer.tokenize("common here bbbb") == ["common", "Ġhere", *"Ġbbbb"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "holds no text"),
        (["", " \n"], "holds no text"),
        (["a", None], "text 1 of the corpus is of type NoneType"),
        (["a", "b", 3], "text 2 of the corpus is of type int"),
        (["a", "bc\ud83d"], "text 1 of the corpus has half a surrogate pair at character 2"),
        ("a text", "one string"),
    ],
)
def test_bad_texts_are_named(kind, texts, message):
    with pytest.raises(UserError, match=message):
        train(texts, kind, vocab_size=400, model_max_length=8)


@pytest.mark.parametrize(("kind", "needed"), [("wordpiece", 5 + 3 + 3), ("bpe", 258), ("unigram", 263), ("char", 262)])
def test_a_vocabulary_too_small_names_the_size_needed(kind, needed):
    texts = ["ab ac"]
    with pytest.raises(UserError, match=f"vocab_size {needed - 1} is too small.* {needed}$"):
        train(texts, kind, vocab_size=needed - 1, model_max_length=8)
    assert len(train(texts, kind, vocab_size=needed, model_max_length=8)) == needed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "sentencepiece"}, "choose one of wordpiece, bpe, unigram, char"),
        ({"kind": "unigram", "min_frequency": 3}, "min_frequency is for wordpiece and bpe"),
        ({"kind": "bpe", "vocab_size": None}, "needs vocab_size"),
        ({"kind": "bpe", "model_max_length": 0}, "model_max_length is 0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        train(FEW, **{"vocab_size": 400, "model_max_length": 8, **options})


def test_a_report_needs_a_fast_tokenizer():
    with pytest.raises(UserError, match=r"ByT5Tokenizer has no tokenizer.json"):
        report(ByT5Tokenizer(), FEW)


def test_an_encoders_dress_keeps_the_pieces_and_adds_what_bert_reads(tmp_path):
    plain = train(["这个酒店很好 很好", "这个酒店不好 不好"] * 20, "unigram", vocab_size=300, model_max_length=32)
    dressed = for_encoder(plain)
    dressed.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    pieces = plain("这个酒店很好", add_special_tokens=False)["input_ids"]
    pair = loaded("这个酒店很好", "不好")
    second = plain("不好", add_special_tokens=False)["input_ids"]
    cls, sep = loaded.cls_token_id, loaded.sep_token_id
    assert pair["input_ids"] == [cls, *pieces, sep, *second, sep]
    assert pair["token_type_ids"] == [0] * (len(pieces) + 2) + [1] * (len(second) + 1)
    assert len(loaded) == len(plain) + 3
    assert loaded.mask_token_id == len(loaded) - 1
    assert loaded.pad_token_id == plain.pad_token_id
