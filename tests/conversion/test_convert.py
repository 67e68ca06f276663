"""Others' checkpoints become folders that compute the same, or one sentence and nothing written.

The files were made by the other side's own code: nanoGPT's model.py after a step, saved as its train.py does, and
google-research's modeling.py under TensorFlow 2.21, each with the numbers that it computed.
"""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from places import ROOT
from published_checkpoints import PUBLISHED, TEXTS, folder

import hf_xfmr
from hf_xfmr.conversion import bundle, convert
from hf_xfmr.errors import UserError
from hf_xfmr.run import loading
from hf_xfmr.run.train import train
from hf_xfmr.tasks.language_modeling.generator import Generator
from hf_xfmr.tasks.language_modeling.run import for_documents

FILES = Path(__file__).parent / "files"
NANO, GOOGLE = ROOT / "docs" / "examples" / "ckpt.pt", FILES / "chinese_L-2_H-8_A-2"


def changed(tmp_path: Path, change, file: Path = NANO) -> Path:
    """A copy of nanoGPT's checkpoint after `change`, which gives the new one."""
    held = torch.load(file, weights_only=True)
    torch.save(change(held), tmp_path / "ckpt.pt")
    return tmp_path / "ckpt.pt"


def without(held: dict, *names: str) -> dict:
    return {name: value for name, value in held.items() if name not in names}


def arguments(**changes):
    return lambda held: held | {"model_args": held["model_args"] | changes}


def model(change):
    return lambda held: held | {"model": change(dict(held["model"]))}


def near(found: torch.Tensor, expected: np.ndarray) -> None:
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=2e-6, rtol=2e-6)


# nanoGPT


def test_nanogpt_s_checkpoint_computes_what_nanogpt_did(tmp_path):
    out, notes = convert(NANO, tmp_path / "model")
    told = np.load(FILES / "nanogpt.npz")
    for read in (hf_xfmr.XfmrGPT2ForCausalLM, transformers.GPT2LMHeadModel):
        with torch.no_grad():
            near(read.from_pretrained(out).eval()(torch.from_numpy(told["ids"])).logits, told["logits"])
    assert "after 5,000 steps" in notes[0]
    assert any("--activation gelu_new" in note for note in notes)
    assert any("computes what a forward pass written from nanoGPT's published layout does" in note for note in notes)
    config = json.loads((out / "config.json").read_text())
    assert (config["resid_pdrop"], config["eos_token_id"], config["tie_word_embeddings"]) == (0.2, None, True)


def test_its_characters_are_the_tokenizer_s(tmp_path, capsys):
    """meta.pkl lies beside it. It has no token that ends a text or pads, and none for other characters."""
    out, notes = convert(NANO, tmp_path / "model")
    words = transformers.AutoTokenizer.from_pretrained(out)
    numbers = pickle.loads((NANO.with_name("meta.pkl")).read_bytes())["stoi"]
    assert words("hello\nbob!").input_ids == [numbers[one] for one in "hello\nbob!"]
    assert words.decode(words("hello\nbob!").input_ids) == "hello\nbob!"
    assert any("the 11 characters of" in note for note in notes)
    generator = Generator(str(out), max_new_tokens=4, do_sample=False)
    together = generator(["hello", "a"])
    assert together == [generator(["hello"])[0], generator(["a"])[0]]
    assert [len(text) for text in together] == [9, 5]
    with pytest.raises(UserError, match=r"no token for 'Z', as in \"he Z\""):
        generator(["he Z"])
    with pytest.raises(UserError, match="a prompt is empty"):
        generator([""])


