"""The recipes on RoBERTa's, XLM-RoBERTa's and DistilBERT's checkpoints and tokenizers, as a user runs them."""

import csv
import json
from pathlib import Path

import answer_bert
import classify_bert
import kin_checkpoints
import numpy as np
import pretrain_bert
import pytest
import tag_bert
import transformers
from transformers import AutoTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.export import export
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.classification.overlong import Encoder
from hf_xfmr.tasks.pretraining.filler import Filler
from hf_xfmr.tasks.pretraining.sentences import tokenize
from hf_xfmr.tasks.question_answering.answerer import Answerer
from hf_xfmr.tasks.question_answering.data import answering
from hf_xfmr.tasks.question_answering.settings import AnsweringSettings
from hf_xfmr.tasks.tagging.alignment import align, join, piece_labels, word_tags
from hf_xfmr.tasks.tagging.tagger import Tagger

NAMES, PLACES = ["Ann Lee", "Zoë", "王小明"], ["Zürich", "New York", "北京"]
FAMILIES = list(kin_checkpoints.TOKENIZERS)
QUIET = ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none"]


def texts(count: int = 200) -> list[str]:
    draw = np.random.default_rng(0)
    return [
        f"{draw.choice(NAMES)} saw a {draw.choice(['good', 'bad'])} film in {draw.choice(PLACES)} , day {number}!"
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("kin")
    return {family: kin_checkpoints.make(home / family, family, texts()) for family in FAMILIES}


def flags(*more) -> list[str]:
    return [*map(str, more), *QUIET]


def quick(*families: str) -> list:
    """All families; each recipe is run by default with the ones that are its own way of cutting words or of framing."""
    return [one if one in families else pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES]


@pytest.mark.parametrize("family", quick())
def test_classify_pairs_and_windows(family, checkpoints, tmp_path, capsys):
    """Pairs, framed as the tokenizer frames them; a text of several rows as windows; what was trained answers alike
    here, in a file of stock's, and in a pipeline. A head for other labels begins anew; a frozen encoder stays."""
    file = tmp_path / "pairs.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "other", "label"])
        for number, text in enumerate(texts()):
            writer.writerow([text, f"saw day {number}", "good" if "good" in text else "bad"])
    common = ["--dataset", file, "--model", checkpoints[family], "--baseline", "false", "--max_steps", 3]
    pairs = tmp_path / "pairs"
    classify_bert.main(flags(*common, "--text_pair_column", "other", "--output_dir", pairs))
    tokenizer = AutoTokenizer.from_pretrained(checkpoints[family])
    encode = Encoder(tokenizer, max_length=62, pair=True)
    ids = encode([texts()[0]], ["saw day 0"])["input_ids"][0]
    assert ids == tokenizer(texts()[0], "saw day 0")["input_ids"]
    if family != "DistilBert":
        assert ids.count(tokenizer.sep_token_id) == 3  # <s> A </s></s> B </s>

    windows = ["--max_length", 12, "--over_long", "windows", "--lora_rank", 2] if family == "Roberta" else []
    windows = windows or ["--max_length", 12, "--over_long", "windows"]
    folder = tmp_path / "windows"
    classify_bert.main(flags(*common, "--model", pairs if not windows[4:] else checkpoints[family], *windows,
                             "--output_dir", folder))  # fmt: skip
    answers = list(Classifier(str(folder))(texts(5)))
    assert [answer["label"] in ("bad", "good") for answer in answers] == [True] * 5
    out, notes = export(folder)
    assert "computes what Xfmr" in notes[0]
    config = json.loads((out / "config.json").read_text())
    assert config["architectures"] == [f"{family}ForSequenceClassification"]
    assert "stock_model_type" not in config
    if family == "DistilBert":
        assert "token_type_ids" not in AutoTokenizer.from_pretrained(folder).model_input_names
    frozen = tmp_path / "frozen"
    classify_bert.main(flags(*common, "--freeze_encoder", "true", "--output_dir", frozen))
    kept = transformers.AutoModel.from_pretrained(frozen).blocks[0].attention.query.weight
    before = transformers.AutoModel.from_pretrained(checkpoints[family])
    assert any(kept.equal(one) for one in before.state_dict().values())
    with pytest.raises(UserError, match="freeze_encoder and over_long: windows exclude one another"):
        classify_bert.main(flags(*common, "--freeze_encoder", "true", *windows[:4], "--output_dir", tmp_path / "no"))
    with pytest.raises(UserError, match="max_length 64 is more than the 62 positions of the model"):
        classify_bert.main(flags(*common, "--max_length", 64, "--output_dir", tmp_path / "no"))


@pytest.mark.parametrize("family", quick("XLMRoberta"))
def test_tag_words_of_several_scripts(family, checkpoints, tmp_path):
    """Each word has the tag it was given back from its pieces, whatever of spaces a piece begins with, and of a
    character in several pieces, of its bytes, one alone begins an entity."""
    rows = []
    for text in texts():
        words = [*text.removesuffix("!").split(), "!"]
        tags, before = [], "O"
        for word in words:
            kind = next(
                (k for k, names in (("PER", NAMES), ("LOC", PLACES)) if any(word in n.split() for n in names)), ""
            )
            tags.append(f"{'I' if before.endswith(kind) else 'B'}-{kind}" if kind else "O")
            before = tags[-1]
        rows.append({"tokens": words, "tags": tags})
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(checkpoints[family])
    labels = {"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3, "I-LOC": 4}
    names = list(labels)
    for row in rows:
        text, starts = join(row["tokens"], " ")
        aligned = align([text], [starts], tokenizer)[0]
        found = [names[one] for one in piece_labels(aligned, row["tags"], labels)]
        assert word_tags(aligned.word, found, len(row["tokens"])) == row["tags"]
        assert found.count("B-PER") == row["tags"].count("B-PER")

    folder = tmp_path / "run"
    given = ["--dataset", file, "--model", checkpoints[family], "--max_steps", 150, "--learning_rate", "5e-3"]
    metrics = tag_bert.main(flags(*given, "--per_device_train_batch_size", 16, "--output_dir", folder))
    assert metrics["test"]["f1"] > 0.25  # 0.48 to 1.0 by seed and processor; what learned nothing has 0
    tagger = Tagger(str(folder))
    assert tagger.tokenizer.model_max_length == 62
    text = " ".join(texts(30))  # several rows of the model
    (answer,) = tagger([text])
    assert max(entity["end"] for entity in answer["entities"]) > 0.8 * len(text)


@pytest.mark.parametrize("family", quick("Roberta"))
def test_answers_are_marked_and_given_whole_in_several_scripts(family, checkpoints, tmp_path):
    """Whatever space a piece begins with, and though a character may be several pieces: the labelled pieces are the
    answer's, and what is answered has no space around it."""
    rows = []
    for text in texts():
        name = next(one for one in NAMES if text.startswith(one))
        rows.append({"question": f"who saw {text[-8:]}", "context": f"{text} So it was.", "answer": name})
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    folder = tmp_path / "run"
    given = ["--dataset", file, "--model", checkpoints[family], "--max_steps", 2, "--output_dir", folder]
    answer_bert.main(flags(*given))
    tokenizer = AutoTokenizer.from_pretrained(checkpoints[family])
    corpus = answering(str(file), tokenizer, AnsweringSettings(max_length=40), max_positions=62)
    for row in corpus.splits["train"]:
        asked = corpus.questions["train"][row["question"]]
        pair = tokenizer(asked["text"], asked["text_pair"])["input_ids"]
        assert set(row["input_ids"]) <= {*pair}
        if len(pair) <= 40:
            assert row["input_ids"] == pair
        if start := row["start_positions"]:
            first, last = start - row["first"], row["end_positions"] - row["first"]
            words = asked["text_pair"][row["starts"][first] : row["ends"][last]]
            assert words.strip() == asked["answers"][0]
    answers = list(Answerer(str(folder))([row["question"] for row in rows[:20]], [row["context"] for row in rows[:20]]))
    assert all(one["answer"] == one["answer"].strip() != "" for one in answers)


@pytest.mark.parametrize("family", quick("Roberta"))
def test_pretrain_masks_whole_words_and_fills_them_in(family, checkpoints, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(texts()), encoding="utf-8")
    given = ["--dataset", file, "--lines", "true", "--model", checkpoints[family], "--max_steps", 4]
    with pytest.raises(UserError, match=r"no head for next sentences: add --nsp false"):
        pretrain_bert.main(flags(*given, "--output_dir", tmp_path / "no"))
    folder = tmp_path / "run"
    more = ["--nsp", "false", "--packing", "true", "--whole_word_masking", "true"]
    metrics = pretrain_bert.main(flags(*given, *more, "--output_dir", folder))
    assert metrics["validation"]["masked"] > 5
    mask = AutoTokenizer.from_pretrained(folder).mask_token
    assert len(Filler(str(folder))(f"Ann Lee saw a {mask} film.")["masks"][0]) == 5

    tokenizer = AutoTokenizer.from_pretrained(checkpoints[family])
    text = "Ann  Lee saw Zürich, 北京!"
    (sentence,) = tokenize([text], tokenizer, whole_words=True)
    ids, starts = np.concatenate(sentence, 1)
    words = [part for part in np.split(ids, np.flatnonzero(starts)) if len(part)]
    read = [tokenizer.decode(part).strip() for part in words]
    if family != "DistilBert":
        assert read == ["Ann", "Lee", "saw", "Zürich", ",", "北京", "!"]


def test_a_checkpoint_of_another_kind_is_named(tmp_path):
    transformers.GPT2Config().save_pretrained(tmp_path / "gpt2")
    (tmp_path / "rows.csv").write_text("text,label\na,b\nc,d\n")
    given = ["--dataset", tmp_path / "rows.csv", "--model", tmp_path / "gpt2", "--output_dir", tmp_path / "out"]
    with pytest.raises(UserError, match=r"is a checkpoint of kind 'gpt2'; this recipe takes a BERT, RoBERTa, XLM-Ro"):
        classify_bert.main(flags(*given))
    given[3] = tmp_path / "distil"
    kin_checkpoints.make(tmp_path / "distil", "DistilBert", texts())
    with pytest.raises(UserError, match=r"has no hidden_dropout_prob; its dropout is dropout, attention_dropout, seq"):
        classify_bert.main(flags(*given, "--model_config", '{"hidden_dropout_prob": 0.2}'))
