"""Tokens kept on disk: found again by content, never a reason to stop, never wrong, and bounded."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import transformers
from datasets import Dataset, DatasetDict
from huggingface_hub import constants

from hf_xfmr import __main__ as command_line
from hf_xfmr import keeping, samples, tokenizer
from hf_xfmr.data import kept_columns
from hf_xfmr.tasks.classification import data
from hf_xfmr.tasks.classification.settings import ClassificationSettings
from hf_xfmr.tasks.language_modeling import data as language_modeling
from hf_xfmr.tasks.pretraining import data as pretraining
from hf_xfmr.tasks.pretraining import sentences
from hf_xfmr.tasks.tagging import alignment
from hf_xfmr.tasks.tagging import data as tagging
from hf_xfmr.tasks.tagging.settings import TaggingSettings
from hf_xfmr.tasks.translation import data as translation
from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
from hf_xfmr.tokenizer import kept as kept_tokenizer
from hf_xfmr.tokenizer import kinds, long_texts, token_table

TEXTS = [f"a film of number {number}, and {'a good' if number % 2 else 'no'} one" for number in range(60)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache of its own, which small data go into too."""
    there = tmp_path / "home"
    monkeypatch.setattr(constants, "HF_HOME", str(there))
    monkeypatch.setattr(kept_columns, "LEAST", 0)
    return there / "hf_xfmr" / "kept"


@pytest.fixture(scope="module")
def minilm():
    return transformers.AutoTokenizer.from_pretrained(samples.checkpoint("sample:minilm"))


def rows(texts=TEXTS) -> DatasetDict:
    return DatasetDict({"train": Dataset.from_dict({"text": texts, "label": [i % 2 for i in range(len(texts))]})})


def encoded(words, texts=TEXTS, **settings):
    found = data.classification(rows(texts), words, ClassificationSettings(**settings))
    return found.splits, "\n".join(found.report)


def same(one: DatasetDict, other: DatasetDict) -> bool:
    return all(one[split].features == other[split].features and one[split][:] == other[split][:] for split in one)


def test_a_second_start_finds_what_the_first_kept(home, minilm, monkeypatch):
    plain, said = encoded(minilm, keep_tokenized=False)
    assert "next start" not in said
    assert not home.exists()
    first, said = encoded(minilm)
    assert f"tokens: kept for the next start in {home}" in said
    monkeypatch.setattr(data.Encoder, "__call__", None)  # nothing is tokenized any more
    second, said = encoded(minilm)
    assert f"tokens: as an earlier start kept them in {home}" in said
    assert same(plain, first)
    assert same(plain, second)


def test_anything_else_that_matters_has_an_entry_of_its_own(home, minilm):
    def count(words=minilm, texts=TEXTS, **settings) -> int:
        encoded(words, texts, validation_fraction=0, test_fraction=0, **settings)
        return len(keeping.entries())

    lower = transformers.AutoTokenizer.from_pretrained(samples.checkpoint("sample:minilm"))
    lower.add_tokens(["number 7"])
    assert [count(), count(), count(max_length=8), count(max_length=8, over_long="tail")] == [1, 1, 2, 3]
    assert [count(texts=[*TEXTS[:-1], "another"]), count(lower), count()] == [4, 5, 5]


