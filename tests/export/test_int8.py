"""int8: what is lost by it is found out before a model is kept, said, and written beside it."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from oracles import BERT_HEADS, fresh_process, tiny_stock, twin
from test_export import TEXTS, bert, char_tokenizer, gpt2, transformer
from transformers import BertForSequenceClassification, GPT2ForSequenceClassification

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.export import export
from hf_xfmr.export.int8 import products
from hf_xfmr.export.int8.contest import Side, contest, rows_of
from hf_xfmr.predict import load
from hf_xfmr.tokenizer import train

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def classifier(folder, rows: int = 24, **config):
    """A BERT that reads characters, and the validation rows of a run, its own answers for gold."""
    tokenizer = train(TEXTS, "wordpiece", vocab_size=80, model_max_length=40)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "vocab_size": len(tokenizer)}
    stock = tiny_stock(BertForSequenceClassification, **{**sizes, **config})
    model = twin(BERT_HEADS["ForSequenceClassification"][1], stock)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.permutation(TEXTS[number % 2].split())) for number in range(rows)]
    rating, reads_pairs = config.get("problem_type") == "regression", "text_window" in config
    pairs = texts[::-1] if reads_pairs else None
    if not rating:  # half of the texts on either side
        logits = load(str(folder)).engine(tokenizer(texts).input_ids)
        model.classifier.bias.data -= torch.from_numpy(np.median(logits, 0))
        model.save_pretrained(folder)
    gold = [one.get("label", one.get("value")) for one in load(str(folder))(texts, pairs, batch_size=8)]
    gold = [value + (number % 3) for number, value in enumerate(gold)] if rating else gold
    write(
        folder / "predictions-validation.csv",
        [
            {"id": i, "text": t, **({"text_pair": pairs[i]} if pairs else {}), "gold": g, "predicted": g}
            for i, (t, g) in enumerate(zip(texts, gold, strict=True))
        ],
    )
    return folder


def write(path, rows: list[dict], delimiter: str = ",") -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run, its export in int8 with the word vectors, and what was said of it."""
    folder = classifier(tmp_path_factory.mktemp("int8") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "ROWS", 50)
        out, notes = export(folder, "onnx", int8=True, int8_embeddings=True, max_loss=50)
    return folder, out, notes


def test_a_classifier_in_int8_answers_as_before_and_says_how_often(exported):
    folder, out, notes = exported
    assert re.match(r"int8 answers (100\.0|9\d\.\d) % of 24 rows as float32 does; (accuracy|macro F1) ", notes[0])
    assert "matrix products and the word vectors were rounded to int8" in "".join(notes)
    page = (out / "int8.md").read_text()
    assert notes[0] in re.sub(r"\s+", " ", page)
    assert max(len(line) for line in page.splitlines() if "|" not in line) <= 80
    assert "| accuracy | 1.000 |" in page
    assert "rows/s" in page
    told = json.loads((out / "manifest.json").read_text())
    assert told["precision"] == "int8"
    assert "int8.md" in told["files"]
    texts = ["the lazy dog", "jugs"]
    ours, theirs = (list(load(str(one))(texts, batch_size=2)) for one in (folder, out))
    for a, b in zip(ours, theirs, strict=True):
        assert a["probability"] == pytest.approx(b["probability"], abs=0.05)
    assert ours != theirs  # rounded
    graph = onnx.load(str(out / "model.onnx")).graph
    large = [
        one.name for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT and np.prod(one.dims) > 1600
    ]
    assert large == []  # all that was multiplied or looked up is of 8 bits


def test_an_answer_in_int8_does_not_depend_on_its_batch(exported):
    """As it does where one scale is taken of all that is in it."""
    model = load(str(exported[1])).engine
    rows = [[2, 20, 21, 3], [2, *range(10, 40), 3], [2, 50, 3]]
    together = model(rows)
    for row, logits in zip(rows, together, strict=True):
        np.testing.assert_allclose(model([row])[0], logits, atol=1e-5)


def test_more_loss_than_was_asked_for_is_an_error_and_leaves_no_folder(tmp_path, monkeypatch):
    folder = classifier(tmp_path / "run")
    whole = products.rounded

    def coarse(matrix, axis):
        numbers, scale = whole(matrix, axis)
        return np.sign(numbers), scale * 60

    monkeypatch.setattr(products, "rounded", coarse)
    with pytest.raises(UserError, match=r"int8 loses \d+\.\d\d points of .* on 24 rows of predictions-validation\.csv"):
        export(folder, "onnx", int8=True, max_loss=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"problem_type": "regression", "num_labels": 1}, "rmse"),
        pytest.param(
            {"problem_type": "multi_label_classification", "num_labels": 3}, "f1_micro", marks=pytest.mark.slow
        ),
    ],
)
def test_ratings_and_several_labels_are_compared_by_their_own_figures(options, name, tmp_path):
    """By the graph that was written, which answers without torch as the run does but for rounding."""
    folder = classifier(tmp_path / "run", **options)
    out, notes = export(folder, "onnx", int8=True)
    assert "% of 24 rows as float32 does" in notes[0]
    task, rows = rows_of(folder, None)
    found = contest(folder, task, rows, [Side(str(folder), "a", {}), Side(str(out), "b", {})])[0]
    assert found.figures[0]["name"] == name
    assert 0 < found.same <= 1
    a, b = (found.figures[0][side] for side in "ab")
    assert found.loss == pytest.approx(100 * ((b - a) / a if name == "rmse" else a - b))  # of a distance, percent
    texts = TEXTS[:2]
    said = fresh_process(f"""
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
from hf_xfmr.predict import load
print(list(load({str(out)!r})({texts!r})))
""")
    for here, there in zip(load(str(folder))(texts), eval(said), strict=True):
        shares = [one.get("probabilities", {"": one.get("value")}) for one in (here, there)]
        assert shares[1] == pytest.approx(shares[0], abs=0.05, rel=0.2)


