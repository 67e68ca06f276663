"""A model written for other programs computes what it did here."""

import ast
import importlib
import json
import re
import shutil

import numpy as np
import pytest
import torch
import transformers
from exported_runs import TEXTS, bert, char_tokenizer, gpt2, kin, transformer
from oracles import BERT_HEADS, fresh_process, same_tensors, tiny_stock, twin
from transformers import AutoTokenizer, GPT2ForSequenceClassification, GPT2LMHeadModel, MarianMTModel

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.export import bits, export, parity
from hf_xfmr.predict import load


@pytest.mark.parametrize(
    "make",
    [
        lambda f: kin(f, "Camembert", "ForSequenceClassification"),
        pytest.param(gpt2, marks=pytest.mark.slow),
        pytest.param(lambda f: bert(f, "ForSequenceClassification"), marks=pytest.mark.slow),
        pytest.param(lambda f: kin(f, "DistilBert", "ForMaskedLM"), marks=pytest.mark.slow),
        pytest.param(transformer, marks=pytest.mark.slow),
    ],
)
def test_a_stock_folder_holds_no_code_and_loads_without_us(make, tmp_path):
    folder = make(tmp_path / "run")
    shutil.copy(hf_xfmr.__file__, folder / "extra.py")
    out, notes = export(folder)
    assert out == tmp_path / "run-stock"
    assert "computes what Xfmr" in notes[0]
    assert not list(out.rglob("*.py"))
    config = json.loads((out / "config.json").read_text())
    assert "auto_map" not in config
    assert not config["model_type"].startswith("xfmr")
    same_tensors(folder, out)
    kind = config["architectures"][0]
    ours = parity.load(hf_xfmr.hub.dual.kind(folder), folder)
    given = parity.inputs(ours, 3, 9)
    torch.save((given, parity.outputs(ours, given)["logits"]), tmp_path / "expected.pt")
    said = fresh_process(
        f"""
import torch, transformers
given, expected = torch.load({str(tmp_path / "expected.pt")!r})
model = transformers.{kind}.from_pretrained({str(out)!r}).eval()
with torch.no_grad():
    logits = model(**given).logits
real = given["attention_mask"].bool()
apart = (logits - expected)[real] if logits.shape[:2] == real.shape else logits - expected
print(float(apart.abs().max()) < 1e-4)
""",
        without_package=True,
    )
    assert said.strip() == "True"


def test_an_onnx_graph_takes_any_number_of_rows_of_any_length(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = bert(tmp_path / "run", "ForSequenceClassification")
    out, notes = export(folder, "onnx", out=tmp_path / "graph")
    assert "onnxruntime computes what XfmrBertForSequenceClassification does" in notes[1]
    session = onnxruntime.InferenceSession(str(out / "model.onnx"))
    assert [output.name for output in session.get_outputs()] == ["logits"]
    model = hf_xfmr.XfmrBertForSequenceClassification.from_pretrained(folder).eval()
    for rows, length in ((3, 17), (1, 40), (6, 1)):
        given = parity.inputs(model, rows, length, seed=rows)
        logits = session.run(["logits"], {name: tensor.numpy() for name, tensor in given.items()})[0]
        np.testing.assert_allclose(logits, parity.outputs(model, given)["logits"], atol=1e-4)


def readme_says(out) -> str:
    """What the example in an exported folder's README prints, without hf_xfmr and torch."""
    code = (out / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    return fresh_process(f"import os; os.chdir({str(out)!r})\n{code}", without_package=True).strip()


@pytest.mark.slow
def test_a_gpt2_classifier_becomes_a_graph_of_any_number_of_rows(tmp_path):
    """A rater, whose graph was of one batch size only."""
    tokenizer = char_tokenizer()
    sizes = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "num_labels": 1}
    stock = tiny_stock(GPT2ForSequenceClassification, **sizes)
    ours = twin(hf_xfmr.XfmrGPT2ForSequenceClassification, stock)
    ours.config.problem_type = "regression"
    ours.save_pretrained(tmp_path / "run")
    tokenizer.save_pretrained(tmp_path / "run")
    out, notes = export(tmp_path / "run", "onnx")
    assert "with any number of rows" in notes[1]
    texts = ["the quick brown fox", "a", *TEXTS]
    found, expected = (list(load(str(folder))(texts)) for folder in (out, tmp_path / "run"))
    assert [one["value"] for one in found] == pytest.approx([one["value"] for one in expected], abs=1e-4)
    (first,) = load(str(out))(["a first text"])
    assert ast.literal_eval(readme_says(out)) == pytest.approx(first, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("head", sorted(set(BERT_HEADS) - {"ForSequenceClassification"}))
def test_every_head_of_bert_becomes_an_onnx_graph(head, tmp_path):
    out, _ = export(bert(tmp_path / "run", head), "onnx")
    assert not (out / "tokenizer.json").exists() or readme_says(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        gpt2,
        transformer,
        lambda f: kin(f, "XLMRoberta", "ForTokenClassification"),
        lambda f: kin(f, "Roberta", "ForSequenceClassification"),
        lambda f: kin(f, "DistilBert", "ForMaskedLM"),
    ],
)
def test_the_other_models_become_onnx_graphs(make, tmp_path):
    export(make(tmp_path / "run"), "onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TokenClassification", "Model"])