@pytest.mark.slow
def test_a_run_goes_on_from_it(tmp_path, monkeypatch):
    """With a row more, for the token that ends a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("hello bob\n" * 30)
    convert(NANO, tmp_path / "model")
    words = {"model": "model", "dataset": "texts.txt", "output_dir": "run", "max_steps": 1, "sample_every": 0}
    train("gpt2", [word for name, value in words.items() for word in (f"--{name}", str(value))])
    assert len(transformers.AutoTokenizer.from_pretrained("run")) == 12


def test_training_adds_a_token_that_ends_a_text(tmp_path):
    out, _ = convert(NANO, tmp_path / "model")
    words = for_documents(transformers.AutoTokenizer.from_pretrained(out))
    assert (len(words), words.eos_token_id) == (12, 11)


@pytest.mark.parametrize("bias", [True, False])
def test_with_and_without_biases_padding_and_prefix(bias, tmp_path):
    """Random weights by nanoGPT's names, without torch.compile's prefix, against stock: 50,304 rows, 50,257 words."""
    torch.manual_seed(0)
    sizes = {"n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": 50304, "n_positions": 8}
    stock = transformers.GPT2LMHeadModel(transformers.GPT2Config(activation_function="gelu", **sizes)).eval()
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    tensors = {name: one.t() if name.endswith(turned) else one for name, one in stock.state_dict().items()}
    if not bias:
        for name in [one for one in tensors if one.endswith(".bias")]:
            tensors[name].zero_()
            del tensors[name]
    args = {"n_layer": 1, "n_head": 2, "n_embd": 8, "block_size": 8, "vocab_size": 50304, "bias": bias, "dropout": 0.0}
    torch.save({"model": tensors, "model_args": args}, tmp_path / "ckpt.pt")
    out, notes = convert(tmp_path, tmp_path / "model")
    same = transformers.GPT2LMHeadModel.from_pretrained(out).state_dict()
    assert all(torch.equal(one, same[name]) for name, one in stock.state_dict().items())
    assert json.loads((out / "config.json").read_text())["eos_token_id"] == 50256
    assert any("rows 50,257 to 50,303" in note for note in notes)
    assert any("--tokenizer openai-community/gpt2" in note for note in notes)
    assert any("biases: trained without" in note for note in notes) == (not bias)


class GPTConfig:
    """As build-nanogpt pickles it, from its own __main__."""


def test_build_nanogpt_s_settings_are_read_from_an_object_whose_code_is_not_run(tmp_path, monkeypatch):
    held = torch.load(NANO, weights_only=True)
    config = GPTConfig()
    vars(config).update(without(held["model_args"], "bias", "dropout"))
    monkeypatch.setattr(GPTConfig, "__module__", "__main__")
    monkeypatch.setattr("__main__.GPTConfig", GPTConfig, raising=False)
    biased = {
        **held["model"],
        **{f"{name.removesuffix('weight')}bias": torch.ones(one.shape[0]) for name, one in held["model"].items()
           if "transformer.h." in name or "ln_f" in name},
    }  # fmt: skip
    torch.save({"model": biased, "config": config, "step": 3, "val_loss": 1.0}, tmp_path / "model_00003.pt")
    out, _ = convert(tmp_path / "model_00003.pt", tmp_path / "model")
    assert json.loads((out / "config.json").read_text())["activation_function"] == "gelu_new"  # as its code has it


MODEL = """
import sys
from dataclasses import dataclass
from hf_xfmr.conversion import reference
import torch

@dataclass
class GPTConfig:
    block_size: int = 0
    vocab_size: int = 0
    n_layer: int = 0
    n_head: int = 0
    n_embd: int = 0
    bias: bool = True

class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.n_head
    def load_state_dict(self, held, strict):
        self.held = held
    def forward(self, idx, targets=None):
        return reference.gpt2(self.held, self.heads, ACTIVATION, idx), None
