"""Scripts written for stock classes, on ours: the same numbers, the same folders, and nothing left behind."""

import csv
import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from oracles import fresh_process, same_as_stock, same_tensors, same_to_rounding, same_weights, tiny_stock
from spellings import keep_marians_sinusoids

import hf_xfmr
from hf_xfmr import adoption, tokenizer

SCRIPTS = Path(__file__).parent / "scripts"
STOCK = {name: getattr(sys.modules["transformers"], name) for name in adoption.SERVED}
AUTO = {
    "BertModel": "AutoModel",
    "BertForMaskedLM": "AutoModelForMaskedLM",
    "BertForSequenceClassification": "AutoModelForSequenceClassification",
    "GPT2LMHeadModel": "AutoModelForCausalLM",
    "MarianMTModel": "AutoModelForSeq2SeqLM",
}


@pytest.fixture
def adopted():
    hf_xfmr.adopt()
    yield sys.modules["transformers"]
    hf_xfmr.release()


@pytest.mark.parametrize("name", adoption.SERVED)
def test_a_stock_folder_loads_by_its_stock_name_and_is_saved_the_same(name, tmp_path, adopted):
    tiny_stock(STOCK[name]).save_pretrained(tmp_path / "stock")
    model = getattr(adopted, name).from_pretrained(tmp_path / "stock")
    assert isinstance(model, adoption.SERVED[name])
    model.save_pretrained(tmp_path / "ours")
    same_tensors(tmp_path / "stock", tmp_path / "ours")
    configs = [json.loads((tmp_path / folder / "config.json").read_text()) for folder in ("stock", "ours")]
    assert configs[0] == configs[1]
    assert {file.name for file in (tmp_path / "ours").iterdir()} == {
        file.name for file in (tmp_path / "stock").iterdir()
    }


@pytest.mark.parametrize("name", AUTO)
def test_an_auto_class_gives_ours_with_the_same_outputs(name, tmp_path, adopted):
    stock = tiny_stock(STOCK[name])
    stock.save_pretrained(tmp_path)
    model = getattr(transformers, AUTO[name]).from_pretrained(tmp_path)
    assert isinstance(model, adoption.SERVED[name])
    inputs = {"input_ids": torch.arange(5, 17).view(2, 6)}
    if name == "MarianMTModel":
        inputs["decoder_input_ids"] = inputs["input_ids"]
    with torch.no_grad():
        same_as_stock(model(**inputs)[0], stock(**inputs)[0])


def test_plain_transformers_reads_what_was_saved(tmp_path, adopted):
    stock = tiny_stock(STOCK["BertForSequenceClassification"])
    stock.save_pretrained(tmp_path / "stock")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "stock")
    model.save_pretrained(tmp_path / "ours")
    expected = stock(torch.tensor([[5, 6, 7]])).logits
    printed = fresh_process(
        "import json, torch, transformers\n"
        f"m = transformers.AutoModelForSequenceClassification.from_pretrained({str(tmp_path / 'ours')!r})\n"
        "print(json.dumps([type(m).__name__, m(torch.tensor([[5, 6, 7]])).logits.tolist()]))",
        without_package=True,
    )
    name, logits = json.loads(printed.splitlines()[-1])
    assert name == "BertForSequenceClassification"
    same_to_rounding(torch.tensor(logits), expected)  # of another process, perhaps with another number of threads


def test_release_restores_the_very_classes():
    autos = (transformers.AutoModel, transformers.AutoModelForCausalLM, transformers.AutoModelForSeq2SeqLM)
    before = [dict(auto._model_mapping._extra_content) for auto in autos]
    hf_xfmr.adopt()
    hf_xfmr.adopt()
    assert sys.modules["transformers"].BertModel is not STOCK["BertModel"]
    hf_xfmr.release()
    assert all(getattr(sys.modules["transformers"], name) is cls for name, cls in STOCK.items())
    assert [dict(auto._model_mapping._extra_content) for auto in autos] == before
    assert type(transformers.AutoModel.from_config(tiny_stock(STOCK["BertModel"]).config)) is STOCK["BertModel"]
    hf_xfmr.release()


