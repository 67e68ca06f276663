"""Pairs of sentences from every kind of source, their splits, and batches by a budget of tokens."""

import json
import random
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, Translation

from hf_xfmr.errors import UserError
from hf_xfmr.splits import position
from hf_xfmr.tasks.translation.data import TranslationSettings, translation
from hf_xfmr.tasks.translation.token_batches import TokenBatches, TranslationCollator
from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
from hf_xfmr.tokenizer import train


def numbers(n: int = 200) -> list[tuple[str, str]]:
    """Pairs that look like a sentence and its translation."""
    draw = random.Random(0)
    return [(f"the number {draw.randrange(10**6)}", f"le nombre {draw.randrange(10**6)}") for _ in range(n)]


@pytest.fixture(scope="module")
def tokenizers() -> TokenizerPair:
    texts = [text for pair in numbers() for text in pair]
    shared = ends_texts(train(texts, "bpe", vocab_size=300, model_max_length=64))
    return TokenizerPair(shared, shared)


def load(dataset, tokenizers, **settings):
    return translation(dataset, tokenizers, TranslationSettings(dataset="", **settings))


def lines(path: Path, texts, end: str = "\n") -> Path:
    path.write_bytes("".join(f"{text}{end}" for text in texts).encode())
    return path


def every_pair(corpus) -> set[tuple[str, str]]:
    return {pair for rows in corpus.splits.values() for pair in zip(rows["source"], rows["target"], strict=True)}


def test_every_form_of_the_same_pairs_gives_the_same_rows(tmp_path, tokenizers):
    pairs = numbers()
    sources, targets = zip(*pairs, strict=True)
    lines(tmp_path / "a.en", sources), lines(tmp_path / "a.fr", targets, end="\r\n")
    lines(tmp_path / "table.tsv", ["id\ten\tfr", *(f"{i}\t{a}\t{b}" for i, (a, b) in enumerate(pairs))])
    lines(tmp_path / "table.csv", ["en,fr", *(f"{a},{b}" for a, b in pairs)])
    lines(tmp_path / "table.jsonl", [json.dumps({"en": a, "fr": b}) for a, b in pairs])
    lines(tmp_path / "nested.jsonl", [json.dumps({"translation": {"en": a, "fr": b}}) for a, b in pairs])
    nested = Dataset.from_dict({"translation": [{"en": a, "fr": b} for a, b in pairs]})
    hub = DatasetDict({"train": nested.cast_column("translation", Translation(["en", "fr"]))})
    forms = [hub, f"{tmp_path}/a.en,{tmp_path}/a.fr"]
    forms += [str(tmp_path / name) for name in ("table.tsv", "table.csv", "table.jsonl", "nested.jsonl")]
    for form in forms:
        corpus = load(form, tokenizers)
        assert (corpus.source_lang, corpus.target_lang) == ("en", "fr")
        assert every_pair(corpus) == set(pairs)
        test = corpus.splits["test"]
        assert tokenizers.decode(test["labels"]) == test["target"][:]
        assert test["input_ids"][0][-1] == tokenizers.source.eos_token_id
        assert test["length"][:] == [max(map(len, p)) for p in zip(test["input_ids"], test["labels"], strict=True)]


def test_a_folder_of_parallel_files_has_its_own_splits(tmp_path, tokenizers):
    pairs = numbers(60)
    for split, part in (("train", pairs[:40]), ("dev", pairs[40:50]), ("test", pairs[50:])):
        for language, texts in zip(("en", "fr"), zip(*part, strict=True), strict=True):
            lines(tmp_path / f"{split}.{language}", texts)
    with pytest.raises(UserError, match=r'"en", "fr": say which is the source by source_lang'):
        load(str(tmp_path), tokenizers)
    corpus = load(str(tmp_path), tokenizers, source_lang="fr", target_lang="en")
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {"train": 40, "validation": 10, "test": 10}
    assert corpus.splits["test"]["source"][:] == [b for _, b in pairs[50:]]