@pytest.mark.slow
def test_pairs_and_a_gpt2_classifier_in_int8(tmp_path):
    window = {"max_length": 40, "over_long": "head", "overlap": None, "pair": True}
    pairs = classifier(tmp_path / "pairs", text_window=window)
    reads = char_tokenizer()
    sizes = {"vocab_size": len(reads), "pad_token_id": reads.pad_token_id, "num_labels": 2}
    stock = tiny_stock(GPT2ForSequenceClassification, **sizes)
    twin(hf_xfmr.XfmrGPT2ForSequenceClassification, stock).save_pretrained(tmp_path / "gpt2")
    reads.save_pretrained(tmp_path / "gpt2")
    texts = [" ".join(text.split()[number:]) for number in range(5) for text in TEXTS[:2]]
    answers = [one["label"] for one in load(str(tmp_path / "gpt2"))(texts)]
    rows = [{"text": text, "gold": label} for text, label in zip(texts, answers, strict=True)]
    write(tmp_path / "rows.csv", rows)
    for folder, file, given in (
        (pairs, None, (texts, texts[::-1])),
        (tmp_path / "gpt2", tmp_path / "rows.csv", (texts, None)),
    ):
        out, notes = export(folder, "onnx", int8=True, file=file)
        assert re.match(r"int8 answers (100\.0|[89]\d\.\d) % of \d+ rows as float32 does", notes[0])
        assert re.search(r"then \d+ matrix products were rounded", "".join(notes))
        ours, theirs = (list(load(str(one))(*given)) for one in (folder, out))
        for a, b in zip(ours, theirs, strict=True):
            assert a["probabilities"] == pytest.approx(b["probabilities"], abs=0.05)
        assert ours != theirs


def test_a_tagger_is_compared_by_the_f1_of_entities(tmp_path):
    folder = tmp_path / "run"
    tokenizer = char_tokenizer()
    tokenizer.add_special_tokens({"cls_token": "[CLS]", "sep_token": "[SEP]"})
    labels = {0: "O", 1: "B-PER", 2: "I-PER"}
    stock_class, own_class = BERT_HEADS["ForTokenClassification"]
    stock = tiny_stock(stock_class, vocab_size=len(tokenizer), id2label=labels, max_position_embeddings=64)
    twin(own_class, stock).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    words = TEXTS[0].split()
    rows = [{"id": number, "tokens": words[number:], "gold": ["B-PER", *["O"] * (8 - number)]} for number in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task, file = rows_of(folder, tmp_path / "rows.jsonl")
    found = contest(folder, task, file, [Side(str(folder), "a", {})] * 2)[0]
    assert (found.rows, found.same, found.figures[0]["name"], found.loss) == (6, 1.0, "f1", 0.0)


def test_a_translation_model_and_gpt2_in_int8(tmp_path):
    pytest.importorskip("ctranslate2")
    folder = transformer(tmp_path / "pairs")
    rows = [{"id": i, "source": text[:20], "reference": text[:20]} for i, text in enumerate(TEXTS[:2] * 6)]
    write(folder / "translations-validation.tsv", rows, "\t")
    out, notes = export(folder, "ctranslate2", int8=True)
    assert "of 12 rows as float32 does; BLEU" in notes[0]
    assert "tokens/s" in (out / "int8.md").read_text()
    writes = gpt2(tmp_path / "gpt2")
    with pytest.raises(UserError, match="holds no validation rows to compare int8 by: give --file, a file of texts"):
        export(writes, "ctranslate2", int8=True)
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS[:2] * 6))
    _, notes = export(writes, "ctranslate2", int8=True, file=tmp_path / "texts.txt", out=tmp_path / "out")
    assert "of 12 rows as float32 does; bits per byte" in notes[0]


@pytest.mark.parametrize(
    ("to", "options", "said"),
    [
        ("stock", {"int8": True}, "int8 is for --to onnx and --to ctranslate2"),
        ("onnx", {"max_loss": 0.5}, "--max_loss is said of int8: give --int8 too"),
        ("onnx", {"int8": True, "max_loss": -1.0}, "max_loss is -1.0; it is a number of points"),
        ("onnx", {"int8": True, "file": "none.csv"}, "none.csv is no file: give --file rows with their gold answers"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(to, options, said, tmp_path):
    folder = bert(tmp_path / "run", "ForSequenceClassification")
    with pytest.raises(UserError, match=re.escape(said)):
        export(folder, to, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_classifier_in_bfloat16_answers_as_in_float32(exported):
    folder, out, _ = exported
    exact, rounded = (load(str(folder), bf16=bf16) for bf16 in (False, True))
    assert rounded.engine.model.dtype == torch.bfloat16
    for a, b in zip(exact(TEXTS[:2], batch_size=2), rounded(TEXTS[:2], batch_size=2), strict=True):
        assert a["probability"] == pytest.approx(b["probability"], abs=0.03)
    with pytest.raises(UserError, match="was exported for the engine onnx, and bf16 is PyTorch's: leave it out"):
        load(str(out), bf16=True)