"""


@pytest.mark.parametrize("act", ["gelu", "gelu_new"])
def test_its_own_model_py_tells_the_activation_and_is_compared_with(act, tmp_path):
    (tmp_path / "model.py").write_text(MODEL.replace("ACTIVATION", repr(act)))
    out, notes = convert(NANO, tmp_path / "model", check=tmp_path / "model.py")
    assert json.loads((out / "config.json").read_text())["activation_function"] == act
    assert any("model.py, run on this checkpoint, does" in note for note in notes)


def test_what_computes_something_else_is_not_written(tmp_path):
    (tmp_path / "model.py").write_text(MODEL.replace("ACTIVATION", "'relu'"))
    with pytest.raises(UserError, match=r"does not compute what our model does: logits .* nothing was written"):
        convert(NANO, tmp_path / "model", check=tmp_path / "model.py")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda held: without(held, "model_args"), "has no model_args"),
        (lambda held: without(held, "model"), "has no 'model'"),
        (lambda held: [1, 2], "has no 'model'"),
        (lambda held: {"model_state": held["model"], "optimizer_state": {}}, "is JoeyNMT's, and is not converted"),
        (arguments(n_head=0), "n_head 0, which must be a whole number"),
        (arguments(n_head=3), "n_embd 8 is no multiple of n_head 3"),
        (arguments(n_layer="two"), "n_layer two, which must be"),
        (arguments(n_layer=3), r"lacks transformer.h.2.ln_1.weight"),
        (arguments(n_layer=1), r"holds transformer.h.1\."),
        (arguments(vocab_size=12), r"wte.weight is \[11, 8\].*\[12, 8\]"),
        (arguments(dropout=2.0), "dropout 2.0, which is no share"),
        (arguments(n_kv_head=2), "is nanochat's"),
        (model(lambda held: held | {"_orig_mod.transformer.ln_f.weight": torch.ones(8).int()}), "of torch.int32"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_of_nanogpt_s_is_one_sentence(change, says, tmp_path):
    with pytest.raises(UserError, match=says) as told:
        convert(changed(tmp_path, change), tmp_path / "model")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "model").exists()


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("was-run",))


@pytest.mark.parametrize("kind", ["ckpt.pt", "meta.pkl"])
def test_a_pickle_with_code_is_not_run(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind == "ckpt.pt":
        torch.save({"model": Bomb(), "model_args": {}}, tmp_path / kind)
        source, options = tmp_path / kind, {}
    else:
        (tmp_path / kind).write_bytes(pickle.dumps({"stoi": Bomb()}))
        source, options = NANO, {"tokenizer": str(tmp_path / kind)}
    with pytest.raises(UserError, match=r"holds code \(.*mkdir\), which was not run"):
        convert(source, tmp_path / "model", **options)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"stoi": {"a": 0, "b": 2}}, "has no stoi that numbers"),
        ({"stoi": {"ab": 0}}, "has no stoi that numbers"),
        ({"itos": {}}, "has no stoi that numbers"),
        ({"stoi": {chr(40 + i): i for i in range(20)}}, "20 characters, and the checkpoint only 11 rows"),
    ],
)
def test_what_is_wrong_with_a_meta_pkl(meta, says, tmp_path):
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps(meta))
    with pytest.raises(UserError, match=says):
        convert(NANO, tmp_path / "model", tokenizer=str(tmp_path / "meta.pkl"))


# TensorFlow


@pytest.mark.parametrize("where", [GOOGLE, GOOGLE / "bert_model.ckpt", GOOGLE / "bert_model.ckpt.index"])
def test_google_s_checkpoint_computes_what_its_own_code_did(where, tmp_path):
    out, notes = convert(where, tmp_path / "model", activation="gelu_new")
    told = dict(np.load(GOOGLE / "outputs.npz"))
    given = {name: torch.from_numpy(told[name]).long() for name in ("input_ids", "attention_mask", "token_type_ids")}
    real = given["attention_mask"].bool().numpy()
    for read in (hf_xfmr.XfmrBertForPreTraining, transformers.BertForPreTraining):
        with torch.no_grad():
            said = read.from_pretrained(out).eval()(**given)
        near(said.seq_relationship_logits, told["seq_relationship_logits"])
        near(said.prediction_logits[torch.from_numpy(real)], told["prediction_logits"][real])
    with torch.no_grad():
        encoded = hf_xfmr.XfmrBertModel.from_pretrained(out).eval()(**given)
    near(encoded.last_hidden_state[torch.from_numpy(real)], told["last_hidden_state"][real])
    near(encoded.pooler_output, told["pooler_output"])
    assert "BertForPreTraining" in notes[0]
    words = transformers.AutoTokenizer.from_pretrained(out)
    assert words.convert_ids_to_tokens(words("这个A").input_ids) == ["[CLS]", "这", "个", "a", "[SEP]"]


def test_left_to_itself_its_gelu_is_that_of_the_release_and_said_so(tmp_path):
    out, notes = convert(GOOGLE, tmp_path / "model")
    assert json.loads((out / "config.json").read_text())["hidden_act"] == "gelu"
    assert any("by tanh since February 2019: --activation gelu_new" in note for note in notes)


def by_google_s_names(stock) -> dict[str, np.ndarray]:
    """A stock BERT's tensors as google-research names and turns them; its code makes a pooler for every model."""
    heads = {
        "classifier.weight": "output_weights",
        "classifier.bias": "output_bias",
        "qa_outputs.weight": "cls/squad/output_weights",
        "qa_outputs.bias": "cls/squad/output_bias",
        "cls.predictions.bias": "cls/predictions/output_bias",
    }
    width = stock.config.hidden_size
    found = {
        "bert/pooler/dense/kernel": np.zeros((width, width), np.float32),
        "bert/pooler/dense/bias": np.zeros(width),
    }
    for name, one in stock.state_dict().items():
        if name.startswith("cls.predictions.decoder"):
            continue  # the words' table, and the bias under its other name
        theirs = heads.get(name) or ("" if name.startswith(("bert.", "cls.")) else "bert.") + name
        for ours, google in (
            (".layer.", ".layer_"),
            ("LayerNorm.weight", "LayerNorm.gamma"),
            ("LayerNorm.bias", "LayerNorm.beta"),
            ("_embeddings.weight", "_embeddings"),
            (".weight", ".kernel"),
            (".", "/"),
        ):
            theirs = theirs.replace(ours, google)
        found[theirs] = (one.t() if theirs.endswith("/kernel") else one).numpy().astype(np.float32)
    return found


