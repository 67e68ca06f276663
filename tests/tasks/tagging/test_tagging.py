"""The tagging recipe, run as a user runs it on small files."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import tag_bert
from oracles import fresh_process
from transformers import AutoTokenizer, pipeline

from hf_xfmr.commands import predict
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.compare import compare
from hf_xfmr.tasks.tagging import baseline as tagging_baseline
from hf_xfmr.tasks.tagging import data
from hf_xfmr.tasks.tagging.metrics import per_type, tagging_metrics
from hf_xfmr.tasks.tagging.run import sentence_tags
from hf_xfmr.tasks.tagging.schemes import entities
from hf_xfmr.tasks.tagging.settings import TaggingSettings

PEOPLE, PLACES = ["王小明", "李华", "赵大"], ["北京", "上海", "海南岛"]
SMALL = {
    "vocab_size": 200,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}


def sentences(n: int = 300):
    """A name and a place in running text, in BMES: (characters, tags)."""
    draw = np.random.default_rng(0)
    for _ in range(n):
        parts = [(str(draw.choice(PEOPLE)), "PER"), ("在", ""), (str(draw.choice(PLACES)), "LOC")]
        parts.insert(0, ("今天明天昨天"[: int(draw.integers(1, 7))], ""))
        parts.append(("的人很多不少啊。"[int(draw.integers(0, 7)) :], ""))
        words, tags = [], []
        for text, kind in parts:
            words += text
            inner = ["B", *"M" * (len(text) - 2), "E"]
            tags += [f"{place}-{kind}" for place in inner] if kind else ["O"] * len(text)
        yield words, tags


@pytest.fixture(scope="module")
def conll(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("ner") / "news.conll"
    blocks = ("\n".join(f"{w} {t}" for w, t in zip(*one, strict=True)) for one in sentences())
    file.write_text("\n\n".join(blocks), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def trained(tmp_path_factory, conll):
    folder = tmp_path_factory.mktemp("tagged") / "run"
    flags = ["--dataset", conll, "--model_config", json.dumps(SMALL), "--output_dir", folder]
    flags += [
        "--num_train_epochs",
        6,
        "--per_device_train_batch_size",
        16,
        "--learning_rate",
        "1e-2",
        "--warmup_steps",
        0,
    ]
    flags += ["--metric_for_best_model", "loss"]
    metrics = tag_bert.main([str(flag) for flag in [*flags, "--bf16", "false", "--disable_tqdm", "true"]])
    return folder, metrics


@pytest.mark.slow
def test_several_seeds_and_what_tells_two_of_them_apart(tmp_path, conll, capsys):
    flags = ["--dataset", conll, "--model_config", json.dumps(SMALL), "--output_dir", tmp_path / "out"]
    flags += ["--max_steps", 30, "--learning_rate", "1e-2", "--seeds", 1, 2]
    flags += ["--bf16", "false", "--disable_tqdm", "true"]
    metrics = tag_bert.main([str(flag) for flag in flags])
    assert "mean ± standard deviation over 2 seeds" in capsys.readouterr().out
    found = compare(tmp_path / "out" / "seed-1", tmp_path / "out" / "seed-2")
    assert found["kind"] == "tagging"
    (f1,) = found["figures"]
    assert (f1["a"] + f1["b"]) / 2 == pytest.approx(metrics["test"]["f1"])


def test_a_run_ends_with_figures_predictions_and_a_report(trained):
    folder, metrics = trained
    assert metrics["test"]["f1"] > 0.95
    assert metrics["baseline"]["f1"] == 1.0  # all names are in train
    lines = [json.loads(line) for line in (folder / "predictions-test.jsonl").open(encoding="utf-8")]
    assert tagging_metrics([x["gold"] for x in lines], [x["predicted"] for x in lines]) == metrics["test"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Entities" in page
    assert "PER" in page


TEXT = "今天王小明在北京的人很多。"


def test_the_pipeline_finds_whole_entities(trained):
    found = pipeline("token-classification", str(trained[0]), aggregation_strategy="simple")(TEXT)
    assert [(one["entity_group"], TEXT[one["start"] : one["end"]]) for one in found] == [
        ("PER", "王小明"),
        ("LOC", "北京"),
    ]


@pytest.mark.slow
def test_a_plain_auto_class_loads_the_folder_in_a_new_process(trained):
    code = f"""
