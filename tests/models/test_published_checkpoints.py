"""Chinese checkpoints by name, with their published configs and random weights: the shapes are stock's, the folders as
they lie on the Hub load, train and verify, and what cannot be is one sentence."""

import json
import math
from pathlib import Path

import pytest
import torch
import transformers
from published_checkpoints import CDIAL_GPT, PUBLISHED, TEXTS, Published, folder, write
from transformers import AutoTokenizer

import hf_xfmr
from hf_xfmr.check.config import check_config
from hf_xfmr.errors import UserError
from hf_xfmr.models.stock import CheckpointError, stock_names
from hf_xfmr.run import loading
from hf_xfmr.verify import CHECKS, subject, verify

ENCODER, POEMS, MARIAN = "hfl/chinese-roberta-wwm-ext", "uer/gpt2-chinese-poem", "Helsinki-NLP/opus-mt-zh-en"
LAYOUTS = (ENCODER, POEMS, MARIAN, "google-bert/bert-base-chinese", "hfl/rbt3", "uer/chinese_roberta_L-2_H-128")
LAYOUTS += ("IDEA-CCNL/Erlangshen-Roberta-110M-Sentiment", "moka-ai/m3e-base", "BAAI/bge-base-zh-v1.5")
# of whose config the tokenizer's [PAD] is not the padding, and of whose texts the end lies beyond the vocabulary
OLD_PADDING, FAR_END = f"{ENCODER} before March 2022", f"{POEMS}, saved again"
LAYOUTS += (OLD_PADDING, FAR_END)
OTHER = {"GPT2LMHeadModel": "XfmrGPT2ForCausalLM", "MarianMTModel": "XfmrForConditionalGeneration"}


def own_class(published: Published):
    name = published.saved
    return getattr(hf_xfmr, OTHER.get(name) or name.replace("Bert", "XfmrBert"))


def rewritten(where: Path, **changes) -> Path:
    """The folder with another config.json; what is changed to `...` is taken out."""
    config = json.loads((where / "config.json").read_text()) | changes
    kept = {name: value for name, value in config.items() if value is not ...}
    (where / "config.json").write_text(json.dumps(kept))
    return where


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """A folder as hfl/chinese-roberta-wwm-ext's; a test that changes it makes its own."""
    return folder(tmp_path_factory.mktemp("encoder"), PUBLISHED[ENCODER])


@pytest.mark.parametrize("name", PUBLISHED)
def test_at_its_real_size_a_model_has_stock_s_tensors_by_name_and_shape(name):
    published = PUBLISHED[name]
    stock_class, ours_class = getattr(transformers, published.saved), own_class(published)
    fields = {key: value for key, value in published.config.items() if key not in ("model_type", "architectures")}
    with torch.device("meta"):  # no weights: of the large ones there would be gigabytes
        stock = stock_class(stock_class.config_class(**fields))
        ours = ours_class(ours_class.config_class(**published.config))
    on_disk = stock_names(ours, dict(ours.named_parameters()))
    own = {name: list(p.shape) for name, p in ours.named_parameters()}
    theirs = {name: list(p.shape) for name, p in stock.named_parameters() if "embed_positions" not in name}
    assert set(on_disk.values()) == set(theirs)  # sines are a table here
    assert sum(map(math.prod, own.values())) == sum(map(math.prod, theirs.values()))
    fused = {one for one in theirs if "c_attn" in one}  # three of ours; matrices are kept transposed in GPT-2
    assert all(sorted(own[key]) == sorted(theirs[there]) for key, there in on_disk.items() if there not in fused)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_as_published_loads_with_the_bits_of_stock(name, tmp_path, capsys):
    published = PUBLISHED[name]
    where = folder(tmp_path / "model", published)
    ours = loading.to_use(own_class(published), str(where))
    stock = getattr(transformers, published.saved).from_pretrained(where).eval()
    ours.save_pretrained(tmp_path / "ours")
    again = type(stock).from_pretrained(tmp_path / "ours").eval()
    theirs = stock.state_dict()
    assert all(torch.equal(one, theirs[name]) for name, one in again.state_dict().items())
    said = capsys.readouterr().err
    assert ("hf_xfmr convert" in said) == (published.weights == "bin")
    if published.config["model_type"] != "marian":
        words = loading.from_pretrained(AutoTokenizer, str(where))  # of vocab.txt alone
        assert words.convert_ids_to_tokens(words(TEXTS[0]).input_ids)[1:-1] == list(TEXTS[0])


@pytest.mark.parametrize("name", [OLD_PADDING, FAR_END, pytest.param(MARIAN, marks=pytest.mark.slow)])
def test_it_verifies(name, tmp_path, monkeypatch, capsys):
    """GPT-2's own end of text, 50256, which its config leaves out, lies beyond the Chinese vocabulary."""
    for line in list(CHECKS)[8:]:  # resuming and a new process take seconds, and are of the classes, not of the folder
        monkeypatch.delitem(CHECKS, line)
    monkeypatch.delitem(CHECKS, "batch 8 x 1 = 1 x 8: gradients")
    monkeypatch.delitem(CHECKS, "evaluation at batch 1 = at batch 8: loss")
    assert verify(str(folder(tmp_path / "model", PUBLISHED[name])))
    assert "FAILS" not in capsys.readouterr().out


