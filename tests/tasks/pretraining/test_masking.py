"""What pre-training asks: the statistics of masks, whole words, pairs of sentences, and the same draw everywhere."""

import numpy as np
import pytest
from scipy import stats
from torch.utils.data import DataLoader
from transformers import BertTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.pretraining import data
from hf_xfmr.tasks.pretraining.masking import IGNORE, Masker
from hf_xfmr.tasks.pretraining.sentence_pairs import NEXT, RANDOM, partners
from hf_xfmr.tasks.pretraining.sentences import ends, tokenize

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"的好书很店房间服务不错", ".", ",", "。", "，", "##s", "##ing"]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def tokenizer():
    words = {word: number for number, word in enumerate([*SPECIALS, *LETTERS])}
    return BertTokenizer(vocab=words, model_max_length=64)


def test_masks_have_the_papers_statistics_over_a_million_tokens(tokenizer):
    """Chi-squared: 15 % chosen at every place of a row; of these 80/10/10; random tokens uniform; specials never."""
    masker, size, rows = Masker(tokenizer), len(tokenizer), 20_500
    draw = np.random.default_rng(1)
    ids = draw.integers(len(SPECIALS), size, (rows, 52))
    ids[:, 0], ids[:, 25], ids[:, 51] = tokenizer.cls_token_id, tokenizer.unk_token_id, tokenizer.sep_token_id
    starts = np.ones(52, bool)
    read, labels = map(np.stack, zip(*(masker(row, starts, draw) for row in ids), strict=True))
    chosen = labels != IGNORE
    special = [0, 25, 51]
    assert not chosen[:, special].any()
    assert (read[~chosen] == ids[~chosen]).all()
    assert (labels[chosen] == ids[chosen]).all()

    inner = np.delete(chosen, special, axis=1)
    assert inner.size == 1_004_500
    assert stats.binomtest(int(inner.sum()), inner.size, 0.15).pvalue > 1e-3
    places = inner.sum(0)
    assert stats.chisquare([*places, *(rows - places)], [*[rows * 0.15] * 49, *[rows * 0.85] * 49], 48).pvalue > 1e-3

    masked, kept = (read == tokenizer.mask_token_id)[chosen], (read == ids)[chosen]
    ordinary = size - len(SPECIALS)
    replaced = chosen.sum() - masked.sum() - kept.sum()
    shares = [0.8, 0.1 + 0.1 / ordinary, 0.1 - 0.1 / ordinary]  # a random token may be the one that was there
    observed = [masked.sum(), kept.sum(), replaced]
    assert stats.chisquare(observed, np.array(shares) * chosen.sum()).pvalue > 1e-3
    put_in = np.bincount(read[chosen][~masked & ~kept], minlength=size)
    assert not put_in[: len(SPECIALS)].any()
    assert stats.chisquare(put_in[len(SPECIALS) :]).pvalue > 1e-3


def test_whole_words_are_chosen_together_and_as_often(tokenizer):
    masker, draw = Masker(tokenizer), np.random.default_rng(0)
    starts = np.array([1, 1, 0, 0, 1, 0, 1, 1], bool)
    ids = np.array([tokenizer.cls_token_id, 10, 11, 12, 13, 14, 15, tokenizer.sep_token_id])
    labels = np.stack([masker(ids, starts, draw)[1] for _ in range(20_000)]) != IGNORE
    assert (labels[:, 1] == labels[:, 2]).all()
    assert (labels[:, 2] == labels[:, 3]).all()
    assert (labels[:, 4] == labels[:, 5]).all()
    assert not labels[:, [0, 7]].any()
    for place in (1, 4, 6):
        assert stats.binomtest(int(labels[:, place].sum()), len(labels), 0.15).pvalue > 1e-3


def test_whole_words_of_chinese_are_those_of_jieba(tokenizer):
    (sentences,) = tokenize(["酒店的服务不错。"], tokenizer, whole_words=True)
    begins = np.concatenate(sentences, 1)[1]
    assert begins.tolist() == [1, 0, 1, 1, 0, 1, 0, 1]  # 酒店 的 服务 不错 。
    (sentences,) = tokenize(["cs as."], tokenizer, whole_words=True)
    assert np.concatenate(sentences, 1)[1].tolist() == [1, 0, 1, 0, 1]