import hf_xfmr
from transformers import AutoModelForTokenClassification, AutoTokenizer
model, tokenizer = (c.from_pretrained({str(trained[0])!r}) for c in (AutoModelForTokenClassification, AutoTokenizer))
ids = model(**tokenizer({TEXT!r}, return_tensors="pt")).logits.argmax(-1)[0, 1:-1].tolist()
print(" ".join(model.config.id2label[i] for i in ids))
"""
    assert fresh_process(code).strip() == "O O B-PER I-PER I-PER O B-LOC I-LOC O O O O O"


def test_predict_names_entities_and_cuts_no_long_text(trained, capsys):
    long = TEXT * 4  # 52 characters, and the model reads 24
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    predict.run(parser.parse_args([str(trained[0]), TEXT, long]))
    one, many = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(e["type"], e["text"], e["start"], e["end"]) for e in one["entities"]] == [
        ("PER", "王小明", 2, 5),
        ("LOC", "北京", 6, 8),
    ]
    assert many["entities"][-1]["start"] == 3 * len(TEXT) + 6


def test_a_sentence_longer_than_a_row_goes_on_in_the_next(trained, conll):
    settings = TaggingSettings(max_length=8)
    corpus = data.tagging(str(conll), AutoTokenizer.from_pretrained(trained[0]), settings, max_positions=24)
    rows = corpus.splits["test"]
    assert max(map(len, rows["input_ids"][:])) <= 8
    width = max(map(len, rows["labels"][:]))
    gold = np.array([row + [0] * (width - len(row)) for row in rows["labels"][:]])
    assert sentence_tags(gold, corpus, "test") == corpus.sentences["test"]["tags"][:]


def kaggle(folder: Path) -> Path:
    """Some of the sentences with a word a row, in latin-1."""
    rows = ["Sentence #,Word,POS,Tag"]
    for number in range(60):
        place, person = ("Oslo", "Orléans")[number % 2], ("André", "Ann")[number % 3 % 2]
        tagged = [(person, "B-per"), ("saw", "O"), (place, "B-geo"), (f"{number}", "O")]
        rows += [f"{'' if n else f'Sentence: {number}'},{word},NN,{tag}" for n, (word, tag) in enumerate(tagged)]
    (folder / "ner_dataset.csv").write_bytes("\n".join(rows).encode("latin-1"))
    return folder / "ner_dataset.csv"


def cluener(folder: Path) -> Path:
    """Some of the sentences as texts with the places of their entities, ends inclusive."""
    lines = []
    for words, tags in sentences(60):
        label: dict = {}
        for kind, start, end in entities([tag.replace("M-", "I-") for tag in tags]):
            label.setdefault(kind, {}).setdefault("".join(words[start:end]), []).append([start, end - 1])
        lines.append(json.dumps({"text": "".join(words), "label": label}, ensure_ascii=False))
    (folder / "train.json").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("write", "said", "entity_types"),
    [
        (kaggle, 'sentences by "Sentence #" of the first row', {"geo", "per"}),
        (cluener, "ends inclusive", {"LOC", "PER"}),
    ],
)
def test_layouts_of_others_train(tmp_path, capsys, write, said, entity_types):
    flags = ["--dataset", write(tmp_path), "--model_config", json.dumps(SMALL), "--output_dir", tmp_path / "out"]
    tag_bert.main([str(flag) for flag in [*flags, "--max_steps", 2, "--bf16", "false", "--disable_tqdm", "true"]])
    printed = capsys.readouterr().out
    assert said in printed
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert any(said in line for line in run["data"])
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions-test.jsonl").open(encoding="utf-8")]
    assert {entity.type for row in rows for entity in entities(row["gold"])} == entity_types


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(["a", "b"], ["O", "B-X"]), (["a", "b"], ["O"])], r"train row 1 \(counted from 0\): 2 words and 1 tags"),
        ([(["a"], ["B-X"]), (["b"], ["Q-X"])], '"Q-X" is no tag of BIO'),
        ([(["a", " "], ["B-X", "O"])], r"train row 0 .*: a word is empty"),
        ([(["a"], ["O"])], "has no tag but O"),
    ],
)
def test_bad_rows_are_refused_by_number(tmp_path, rows, message):
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(json.dumps({"tokens": w, "tags": t}) for w, t in rows), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        data.tagging(str(file), None, TaggingSettings(), max_positions=24)


def test_tags_that_are_numbers_without_names_are_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a"], "tags": [3]}', encoding="utf-8")
    with pytest.raises(UserError, match="--tag_names O,B-PER"):
        data.tagging(str(tmp_path / "a.jsonl"), None, TaggingSettings(), max_positions=24)


def test_figures_count_entities_and_not_words():
    gold = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"]]
    predicted = [["B-A", "O", "O", "B-B"], ["O", "B-A"]]
    assert tagging_metrics(gold, predicted)["f1"] == pytest.approx(2 / 3)
    assert {row["type"]: row["f1"] for row in per_type(gold, predicted)} == {"A": 0.5, "B": 1.0}


def test_of_many_types_all_are_in_a_file(tmp_path, capsys):
    file, out = tmp_path / "rows.jsonl", tmp_path / "out"
    lines = ({"tokens": [f"name{n % 300}", "of", str(n)], "tags": [f"B-TYPE{n % 300}", "O", "O"]} for n in range(1500))
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    flags = ["--dataset", file, "--model_config", json.dumps(SMALL), "--output_dir", out, "--max_steps", 2]
    tag_bert.main([str(flag) for flag in [*flags, "--disable_tqdm", "true"]])
    printed = capsys.readouterr().out
    assert 'tags BIO of 300 types: "TYPE0", "TYPE1",' in printed
    assert "and 288 more; the model learns BIO" in printed
    table = (out / "types.csv").read_text(encoding="utf-8").splitlines()
    assert f"and {len(table) - 31} more types of fewer entities; all are in types.csv" in printed
    assert f"and {len(table) - 31} more types of fewer entities" in (out / "report.html").read_text(encoding="utf-8")
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert [len(run["entity_types"]), run["entity_types_left_out"]] == [30, len(table) - 31]
    assert max(map(len, printed.splitlines())) < 600


@pytest.mark.parametrize("kind", ["dictionary", "crf"])
def test_the_baselines_learn_names(kind):
    words, tags = zip(
        *([w, [t.replace("M-", "I-").replace("E-", "I-") for t in g]] for w, g in sentences()), strict=True
    )
    _, found = tagging_baseline.predict(kind, words[:200], tags[:200], words[200:])
    assert tagging_metrics(tags[200:], found)["f1"] == 1.0