def test_a_model_outlives_release(tmp_path):
    tiny_stock(STOCK["GPT2LMHeadModel"]).save_pretrained(tmp_path / "stock")
    hf_xfmr.adopt()
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "stock")
    hf_xfmr.release()
    model.save_pretrained(tmp_path / "ours")
    same_tensors(tmp_path / "stock", tmp_path / "ours")


def test_what_is_not_served_is_stocks_with_a_reason(tmp_path, adopted, caplog):
    config = tiny_stock(STOCK["BertModel"], is_decoder=True, add_cross_attention=True).config
    assert type(transformers.AutoModel.from_config(config)) is STOCK["BertModel"]
    assert "BertModel is left to transformers: is_decoder" in caplog.text
    decoder = tiny_stock(STOCK["BertModel"], is_decoder=True)
    decoder.save_pretrained(tmp_path / "decoder")
    loaded = adopted.BertModel.from_pretrained(tmp_path / "decoder")
    assert type(loaded) is STOCK["BertModel"]
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), decoder.parameters(), strict=True))

    model = tiny_stock(STOCK["BertModel"])
    state = {name: tensor for name, tensor in model.state_dict().items() if "layer.1" not in name}
    model.save_pretrained(tmp_path / "cut", state_dict=state)
    caplog.clear()
    assert type(transformers.AutoModel.from_pretrained(tmp_path / "cut")) is STOCK["BertModel"]
    assert "lacks" in caplog.text


def test_stocks_other_classes_still_load_what_stock_saved(tmp_path, adopted):
    """They hold stock's BertModel, whose tensors keep stock's names."""
    cls = transformers.BertLMHeadModel
    model = tiny_stock(cls, is_decoder=True)
    model.save_pretrained(tmp_path)
    loaded = cls.from_pretrained(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))


def test_a_head_that_is_stocks_alone_says_so_once(adopted, caplog):
    for _ in range(2):
        assert type(tiny_stock(adopted.GPT2DoubleHeadsModel)) is transformers.GPT2DoubleHeadsModel
    auto = transformers.AutoModelForQuestionAnswering.from_config(tiny_stock(STOCK["GPT2LMHeadModel"]).config)
    assert type(auto) is transformers.GPT2ForQuestionAnswering
    told = [record.getMessage() for record in caplog.records if record.name == "hf_xfmr.adoption"]
    assert told == [
        f"{name} is left to transformers: hf_xfmr has no such head"
        for name in ("GPT2DoubleHeadsModel", "GPT2ForQuestionAnswering")
    ]
    hf_xfmr.release()
    caplog.clear()
    tiny_stock(transformers.MarianForCausalLM)
    assert not caplog.records