def test_without_jieba_whole_words_of_chinese_are_a_clear_error(tokenizer, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jieba", None)
    list(tokenize(["a b."], tokenizer, whole_words=True))  # English needs none
    with pytest.raises(UserError, match=r"needs jieba.*hf_xfmr\[chinese\]"):
        list(tokenize(["很好"], tokenizer, whole_words=True))


def test_sentences_end_at_stops_and_a_lone_one_at_commas():
    cut = lambda text: [text[a:b] for a, b in zip([0, *ends(text)[:-1]], ends(text), strict=True)]  # noqa: E731
    assert cut("很好。“不错！”真的吗？") == ["很好。", "“不错！”", "真的吗？"]
    assert cut("Good film. Costs 3.5 euros") == ["Good film.", " Costs 3.5 euros"]
    assert cut("房间大，服务好。") == ["房间大，", "服务好。"]


def corpus(tmp_path, tokenizer, documents=400, **settings):
    draw = np.random.default_rng(0)
    lines = [
        " ".join(
            "".join(draw.choice(list("abcdefgh"), 1)) + " " + "xyz"[i % 3] + "." for _ in range(draw.integers(1, 9))
        )
        for i in range(documents)
    ]
    file = tmp_path / "corpus.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    given = data.PretrainingSettings(lines=True, **settings)
    return data.pretraining(str(file), tokenizer, given, max_positions=32, seed=3)


def test_half_of_the_pairs_are_true_and_the_others_from_other_documents(tmp_path, tokenizer):
    rows = corpus(tmp_path, tokenizer, documents=3000).splits["train"]
    change = partners(rows.rows, np.random.default_rng(0))
    able = [i for i, row in enumerate(rows.rows) if row.second.shape[1]]
    assert stats.binomtest(sum(int(change[i]) == i for i in able), len(able), 0.5).pvalue > 1e-3
    assert all(change[i] == i or rows.rows[change[i]].document != rows.rows[i].document for i in able)
    for i in able[:200]:
        one = rows[i]
        other = rows._partner(0, i)
        assert one["next_sentence_label"] == (NEXT if other == i else RANDOM)
        ids = np.where(one["labels"] == IGNORE, one["input_ids"], one["labels"])
        second = rows.rows[other].second[0]
        stop = len(ids) - 1
        assert ids[one["token_type_ids"] == 1][:-1].tolist() == second[:stop].tolist()[: sum(one["token_type_ids"]) - 1]
        assert ids[0] == tokenizer.cls_token_id
        assert len(ids) <= 32


def test_no_token_of_a_document_is_lost(tmp_path, tokenizer):
    for settings in ({"nsp": True}, {"nsp": False}, {"nsp": False, "packing": True}):
        made = corpus(tmp_path, tokenizer, **settings)
        whole = sum(len(ids) for ids in tokenizer(list(made.documents["train"]), add_special_tokens=False)["input_ids"])
        parts = [[row.first, row.second] if settings["nsp"] else row for row in made.splits["train"].rows]
        assert sum(part.shape[1] for row in parts for part in row) == whole


def test_packed_rows_are_full_and_their_positions_start_anew(tmp_path, tokenizer):
    made = corpus(tmp_path, tokenizer, nsp=False, packing=True)
    lengths = [len(one["input_ids"]) for one in made.splits["train"]]
    assert np.mean(lengths) > 22
    assert max(lengths) <= 32
    one = made.splits["train"][0]
    assert (one["position_ids"] == 0).sum() == (one["input_ids"] == tokenizer.cls_token_id).sum() > 1


@pytest.mark.parametrize("streaming", [False, True])
def test_a_row_is_drawn_anew_each_epoch_and_the_same_in_any_worker(tmp_path, tokenizer, streaming):
    rows = corpus(tmp_path, tokenizer, documents=60, streaming=streaming).splits["train"]

    def epoch(number, workers):
        rows.set_epoch(number)
        loaded = DataLoader(rows, batch_size=None, num_workers=workers)
        return sorted((*one["input_ids"].tolist(), -1, *one["labels"].tolist()) for one in loaded)

    assert epoch(0, 0) == epoch(0, 2) != epoch(1, 0) == epoch(1, 2)
    assert epoch(0, 0) == epoch(0, 0)


def test_what_cannot_be_is_one_sentence(tmp_path, tokenizer):
    with pytest.raises(UserError, match="packing and nsp exclude one another"):
        corpus(tmp_path, tokenizer, packing=True)
    with pytest.raises(UserError, match="at most the model's 32 positions"):
        corpus(tmp_path, tokenizer, max_length=64)
    (tmp_path / "one.txt").write_text("a b. c d. e f. " * 30, encoding="utf-8")
    with pytest.raises(UserError, match="train is one document: say what separates documents"):
        data.pretraining(str(tmp_path / "one.txt"), tokenizer, data.PretrainingSettings(), max_positions=32, seed=0)