@pytest.mark.parametrize("name", [ENCODER, "BAAI/bge-base-zh-v1.5"])
def test_the_check_of_a_run_from_it_takes_it(name, tmp_path, capsys):
    where = folder(tmp_path / "model", PUBLISHED[name])
    rows = "".join(f"{text}{i},{i % 2}\n" for i, text in enumerate(TEXTS * 10))
    (tmp_path / "rows.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    (tmp_path / "run.yaml").write_text(
        f"# hf_xfmr train classify\ndataset: {tmp_path / 'rows.csv'}\nmodel: {where}\noutput_dir: {tmp_path / 'run'}\n"
    )
    with pytest.raises(SystemExit) as end:
        check_config(tmp_path / "run.yaml")
    assert end.value.code in (None, 0)
    assert "40" in capsys.readouterr().out


def test_a_pickle_is_told_of_once(encoder, capsys):
    loading._say_if_pickled.cache_clear()
    for _ in range(2):
        loading.to_train(hf_xfmr.XfmrBertForSequenceClassification, str(encoder), head="classifier")
    assert capsys.readouterr().err.count("no code was run; hf_xfmr convert") == 1


def test_shards_of_torch_save(tmp_path):
    where = folder(tmp_path / "model", PUBLISHED[ENCODER])
    whole = loading.to_use(hf_xfmr.XfmrBertForMaskedLM, str(where)).state_dict()
    tensors = torch.load(where / "pytorch_model.bin", weights_only=True)
    (where / "pytorch_model.bin").unlink()
    write(where, tensors, "bin", shards=3)
    parts = loading.to_use(hf_xfmr.XfmrBertForMaskedLM, str(where)).state_dict()
    assert all(torch.equal(one, parts[name]) for name, one in whole.items())


def test_without_the_prefix_of_a_head_s_model(tmp_path):
    where = folder(tmp_path / "model", PUBLISHED[ENCODER])
    tensors = torch.load(where / "pytorch_model.bin", weights_only=True)
    bare = {name.removeprefix("bert."): one for name, one in tensors.items() if name.startswith("bert.")}
    write(where, bare, "bin")
    model = loading.to_train(hf_xfmr.XfmrBertForTokenClassification, str(where), head="classifier")
    assert torch.equal(model.bert.embeddings.word.weight, bare["embeddings.word_embeddings.weight"])


@pytest.mark.parametrize(
    ("architectures", "task"),
    [
        (..., "ForSequenceClassification"),
        ([], "ForSequenceClassification"),
        (["RobertaForMaskedLM"], "ForMaskedLM"),
        (["BertSpanForNer"], "ForSequenceClassification"),
    ],
    ids=["missing", "empty", "RoBERTa's", "somebody's own"],
)
def test_classes_that_a_config_names(architectures, task, tmp_path):
    where = rewritten(folder(tmp_path / "model", PUBLISHED[ENCODER]), architectures=architectures)
    assert subject.find_class(str(where)).__name__ == f"XfmrBert{task}"
    loading.to_train(hf_xfmr.XfmrBertForSequenceClassification, str(where), head="classifier")


@pytest.mark.parametrize("name", [ENCODER, POEMS, MARIAN])
@pytest.mark.parametrize("architectures", [None, ...], ids=["with its class", "without"])
def test_no_model_type_is_a_sentence_that_names_it(name, architectures, tmp_path):
    published = PUBLISHED[name]
    changes = {} if architectures is None else {"architectures": ...}
    where = rewritten(folder(tmp_path / "model", published), model_type=..., **changes)
    kind = published.config["model_type"]
    with pytest.raises(UserError, match=f'is of a {kind} by what it holds: add "model_type": "{kind}" there, or run'):
        loading.to_train(own_class(published), str(where))


def test_a_config_of_which_nothing_is_known_names_those_there_are(tmp_path):
    where = rewritten(folder(tmp_path / "model", PUBLISHED[ENCODER]), model_type=..., architectures=["SomeNet"])
    with pytest.raises(UserError, match=r'add "model_type": "bert" .*"gpt2", "marian"\)'):
        loading.to_train(hf_xfmr.XfmrBertForMaskedLM, str(where))


@pytest.mark.parametrize("kind", [None, "openai-gpt"])
def test_cdial_gpt_is_a_gpt_1(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CDIAL_GPT | ({"model_type": kind} if kind else {})))
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    with pytest.raises(UserError, match=r"of a GPT-1 .* uer/gpt2-chinese-cluecorpussmall"):
        loading.to_train(hf_xfmr.XfmrGPT2ForCausalLM, str(tmp_path))


def test_roberta_s_type_on_a_bert_is_refused(tmp_path):
    """Only its name is RoBERTa's: as one, no tensor would be found."""
    where = rewritten(folder(tmp_path / "model", PUBLISHED[ENCODER]), model_type="roberta")
    with pytest.raises((UserError, CheckpointError)):
        loading.to_train(hf_xfmr.XfmrBertForMaskedLM, str(where), whole=True)