@pytest.mark.parametrize("suffix", ["Model", "ForMaskedLM", "ForSequenceClassification", "ForQuestionAnswering"])
def test_what_its_other_scripts_leave(suffix, tmp_path, monkeypatch):
    """run_classifier.py's, run_squad.py's, masked words alone and a bare encoder: what the file's reader gives of them
    is here made from stock's model, and stock's model comes out, bit for bit."""
    config = json.loads((GOOGLE / "bert_config.json").read_text())
    torch.manual_seed(0)
    labels = {"num_labels": 3} if suffix == "ForSequenceClassification" else {}
    stock = getattr(transformers, f"Bert{suffix}")(transformers.BertConfig(**config, **labels)).eval()
    held = by_google_s_names(stock)
    monkeypatch.setattr(bundle, "read", lambda prefix: held)
    out, notes = convert(GOOGLE, tmp_path / "model", activation="gelu")
    assert f"a Bert{suffix} of google-research's" in notes[0]
    assert any(
        f"XfmrBert{suffix} computes what a forward pass written from google-research's" in note for note in notes
    )
    again = type(stock).from_pretrained(out).state_dict()
    assert all(torch.equal(one, again[name]) for name, one in stock.state_dict().items() if "pooler" not in name)
    if suffix == "ForSequenceClassification":
        assert json.loads((out / "config.json").read_text())["id2label"] == {str(i): f"LABEL_{i}" for i in range(3)}


def test_what_an_optimizer_left_is_no_weight():  # nor is it in what was converted above
    assert any(name.endswith("adam_m") for name in bundle.read(GOOGLE / "bert_model.ckpt"))


@pytest.fixture
def google(tmp_path) -> Path:
    shutil.copytree(GOOGLE, tmp_path / "cased")
    return tmp_path / "cased"