def test_a_head_of_the_users_own_on_an_adopted_model(tmp_path, adopted):
    class Own(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.bert = adopted.BertModel(config)
            self.post_init()

    stock = tiny_stock(STOCK["BertModel"])
    stock.save_pretrained(tmp_path / "stock")
    own = Own.from_pretrained(tmp_path / "stock")
    ids = torch.tensor([[5, 6, 7]])
    same_as_stock(own.bert(ids)[0], stock(ids)[0])
    own.save_pretrained(tmp_path / "own")
    again = STOCK["BertModel"].from_pretrained(tmp_path / "own")
    same_weights(again, stock)
    same_to_rounding(again(ids)[0], stock(ids)[0])


def checkpoint_and_data(kind: str, folder: Path, **size) -> list[str]:
    """A stock checkpoint with a tokenizer of its own, and a CSV of texts of very different lengths."""
    words = "the a film story actor bad good fine dull bright slow old new moving empty".split()  # noqa: SIM905
    draw = random.Random(0)
    texts = [" ".join(draw.choices(words, k=draw.randint(1, 40))) for _ in range(96)]
    name, tokens = {
        "classify": ("BertForSequenceClassification", "wordpiece"),
        "language_model": ("GPT2LMHeadModel", "bpe"),
        "translation": ("MarianMTModel", "unigram"),
    }[kind]
    split = tokenizer.train(texts, tokens, model_max_length=128, vocab_size=400)
    special = {f"{role}_token_id": getattr(split, f"{role}_token_id") for role in ("pad", "eos", "bos")}
    longest = "n_positions" if kind == "language_model" else "max_position_embeddings"
    special = {key: value for key, value in special.items() if value is not None}
    if kind == "translation":
        special["decoder_start_token_id"] = special["pad_token_id"]
    model = tiny_stock(STOCK[name], vocab_size=len(split), **{longest: 128}, **special, **size)
    model.apply(model._init_weights)  # weights a run begins with
    model.save_pretrained(folder / "checkpoint")
    split.save_pretrained(folder / "checkpoint")
    with open(folder / "texts.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "target"] if kind == "translation" else ["text", "label"])
        writer.writerows(
            [text, " ".join(reversed(text.split())) if kind == "translation" else int("good" in text)] for text in texts
        )
    return [str(folder / "checkpoint"), str(folder / "texts.csv")]


def result_of(script: str, arguments: list[str], capsys) -> dict:
    spec = importlib.util.spec_from_file_location(script, SCRIPTS / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(*arguments)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def both_ways(kind: str, folder: Path, capsys, rounds: int = 1, **size) -> list[tuple[dict, dict]]:
    """The results of a script without and with `adopt`, in turn."""
    given, results = checkpoint_and_data(kind, folder, **size), []
    for _ in range(rounds):
        stock = result_of(kind, [*given, str(folder / "stock")], capsys)
        hf_xfmr.adopt()
        try:
            results.append((stock, result_of(kind, [*given, str(folder / "ours")], capsys)))
        finally:
            hf_xfmr.release()
    return results


@pytest.mark.parametrize("kind", ["classify", "language_model", "translation"])
def test_a_script_gives_the_same_losses(kind, tmp_path, capsys, monkeypatch):
    keep_marians_sinusoids(monkeypatch)
    ((stock, ours),) = both_ways(kind, tmp_path, capsys)
    assert (stock["class"].split(".")[0], ours["class"]) == ("transformers", "hf_xfmr.adoption")
    assert len(ours["losses"]) == 8
    assert ours["losses"] == pytest.approx(stock["losses"], abs=1e-4)
    assert ours["eval_loss"] == pytest.approx(stock["eval_loss"], abs=1e-4)
    assert ours.get("text") == stock.get("text")
    configs = [json.loads((tmp_path / side / "config.json").read_text()) for side in ("stock", "ours")]
    assert configs[0] == configs[1]


SIZES = {
    "classify": {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4},
    "language_model": {"n_embd": 256, "n_layer": 4},
    "translation": {"d_model": 256, "encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SIZES)
def test_a_script_is_faster(kind, tmp_path, capsys):
    results = both_ways(kind, tmp_path, capsys, rounds=3, **SIZES[kind])
    ratio = sorted(stock["seconds"] / ours["seconds"] for stock, ours in results)[1]
    with capsys.disabled():
        print(f"\n{kind}: adopted, a script trains {ratio:.2f} times as fast as on stock's classes")
    assert ratio > 1


def command(script: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "hf_xfmr", "adopt", str(script), *arguments], capture_output=True, text=True, timeout=120
    )


def test_the_command_runs_a_script_with_its_arguments(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom transformers import BertConfig, BertModel\n"
        "if __name__ == '__main__':\n    config = BertConfig(num_hidden_layers=1, hidden_size=12)\n"
        "    print(type(BertModel(config)).__module__, sys.argv[1:], __file__)\n"
    )
    done = command(script, "--lr", "3")
    assert done.stdout.splitlines()[-1] == f"hf_xfmr.adoption ['--lr', '3'] {script}", done.stderr


@pytest.mark.slow
def test_the_command_leaves_a_script_that_names_stocks_parts_to_stock(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from transformers import BertConfig, BertModel\nno_decay = ['bias', 'LayerNorm.weight']\n"
        "print(type(BertModel(BertConfig(num_hidden_layers=1, hidden_size=12))).__module__)\n"
    )
    done = command(script)
    assert done.stdout.split()[-1] == "transformers.models.bert.modeling_bert"
    assert "line 2, names 'LayerNorm'" in done.stderr
    missing = command(tmp_path / "none.py")
    assert missing.returncode == 2
    assert "none.py can't be read" in missing.stderr