def test_the_other_heads_of_gpt2_become_onnx_graphs(name, tmp_path):
    tokenizer = char_tokenizer()
    stock = tiny_stock(getattr(transformers, f"GPT2{'For' * (name != 'Model')}{name}"), vocab_size=len(tokenizer))
    twin(getattr(hf_xfmr, f"XfmrGPT2{'For' * (name != 'Model')}{name}"), stock).save_pretrained(tmp_path / "run")
    tokenizer.save_pretrained(tmp_path / "run")
    assert readme_says(export(tmp_path / "run", "onnx")[0])


def test_gpt2_in_ctranslate2_continues_as_here(tmp_path):
    pytest.importorskip("ctranslate2")
    out, notes = export(gpt2(tmp_path / "run"), "ctranslate2")
    assert "the same greedy continuation" in notes[0]
    assert len(AutoTokenizer.from_pretrained(out)("fox").input_ids) == 3
    assert not (out / "stock").exists()


@pytest.mark.parametrize("shared", [True, False])
def test_the_transformer_in_ctranslate2_translates_as_here(shared, tmp_path):
    """With interleaved positions, a padding token in the midst of the vocabulary, and its vector not zero."""
    pytest.importorskip("ctranslate2")
    out, notes = export(transformer(tmp_path / "run", shared=shared, num_beams=4), "ctranslate2")  # as a run saves it
    assert "the same greedy translations" in notes[0]
    assert (out / "target_tokenizer").exists() != shared


def test_a_stock_marian_checkpoint_in_ctranslate2_translates_as_here(tmp_path):
    pytest.importorskip("ctranslate2")
    tokenizer = char_tokenizer()
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    start = {"decoder_start_token_id": tokenizer.pad_token_id}
    tiny_stock(MarianMTModel, vocab_size=len(tokenizer), **special, **start).save_pretrained(tmp_path / "run")
    tokenizer.save_pretrained(tmp_path / "run")
    _, notes = export(tmp_path / "run", "ctranslate2")
    assert "the same greedy translations" in notes[0]