def test_the_direction_is_what_the_settings_say(tmp_path, tokenizers):
    path = lines(tmp_path / "x.tsv", ["en\tfr\tnote", *(f"{a}\t{b}\tx" for a, b in numbers())])
    corpus = load(str(path), tokenizers, source_lang="fr", target_lang="en")
    assert every_pair(corpus) == {(b, a) for a, b in numbers()}
    assert 'not read: "note"' in corpus.report
    three = lines(tmp_path / "y.tsv", ["en\tfr\tde", *(f"{a}\t{b}\tx" for a, b in numbers())])
    with pytest.raises(UserError, match=r'"en", "fr", "de": say which is the source by source_lang'):
        load(str(three), tokenizers)
    with pytest.raises(UserError, match=r'target_lang is "de", but the dataset has no texts of that name'):
        load(str(path), tokenizers, source_lang="fr", target_lang="de")


def test_unequal_line_counts_are_an_error_that_names_both(tmp_path, tokenizers):
    lines(tmp_path / "a.en", ["x"] * 12), lines(tmp_path / "a.fr", ["x"] * 11)
    with pytest.raises(UserError, match=r"a\.en has 12 lines but .*a\.fr has 11"):
        load(f"{tmp_path}/a.en,{tmp_path}/a.fr", tokenizers)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("nowhere.tsv", "no such file"),
        ("here.en,nowhere.fr", "nowhere.fr"),
        ("task:sort", "no generated task"),
        ("gaps.tsv", r"train rows 1 \(counted from 0\)|train row 1 \(counted from 0\): no text on one of the sides"),
        ("one.tsv", 'has only "en"; a pair is of two texts'),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, tokenizers, dataset, message):
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "here.en", ["a"])
    lines(tmp_path / "gaps.tsv", ["en\tfr", "a\tb", "c\t ", "e\tf"])
    lines(tmp_path / "one.tsv", ["en", "a"])
    with pytest.raises(UserError, match=message) as caught:
        load(dataset, tokenizers)
    assert "\n" not in str(caught.value)


def test_pairs_that_lack_a_side_are_left_out_only_when_told_and_counted(tmp_path, tokenizers):
    path = lines(tmp_path / "x.tsv", ["en\tfr", *(f"{a}\t{b}" for a, b in numbers()), "alone\t", "\tseul"])
    corpus = load(str(path), tokenizers, drop_empty=True)
    assert every_pair(corpus) == set(numbers())
    assert "dropped: 2 of 202 train pairs, which lack a side: train rows 200, 201 (counted from 0)" in corpus.report


def test_a_source_seen_in_train_is_never_in_test(tokenizers):
    """Many translations of each source, in other letter case too: all go to one side, whatever the order."""
    pairs = [(text, f"{word} {i}") for i in range(150) for word in "xyz" for text in (f"Text {i}", f"text  {i}")]
    random.Random(1).shuffle(pairs)
    sources, targets = zip(*pairs, strict=True)
    corpus = load(DatasetDict({"train": Dataset.from_dict({"a": sources, "b": targets})}), tokenizers)
    sides = {split: {position(text) for text in rows["source"]} for split, rows in corpus.splits.items()}
    assert min(map(len, sides.values())) > 1
    assert not sides["train"] & sides["test"]
    assert not sides["train"] & sides["validation"]
    assert not sides["validation"] & sides["test"]
    assert sum(map(len, corpus.splits.values())) == len(pairs)


def test_an_overlap_of_given_splits_is_counted_and_taken_out_of_train(tokenizers):
    train_rows, test_rows = (
        {"a": ["one", "Two", "three"], "b": ["1", "2", "3"]},
        {"a": ["two", "four"], "b": ["2", "4"]},
    )
    given = DatasetDict({"train": Dataset.from_dict(train_rows), "test": Dataset.from_dict(test_rows)})
    corpus = load(given, tokenizers, validation_fraction=0)
    assert corpus.splits["train"]["source"][:] == ["one", "three"]
    assert corpus.splits["test"]["source"][:] == ["two", "four"]
    assert "overlap: the source of 1 of 2 test pairs is in train too" in corpus.report
    assert any(line.startswith("dropped: 1 of 3 train pairs") for line in corpus.report)
    kept = load(given, tokenizers, validation_fraction=0, shared_sources="keep")
    assert kept.splits["train"]["source"][:] == ["one", "Two", "three"]
    assert "overlap: the source of 1 of 2 test pairs is in train too" in kept.report


def test_the_sample_keeps_its_sources_apart(tokenizers):
    corpus = load("sample:tatoeba-en-fr", tokenizers, max_train_rows=50, max_validation_rows=50, max_test_rows=50)
    assert "overlap: the source of 0 of 17,933 test pairs is in train too" in corpus.report