def test_a_cased_folder_keeps_letters(google, tmp_path):
    out, notes = convert(google, tmp_path / "model")
    assert any("letters as they are" in note for note in notes)
    assert transformers.AutoTokenizer.from_pretrained(out)("A").input_ids[1] == 1  # which vocab.txt has not


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        ("bert_model.ckpt.index", lambda raw: raw[:-20], "is no index of a TensorFlow checkpoint, or is damaged"),
        ("bert_model.ckpt.index", lambda raw: b"", "is no index of a TensorFlow checkpoint"),
        ("bert_model.ckpt.index", lambda raw: b"\xff" * 300 + raw[300:], "is no index of a TensorFlow checkpoint"),
        ("bert_model.ckpt.data-00000-of-00001", lambda raw: raw[:99], "is cut off, or is not of bert_model.ckpt.index"),
        ("bert_model.ckpt.data-00000-of-00001", None, "there is no such file of a TensorFlow checkpoint's numbers"),
        ("bert_config.json", None, "there is no such config of BERT's"),
        ("bert_config.json", lambda raw: raw.replace(b'_size": 8', b'_size": 12'), r"8\], and \[24, 12\]"),
        ("bert_config.json", lambda raw: raw.replace(b'layers": 2', b'layers": 3'), "lacks bert/encoder/layer_2/"),
        ("bert_config.json", lambda raw: raw.replace(b'layers": 2', b'layers": 1'), "holds bert/encoder/layer_1/"),
        ("bert_config.json", lambda raw: b"{}", "hidden_size is None; it must be a whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tensorflow_checkpoint_is_one_sentence(file, damage, says, google, tmp_path):
    raw = (google / file).read_bytes()
    (google / file).unlink()
    if damage is not None:
        (google / file).write_bytes(damage(raw))
    with pytest.raises(UserError, match=says) as told:
        convert(google, tmp_path / "model")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "model").exists()


def test_whatever_is_cut_or_flipped_in_an_index_an_error_is_a_sentence(google):
    file = google / "bert_model.ckpt.index"
    raw = file.read_bytes()
    said = []
    for place in range(0, len(raw), 40):
        for damaged in (raw[:place], raw[:place] + bytes([raw[place] ^ 255]) + raw[place + 1 :]):
            file.write_bytes(damaged)
            try:  # in a name it is no damage that can be seen
                bundle.read(google / "bert_model.ckpt")
            except UserError as error:
                said.append(str(error))
    assert len(said) > 60
    assert not any("\n" in one for one in said)


# Folders for transformers


def test_pytorch_model_bin_becomes_safetensors_bit_for_bit(tmp_path, capsys):
    where = folder(tmp_path / "bin", PUBLISHED["hfl/chinese-roberta-wwm-ext"])
    (where / "code.py").write_text("")
    out, notes = convert(where, tmp_path / "model")
    old = loading.to_use(hf_xfmr.XfmrBertForMaskedLM, str(where)).state_dict()
    capsys.readouterr()
    new = loading.to_use(hf_xfmr.XfmrBertForMaskedLM, str(out)).state_dict()
    assert all(torch.equal(one, new[name]) for name, one in old.items())
    assert "convert" not in capsys.readouterr().err  # nothing is left to be said
    assert "tensors of 1 pickle, under their names, bit for bit" in notes[0]
    assert {path.name for path in out.iterdir()} == {"config.json", "model.safetensors", "vocab.txt"}
    words = loading.from_pretrained(transformers.AutoTokenizer, str(out))
    assert words.convert_ids_to_tokens(words(TEXTS[0]).input_ids)[1:-1] == list(TEXTS[0])


def test_bert_config_json_and_no_model_type_are_mended(tmp_path):
    where = folder(tmp_path / "bin", PUBLISHED["hfl/rbt3"])
    config = json.loads((where / "config.json").read_text())
    (where / "config.json").unlink()
    (where / "bert_config.json").write_text(json.dumps(without(config, "model_type", "architectures")))
    out, notes = convert(where, tmp_path / "model")
    assert json.loads((out / "config.json").read_text())["model_type"] == "bert"
    assert "model_type: bert, by what bert_config.json holds" in notes
    loading.to_train(hf_xfmr.XfmrBertForSequenceClassification, str(out), head="classifier")


def test_what_is_nothing_to_convert(tmp_path):
    for source, says in (
        (tmp_path, "is no checkpoint that is known here: give a ckpt.pt"),
        (tmp_path / "none", "there is no such checkpoint"),
        (Path(__file__), "is no checkpoint that is known here"),
    ):
        with pytest.raises(UserError, match=says):
            convert(source, tmp_path / "model")
    with pytest.raises(UserError, match="--tokenizer says nothing of a TensorFlow checkpoint"):
        convert(GOOGLE, tmp_path / "model", tokenizer="mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match="is there already"):
        convert(NANO, tmp_path / "full")