def test_what_computes_something_else_is_not_written(tmp_path, monkeypatch):
    folder = bert(tmp_path / "run", "ForMaskedLM")
    with pytest.raises(UserError, match="CTranslate2 takes GPT-2 language models and translation models"):
        export(folder, "ctranslate2")
    stock_class, own_class = BERT_HEADS["ForMaskedLM"]
    other = twin(own_class, tiny_stock(stock_class, seed=1))
    monkeypatch.setattr("hf_xfmr.export.stock.load", lambda *_: other)
    with pytest.raises(UserError, match="BertForMaskedLM does not compute what our model does: logits differs by"):
        export(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    monkeypatch.undo()
    (tmp_path / "run-stock").mkdir()
    (tmp_path / "run-stock" / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="run-stock is there already"):
        export(folder)


@pytest.mark.parametrize("make", [lambda f: bert(f, "ForMaskedLM"), gpt2, transformer])
def test_a_hundred_ruined_vectors_or_the_last_positions_are_noticed(make, tmp_path, monkeypatch):
    """Where a few random rows of a few tokens would not come upon them."""
    folder = make(tmp_path / "run")
    kind = hf_xfmr.hub.dual.kind(folder)
    load = importlib.import_module("hf_xfmr.export.stock").load

    def ruined(what):
        def load_ruined(*arguments):
            model = load(*arguments)
            with torch.no_grad():
                what(model)
            return model

        return load_ruined

    def one_word(model):
        model.get_input_embeddings().weight[-1] += 1e-6

    for what in (one_word, *([late] if (late := late_position(kind)) else [])):
        monkeypatch.setattr("hf_xfmr.export.stock.load", ruined(what))
        with pytest.raises(UserError, match="nothing was written"):
            export(folder)
        assert not (tmp_path / "run-stock").exists()
    monkeypatch.setattr("hf_xfmr.export.stock.load", load)
    _, notes = export(folder)
    assert "bit for bit" in notes[0]
    assert "positions" in notes[0]


def late_position(kind):
    """Ruins what a model makes of its last position; None where that is computed."""
    if kind.stock_class == "BertForMaskedLM":
        return lambda model: model.bert.embeddings.position_embeddings.weight[-1].add_(1)
    if kind.stock_class == "GPT2LMHeadModel":
        return lambda model: model.transformer.wpe.weight[-1].add_(1)
    return None


def test_a_run_s_own_texts_are_among_what_is_compared(tmp_path):
    folder = gpt2(tmp_path / "run")
    (folder / "documents-test.csv").write_text("id,text\n0,the quick brown fox\n1,jugs\n")
    _, notes = export(folder)
    assert "2 texts of documents-test.csv" in notes[0]
    folder = transformer(tmp_path / "pairs")
    (folder / "translations-test.tsv").write_text("id\tsource\treference\ttranslation\n0\tthe fox\tjugs\tx\n")
    _, notes = export(folder)
    assert "1 pairs of translations-test.tsv" in notes[0]
    pytest.importorskip("ctranslate2")
    for given in (tmp_path / "run", folder):
        _, notes = export(given, "ctranslate2")
        assert "-test." in notes[0]
        assert "positions" in notes[0]


def long_gpt2(folder):
    """With 128 positions."""
    gpt2(folder)
    stock = tiny_stock(GPT2LMHeadModel, vocab_size=len(AutoTokenizer.from_pretrained(folder)), n_positions=128)
    twin(hf_xfmr.XfmrGPT2ForCausalLM, stock).save_pretrained(folder)
    return folder


def long_bert(folder):
    stock_class, own_class = BERT_HEADS["ForSequenceClassification"]
    twin(own_class, tiny_stock(stock_class, max_position_embeddings=128)).save_pretrained(folder)
    return folder


def ruin(folder, tensor, row: int | None) -> None:
    """Change one number of a row of a tensor, or of a vector, wherever in the files of a folder its bytes stand."""
    part = (tensor if row is None else tensor[row]).numpy()
    other = part.copy()
    other[1] += 1e-5
    found = 0
    for path in (one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        found += data.count(part.tobytes())
        path.write_bytes(data.replace(part.tobytes(), other.tobytes()))
    assert found == 1


def own_tensors(folder):
    return parity.load(hf_xfmr.hub.dual.kind(folder), folder).state_dict()


def test_one_number_ruined_in_an_onnx_file_is_noticed_by_name_and_nothing_stands(tmp_path, monkeypatch):
    """A word that no text has, a position after 100, and a bias, each in the file that was written."""
    pytest.importorskip("onnxruntime")
    folder = long_bert(tmp_path / "run")
    own, module = own_tensors(folder), importlib.import_module("hf_xfmr.export.onnx")
    tensors = {"bert.embeddings.word.weight": 50, "bert.embeddings.position.weight": 101, "classifier.bias": None}
    check, noticed = module._check, []

    def ruined(path, *others):
        files = {one: one.read_bytes() for one in path.parent.iterdir() if one.is_file()}
        assert check(path, *others)[1] == len(own)
        for name, row in tensors.items():
            ruin(path.parent, own[name], row)
            try:
                check(path, *others)
            except UserError as error:
                noticed.append(str(error))
            for one, data in files.items():
                one.write_bytes(data)
        ruin(path.parent, own["classifier.bias"], None)
        return check(path, *others)

    monkeypatch.setattr(module, "_check", ruined)
    with pytest.raises(UserError, match=r"does not hold what our model does: classifier\.bias is not in it"):
        export(folder, "onnx")
    assert [line.split(" is not in it")[0].split(": ")[1] for line in noticed] == list(tensors)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_one_number_ruined_in_a_ctranslate2_file_is_noticed_by_name_and_nothing_stands(tmp_path, monkeypatch):
    pytest.importorskip("ctranslate2")
    folder = long_gpt2(tmp_path / "run")
    own, module = own_tensors(folder), importlib.import_module("hf_xfmr.export.ctranslate2")
    tensors = {"transformer.word.weight": 50, "transformer.position.weight": 101}
    convert = module.convert
    for name, row in {**tensors, "transformer.blocks.1.feed_forward.down.bias": None}.items():

        def ruining(spec, out, name=name, row=row):
            convert(spec, out)
            ruin(out, own[name], row)

        monkeypatch.setattr(module, "convert", ruining)
        with pytest.raises(UserError, match=rf"does not hold what our model does: {re.escape(name)} is not in it"):
            export(folder, "ctranslate2")
        assert [path.name for path in tmp_path.iterdir()] == ["run"]
    monkeypatch.setattr(module, "convert", convert)
    _, notes = export(folder, "ctranslate2")
    assert f"all {len(own)} tensors of the model are the same, bit for bit" in notes[0]


def test_of_two_tensors_with_the_same_numbers_a_ruined_one_is_noticed():
    model = torch.nn.Sequential(torch.nn.LayerNorm(4), torch.nn.LayerNorm(4))
    written = {f"x{number}": one.numpy().copy() for number, one in enumerate(model.state_dict().values())}
    assert bits.compare("it", written, model, {}) == 4
    written["x2"][3] = 1.5  # a norm's ones, as the other norm's
    with pytest.raises(UserError, match="it does not hold what our model does: x2 is none of ours"):
        bits.compare("it", written, model, {})
    written = {"x0": written["x0"], "x3": np.array([0, 0, 1, 0], np.float32)}  # a sum with zeros may be left out
    with pytest.raises(UserError, match="x3 is none of ours"):
        bits.compare("it", written, model, {})
    assert bits.compare("it", {"x0": written["x0"]}, model, {}) == 4