def test_a_damaged_entry_is_made_anew(home, minilm):
    first, _ = encoded(minilm)
    for damage in (lambda old: old[: len(old) // 2], lambda old: b"", lambda old: old.replace(b"e\0\0\0", b"f\0\0\0")):
        for entry in keeping.entries():
            entry.path.write_bytes(damage(entry.path.read_bytes()))
        again, said = encoded(minilm)
        assert same(first, again)
        assert "tokens: kept" in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_where_nothing_can_be_written_a_run_goes_on_and_says_why(number, home, minilm, monkeypatch):
    def full(table, path):
        Path(path).write_bytes(b"half")
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(kept_columns, "_write", full)
    found, said = encoded(minilm)
    assert said.count("tokens are not kept for the next start") == 1
    assert os.strerror(number) in said
    assert not list(home.iterdir())
    assert same(found, encoded(minilm, keep_tokenized=False)[0])


def test_a_cache_that_is_a_file_stops_nothing(home, minilm):
    home.parent.mkdir(parents=True)
    home.write_text("no folder")
    _, said = encoded(minilm)
    assert "tokens are not kept for the next start" in said


def write_and_die(folder: str) -> None:
    constants.HF_HOME = folder

    def write(aside: Path) -> None:
        aside.write_bytes(b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)

    keeping.keep("ab.arrow", write)


def write(folder: str, number: int) -> None:
    constants.HF_HOME = folder
    for _ in range(30):
        assert keeping.keep("ab.arrow", lambda aside: aside.write_bytes(bytes([number]) * 200_000)) is None


def test_a_killed_writer_leaves_no_entry_and_two_writers_whole_ones(tmp_path, home, monkeypatch):
    fork = multiprocessing.get_context("fork")
    killed = fork.Process(target=write_and_die, args=(str(tmp_path / "home"),))
    killed.start()
    killed.join()
    assert keeping.find("ab.arrow") is None
    assert len(list(home.iterdir())) == 1
    monkeypatch.setattr(keeping, "LEFT", 0)
    keeping.tidy()
    assert not list(home.iterdir())
    monkeypatch.setattr(keeping, "LEFT", 1)
    two = [fork.Process(target=write, args=(str(tmp_path / "home"), number)) for number in (1, 2)]
    for one in two:
        one.start()
    while any(one.is_alive() for one in two):
        if (found := keeping.find("ab.arrow")) is not None:
            assert found.read_bytes() in (b"\1" * 200_000, b"\2" * 200_000)
    assert [one.exitcode for one in two] == [0, 0]


def test_old_entries_go_and_so_do_the_longest_unused_of_too_many(home, monkeypatch):
    now = time.time()
    for number, days in enumerate([40, 3, 2, 1]):
        keeping.keep(f"{number}.arrow", lambda aside: aside.write_bytes(b"x" * 1000))
        os.utime(home / f"{number}.arrow", (now - days * keeping.DAY,) * 2)
    keeping.tidy()
    assert [one.path.name for one in keeping.entries()] == ["1.arrow", "2.arrow", "3.arrow"]
    keeping.find("1.arrow")  # used now
    monkeypatch.setattr(keeping, "MOST", 2000)
    keeping.tidy()
    assert [one.path.name for one in keeping.entries()] == ["3.arrow", "1.arrow"]


def test_the_command_says_where_and_clears(home, minilm, capsys, monkeypatch):
    encoded(minilm)
    count = len(keeping.entries())
    for words, said in (([], f"kept: {count} entries"), (["--clear"], f"removed: {count} entries"), ([], "kept: 0 ")):
        monkeypatch.setattr("sys.argv", ["hf_xfmr", "cache", *words])
        command_line.run()
        out = capsys.readouterr().out
        assert out.startswith(said)
        assert str(home) in out


def test_the_command_needs_nothing_heavy():
    code = "import sys; from hf_xfmr.keeping import lines; lines(); print({'torch', 'datasets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_trained_tokenizer_is_found_again(home, monkeypatch):
    monkeypatch.setattr(kept_tokenizer, "LEAST", 0)
    options = {"vocab_size": 120, "model_max_length": 32, "keep": True}
    first = tokenizer.train(TEXTS, "wordpiece", **options)
    assert len(keeping.entries()) == 1
    monkeypatch.setitem(kinds.KINDS, "wordpiece", (kinds.BERT_TOKENS, None))  # nothing is learned any more
    second = tokenizer.train(TEXTS, "wordpiece", **options)
    assert second(TEXTS) == first(TEXTS)
    assert second.backend_tokenizer.to_str() == first.backend_tokenizer.to_str()
    keeping.entries()[0].path.write_text("{")
    with pytest.raises(TypeError):  # it would be learned anew
        tokenizer.train(TEXTS, "wordpiece", **options)


def test_pairs_are_found_again(home, monkeypatch):
    words = ends_texts(tokenizer.train(TEXTS, "bpe", vocab_size=300, model_max_length=64))
    pair = TokenizerPair(words, words)
    rows = Dataset.from_dict({"translation": [{"en": text, "fr": text[::-1]} for text in TEXTS]})

    def loaded(**settings):
        found = translation.translation(
            DatasetDict({"train": rows}),
            pair,
            translation.TranslationSettings(dataset="rows", validation_fraction=0, test_fraction=0, **settings),
        )
        return found.splits, "\n".join(found.report)

    plain, _ = loaded(keep_tokenized=False)
    first, said = loaded()
    assert f"tokens: kept for the next start in {home}" in said
    monkeypatch.setattr(TokenizerPair, "source_ids", None)  # nothing is tokenized any more
    second, said = loaded()
    assert "tokens: as an earlier start kept them" in said
    assert same(plain, first)
    assert same(plain, second)


def of_corpus(task: str, folder: Path, words, **settings):
    """A task's rows, its tokens read anew, and what is said."""
    if task == "tag":
        file = folder / "tagged.conll"
        file.write_text(
            "\n\n".join(
                "\n".join(f"{word} {'B-IT' if word == 'film' else 'O'}" for word in text.split()) for text in TEXTS
            )
        )
        found = tagging.tagging(str(file), words, TaggingSettings(**settings), max_positions=32)
        return {split: rows[:] for split, rows in found.splits.items()}, found
    file = folder / "documents.txt"
    file.write_text("\n".join(TEXTS))
    options = {"lines": True, "validation_fraction": 0.2, **settings}
    if task == "gpt2":
        asked = language_modeling.LanguageModelingSettings(**options)
        found = language_modeling.language_modeling(str(file), words, asked, max_positions=32)
        rows = {split: blocks[:] for split, blocks in found.splits.items()}
        return {**rows, "ids": [ids.tolist() for ids in found.token_ids("train")]}, found
    asked = pretraining.PretrainingSettings(**options, nsp=False, whole_word_masking=True)
    found = pretraining.pretraining(str(file), words, asked, max_positions=32, seed=3)
    return {split: [repr(rows[place]) for place in range(len(rows))] for split, rows in found.splits.items()}, found


@pytest.mark.parametrize(
    ("task", "file"), [("tag", "tagged.conll"), ("gpt2", "documents.txt"), ("pretrain", "documents.txt")]
)
def test_tokens_of_documents_and_sentences_are_found_again(task, file, home, minilm, tmp_path, monkeypatch):
    words = tokenizer.train(TEXTS, "bpe", vocab_size=300, model_max_length=32) if task == "gpt2" else minilm
    plain, found = of_corpus(task, tmp_path, words, keep_tokenized=False)
    assert not any("next start" in line for line in found.report)
    first, found = of_corpus(task, tmp_path, words)
    assert f"tokens: kept for the next start in {home} (--keep_tokenized false keeps none)" in found.report
    count = len(keeping.entries())
    for room in (token_table, alignment, language_modeling, sentences):
        monkeypatch.setattr(room, "tokens_of", None)  # nothing is tokenized any more
    monkeypatch.setattr(sentences.Segmenter, "__call__", None)  # nor cut into words
    second, found = of_corpus(task, tmp_path, words)
    assert any(line.startswith("tokens: as an earlier start kept them") for line in found.report)
    assert plain == first == second
    assert len(keeping.entries()) == count


def test_tokens_of_few_and_of_long_texts_are_as_without():
    words = tokenizer.train(TEXTS, "bpe", vocab_size=300, model_max_length=32)
    texts = ["", *TEXTS, "a film, " * 60_000, "b"]
    for offsets in (False, True):
        expected = list(long_texts.tokens_of(texts, words, offsets=offsets))
        found = list(token_table.tokens_in(token_table.table_of(iter(expected))))
        assert [[list(part) for part in one] for one in found] == [[list(part) for part in one] for one in expected]


def test_what_cannot_be_kept_is_tokenized_once(home, minilm, tmp_path, monkeypatch):
    """Where whole words begin is made of the tokens in memory."""
    monkeypatch.setattr(keeping, "keep", lambda name, write: "the disk is full")
    plain, made = token_table.tokens_of, []
    monkeypatch.setattr(token_table, "tokens_of", lambda *args, **how: made.append(1) or plain(*args, **how))
    found, told = of_corpus("pretrain", tmp_path, minilm)
    assert any("the disk is full" in line for line in told.report)
    assert len(made) == len(found)