def test_over_long_pairs_are_dropped_or_cut_and_counted_or_refused(tokenizers):
    pairs = [*numbers(), ("long " * 40, "court"), ("short", "longue " * 50)]
    sources, targets = zip(*pairs, strict=True)
    given = DatasetDict({"train": Dataset.from_dict({"a": sources, "b": targets})})
    fractions = {"validation_fraction": 0, "test_fraction": 0}
    dropped = load(given, tokenizers, max_length=24, **fractions)
    assert every_pair(dropped) == set(numbers())
    assert any("dropped: 2 of 202 train pairs, longer than max_length 24 tokens" in line for line in dropped.report)
    cut = load(given, tokenizers, max_length=24, over_long="cut", **fractions)
    rows = cut.splits["train"]
    assert [max(map(len, rows[side][:])) for side in ("input_ids", "labels")] == [24, 24]
    assert rows["input_ids"][200][-1] == rows["labels"][201][-1] == tokenizers.target.eos_token_id
    assert max(rows["length"][:]) == 24
    assert any("cut: 2 of 202" in line for line in cut.report)
    with pytest.raises(UserError, match=r"2 of 202 train pairs are longer .* train rows 200, 201"):
        load(given, tokenizers, max_length=24, over_long="error", **fractions)


def test_generated_tasks_are_the_same_every_time_and_what_they_say(tokenizers):
    copies, reverses = (load(f"task:{name}", tokenizers, task_rows=300) for name in ("copy", "reverse"))
    assert all(a == b for a, b in every_pair(copies))
    assert all(a.split() == b.split()[::-1] for a, b in every_pair(reverses))
    assert len(every_pair(copies)) == 300
    assert every_pair(load("task:copy", tokenizers, task_rows=300)) == every_pair(copies)


def lengths(n: int = 500) -> list[int]:
    draw = random.Random(2)
    return [draw.randint(1, 60) for _ in range(n)]


def test_batches_keep_to_the_budget_and_hold_every_row_once_an_epoch():
    batches = TokenBatches(lengths(), 256, seed=1)
    seen = []
    for epoch in range(3):
        batches.set_epoch(epoch)
        made = list(batches)
        assert len(made) == len(batches)
        assert sorted(row for batch in made for row in batch) == list(range(500))
        for batch in made:
            longest = [lengths()[row] for row in batch]
            assert len(batch) * max(longest) <= 256
            assert max(longest) - min(longest) <= 8  # rows of like lengths
        seen.append(made)
    assert seen[0] != seen[1] != seen[2]
    assert {frozenset(batch) for batch in seen[0]} != {frozenset(batch) for batch in seen[1]}  # dealt anew
    sizes = [sum(lengths()[row] for row in batch) for batch in seen[0]]
    assert sum(sizes) / len(sizes) > 0.85 * 256  # and the budget is used


def test_batches_depend_on_seed_and_epoch_alone():
    one, other = TokenBatches(lengths(), 256, seed=1), TokenBatches(lengths(), 256, seed=1)
    one.set_epoch(4), list(one), list(one)
    other.set_epoch(4)
    assert list(one) == list(other)
    assert list(TokenBatches(lengths(), 256, seed=2)) != list(TokenBatches(lengths(), 256, seed=1))


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_several_processes_share_an_epoch_evenly(processes):
    parts = [TokenBatches(lengths(), 256, seed=1, processes=processes, process=p) for p in range(processes)]
    made = [list(part) for part in parts]
    assert len({len(part) for part in made}) == 1
    assert sorted(row for part in made for batch in part for row in batch) == list(range(500))


def test_a_row_over_the_budget_is_an_error():
    with pytest.raises(UserError, match="no room for the longest pair, 60 tokens"):
        TokenBatches([3, 60], 50)


def test_the_collator_pads_each_side_on_its_own(tokenizers):
    rows = [{"input_ids": [5, 6, 7], "labels": [8]}, {"input_ids": [5], "labels": [8, 9]}]
    batch = TranslationCollator(tokenizers)(rows)
    pad = tokenizers.source.pad_token_id
    assert batch["input_ids"].tolist() == [[5, 6, 7], [5, pad, pad]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[8, -100], [8, 9]]


def test_predictions_padded_with_minus_100_decode(tokenizers):
    ids = tokenizers.target_ids(["le nombre 7"])[0]
    assert tokenizers.decode([[*ids, -100, -100]]) == ["le nombre 7"]
