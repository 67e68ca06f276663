"""RoBERTa's tokenizer with add_prefix_space, as stock's token classification scripts demand it: the first word of a
text has a space before it as the others have. The recipes take it as they take the one without."""

import json
from pathlib import Path

import classify_bert
import kin_checkpoints
import numpy as np
import pytest
import tag_bert
import transformers
from transformers import AutoTokenizer

from hf_xfmr.export import export
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.pretraining.sentences import tokenize
from hf_xfmr.tasks.tagging.alignment import align, join, piece_labels, word_tags
from hf_xfmr.tasks.tagging.tagger import Tagger

ROWS = [
    {"tokens": [name, "saw", "a", kind, "film", "in", *place, str(day), "!"],
     "tags": ["B-PER", "O", "O", "O", "O", "O", "B-LOC", *["I-LOC"] * (len(place) - 1), "O", "O"]}
    for day, (name, kind, place) in enumerate(
        [("Ann", "good", ["New", "York"]), ("Zoë", "bad", ["北京"]), ("王小明", "good", ["Zürich"])] * 40
    )
]  # fmt: skip
LABELS = {"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3, "I-LOC": 4}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    texts = [" ".join(row["tokens"]) for row in ROWS]
    return kin_checkpoints.make(tmp_path_factory.mktemp("prefixed") / "model", "Roberta", texts, add_prefix_space=True)


def flags(*more) -> list[str]:
    return [*map(str, more), "--bf16", "false", "--disable_tqdm", "true", "--report_to", "none"]


def test_words_have_the_pieces_that_stock_s_script_gives_them(checkpoint):
    """Which hands over words one by one; a word at the beginning is read as in the midst."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert tokenizer.add_prefix_space
    names = list(LABELS)
    for row in ROWS[:3]:
        split = tokenizer(row["tokens"], is_split_into_words=True)
        text, starts = join(row["tokens"], " ")
        aligned = align([text], [starts], tokenizer)[0]
        assert aligned.ids == split["input_ids"][1:-1]
        assert aligned.word == split.word_ids()[1:-1]
        found = [names[one] for one in piece_labels(aligned, row["tags"], LABELS)]
        assert word_tags(aligned.word, found, len(row["tokens"])) == row["tags"]
        begins = [number for number, tag in zip(aligned.word, found, strict=True) if tag.startswith("B-")]
        assert begins == [number for number, tag in enumerate(row["tags"]) if tag.startswith("B-")]
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("Ann saw Ann", "Ann")]
    assert ids[0][: len(ids[1])] == ids[0][-len(ids[1]) :] == ids[1]
    (sentences,) = tokenize(["Ann saw 北京 !"], tokenizer, whole_words=True)
    assert np.concatenate(sentences, 1)[1].sum() == 4


def test_tag(checkpoint, tmp_path):
    """Entities' offsets are those of their words, without the space that the tokenizer puts before."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    folder = tmp_path / "run"
    given = ["--dataset", file, "--model", checkpoint, "--max_steps", 60, "--learning_rate", "5e-3"]
    metrics = tag_bert.main(flags(*given, "--per_device_train_batch_size", 16, "--output_dir", folder))
    assert metrics["test"]["f1"] > 0.3
    tagger = Tagger(str(folder))
    assert tagger.tokenizer.add_prefix_space
    texts = [" ".join(row["tokens"]) for row in ROWS[:3]]
    for text, answer in zip(texts, tagger(texts), strict=True):
        assert answer["entities"]
        for entity in answer["entities"]:
            said = text[entity["start"] : entity["end"]]
            assert said == said.strip() == entity["text"]


def test_classify(checkpoint, tmp_path):
    """What was trained answers as stock's own pipeline does with the folder exported for it."""
    file = tmp_path / "rows.jsonl"
    texts = [" ".join(row["tokens"]) for row in ROWS]
    rows = [{"text": text, "label": "good" if "good" in text else "bad"} for text in texts]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = ["--dataset", file, "--model", checkpoint, "--max_steps", 3, "--baseline", "false"]
    classify_bert.main(flags(*given, "--output_dir", tmp_path / "run"))
    answers = list(Classifier(str(tmp_path / "run"))(texts[:4]))
    out, _ = export(tmp_path / "run")
    stock = transformers.pipeline("text-classification", model=str(out), tokenizer=AutoTokenizer.from_pretrained(out))
    for answer, theirs in zip(answers, stock(texts[:4]), strict=True):
        assert answer["label"] == theirs["label"]
        assert answer["probability"] == pytest.approx(theirs["score"], abs=1e-5)
