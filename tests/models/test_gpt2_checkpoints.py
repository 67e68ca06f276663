"""Stock GPT-2 checkpoints, new and old, go in and come out with the same names, shapes and bits."""

import json

import pytest
import torch
import transformers
from oracles import (
    HALF,
    PARITY,
    fresh_process,
    same_as_stock,
    same_tensors,
    same_to_rounding,
    same_weights,
    tensors,
    tiny_stock,
)
from safetensors.torch import load_file, save_file

import hf_xfmr
from hf_xfmr import XfmrGPT2Config, XfmrGPT2ForCausalLM, XfmrGPT2ForSequenceClassification, XfmrGPT2Model
from hf_xfmr.models.stock import CheckpointError

IDS = torch.arange(1, 13).view(2, 6)
CLASSES = {
    "Model": (transformers.GPT2Model, hf_xfmr.XfmrGPT2Model, "AutoModel"),
    "CausalLM": (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM, "AutoModelForCausalLM"),
    "SequenceClassification": (
        transformers.GPT2ForSequenceClassification,
        hf_xfmr.XfmrGPT2ForSequenceClassification,
        "AutoModelForSequenceClassification",
    ),
    "TokenClassification": (
        transformers.GPT2ForTokenClassification,
        hf_xfmr.XfmrGPT2ForTokenClassification,
        "AutoModelForTokenClassification",
    ),
}


def save_stock(folder, case: str = "CausalLM", dtype: torch.dtype = torch.float32, shard: str = "50GB", **config):
    stock = tiny_stock(CLASSES[case][0], pad_token_id=0, **config).to(dtype)
    stock.save_pretrained(folder, max_shard_size=shard)
    return stock


def outputs(model) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS, use_cache=False)[0]


@pytest.mark.parametrize("case", [*CLASSES, "untied", "48-layers", "sharded", "bfloat16"])
def test_a_stock_checkpoint_comes_out_as_it_went_in(case, tmp_path):
    """Same tensors, and either class computes the same from either folder."""
    more = {
        "untied": {"tie_word_embeddings": False},
        "48-layers": {"n_layer": 48},
        "sharded": {"shard": "20KB"},
    }.get(case, {})
    dtype = torch.bfloat16 if case == "bfloat16" else torch.float32
    case = case if case in CLASSES else "CausalLM"
    stock_class, our_class, _ = CLASSES[case]
    stock = save_stock(tmp_path / "stock", case, dtype, **more)
    ours = our_class.from_pretrained(tmp_path / "stock")
    assert ours.dtype == dtype
    same_to_rounding(outputs(ours), outputs(stock), PARITY if dtype == torch.float32 else HALF, 1.0)
    ours.save_pretrained(tmp_path / "ours", max_shard_size=more.get("shard", "50GB"))
    same_tensors(tmp_path / "ours", tmp_path / "stock")
    if "shard" in more:
        assert len(list((tmp_path / "stock").glob("*.safetensors"))) > 3

    again = our_class.from_pretrained(tmp_path / "ours")
    same_weights(again, ours)
    same_to_rounding(outputs(again), outputs(ours))
    config = json.loads((tmp_path / "ours/config.json").read_text())
    config |= {"model_type": "gpt2", "architectures": [stock_class.__name__]}
    (tmp_path / "ours/config.json").write_text(json.dumps(config))
    back, info = stock_class.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    same_weights(back, stock)
    same_to_rounding(outputs(back), outputs(stock))


@pytest.mark.parametrize("case", CLASSES)
def test_a_model_made_here_is_saved_under_stock_s_names(case, tmp_path):
    stock_class, our_class, auto_class = CLASSES[case]
    model = our_class(XfmrGPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, n_positions=20)).eval()
    model.save_pretrained(tmp_path)
    config = transformers.GPT2Config.from_pretrained(tmp_path, model_type="gpt2")
    wanted = tiny_stock(stock_class, n_positions=20).state_dict()
    if config.tie_word_embeddings:
        wanted.pop("lm_head.weight", None)
    assert {name: t.shape for name, t in tensors(tmp_path).items()} == {name: t.shape for name, t in wanted.items()}
    found = getattr(transformers, auto_class).from_pretrained(tmp_path)
    assert type(found) is our_class
    same_weights(found, model)
    same_to_rounding(outputs(found), outputs(model))
    model.save_pretrained(tmp_path / "own", save_original_format=False)
    same_weights(our_class.from_pretrained(tmp_path / "own"), model)


@pytest.mark.parametrize("prefix", ["transformer.", ""], ids=["prefixed", "bare"])
@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors"])
def test_files_of_openai_s_days(file, prefix, tmp_path):
    """With causal masks as tensors, with or without a copy of the tied matrix, and without the head's prefix."""
    stock = save_stock(tmp_path)
    old = {name.replace("transformer.", prefix): t for name, t in load_file(tmp_path / "model.safetensors").items()}
    for layer in range(2):
        old[f"{prefix}h.{layer}.attn.bias"] = torch.ones(1, 1, 40, 40).tril().byte()
        old[f"{prefix}h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    if file.endswith(".bin"):
        old["lm_head.weight"] = old[f"{prefix}wte.weight"]
        (tmp_path / "model.safetensors").unlink()
        torch.save(old, tmp_path / file)
    else:
        save_file(old, tmp_path / file, metadata={"format": "pt"})
    ours = XfmrGPT2ForCausalLM.from_pretrained(tmp_path)
    same_as_stock(outputs(ours), outputs(stock))
    base = XfmrGPT2Model.from_pretrained(tmp_path)
    same_as_stock(outputs(base), outputs(stock.transformer))
    stock.save_pretrained(tmp_path / "stock")
    ours.save_pretrained(tmp_path / "ours")
    same_tensors(tmp_path / "ours", tmp_path / "stock")


def test_a_head_on_a_base_checkpoint_and_a_base_from_a_head(tmp_path, caplog):
    stock = save_stock(tmp_path / "base", "Model")
    for our_class in (XfmrGPT2ForSequenceClassification, XfmrGPT2ForCausalLM):
        ours = our_class.from_pretrained(tmp_path / "base", num_labels=3)
        same_as_stock(outputs(ours.transformer), outputs(stock))
        ours.save_pretrained(tmp_path / our_class.__name__)
        names = tensors(tmp_path / our_class.__name__)
        assert set(names) - {"score.weight"} == {f"transformer.{name}" for name in tensors(tmp_path / "base")}
        base = XfmrGPT2Model.from_pretrained(tmp_path / our_class.__name__)
        base.save_pretrained(tmp_path / "again")
        same_tensors(tmp_path / "again", tmp_path / "base")
    assert "new, not in the checkpoint: score" in caplog.text
    assert "lm_head" not in caplog.text  # it is the word matrix
    other = XfmrGPT2ForCausalLM.from_pretrained(tmp_path / "XfmrGPT2ForSequenceClassification")
    same_weights(other.transformer, ours.transformer)
    assert "not used from it: score.weight" in caplog.text


def test_load_state_dict_takes_stock_names(tmp_path):
    """As `Trainer` resumes."""
    stock = save_stock(tmp_path)
    ours = XfmrGPT2ForCausalLM(XfmrGPT2Config.from_pretrained(tmp_path)).eval()
    assert not torch.allclose(outputs(ours), outputs(stock), atol=0.1)
    missing, unexpected = ours.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=False)
    assert (missing, unexpected) == ([], [])  # the output matrix is there, under the embedding's name
    same_as_stock(outputs(ours), outputs(stock))


def test_errors_name_the_tensors(tmp_path):
    save_stock(tmp_path)
    file = tmp_path / "model.safetensors"
    good = load_file(file)

    def loading(state_dict, **arguments):
        save_file(state_dict, file, metadata={"format": "pt"})
        return XfmrGPT2ForCausalLM.from_pretrained(tmp_path, **arguments)

    with pytest.raises(CheckpointError, match=r"lacks transformer\.blocks\.1\.feed_forward_norm\.weight"):
        loading({name: t for name, t in good.items() if name != "transformer.h.1.ln_2.weight"})
    with pytest.raises(CheckpointError, match=r"holds transformer\.blocks\.1\.crossattention\.q_attn\.weight"):
        loading({**good, "transformer.h.1.crossattention.q_attn.weight": torch.ones(32, 32)})
    with pytest.raises(
        CheckpointError, match=r"transformer\.word\.weight is \[90, 32\] in the checkpoint and \[99, 32\]"
    ):
        loading({**good, "transformer.wte.weight": torch.ones(90, 32)})
    with pytest.raises(CheckpointError, match=r"blocks\.0\.attention\.value\.weight is \[31, 32\]"):
        loading({**good, "transformer.h.0.attn.c_attn.weight": torch.ones(32, 95)})
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="kind 'bert'"):
        loading(good)


def test_chinese_gpt2_with_a_bert_vocabulary(tmp_path):
    """As uer/gpt2-chinese-cluecorpussmall: a BertTokenizer, GPT-2's weights, special tokens by BERT's ids."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"今天气很好我们去公园散步吧", "gpt", "##2"]
    tokenizer = transformers.BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    tokenizer.save_pretrained(tmp_path)
    stock = save_stock(tmp_path, vocab_size=len(words), bos_token_id=50256, eos_token_id=50256)
    ours = XfmrGPT2ForCausalLM.from_pretrained(tmp_path)
    batch = tokenizer(["今天天气很好", "我们"], return_tensors="pt", padding=True, padding_side="left")
    assert "token_type_ids" in batch
    written = [model.generate(**batch, max_new_tokens=8, eos_token_id=3, pad_token_id=0) for model in (stock, ours)]
    assert torch.equal(*written)
    pipes = [
        transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
        for model in (stock, ours)
    ]
    texts = [pipe("今天天气", max_new_tokens=8, do_sample=False, pad_token_id=0) for pipe in pipes]
    assert texts[0] == texts[1]
    assert texts[0][0]["generated_text"].startswith("今天天气")


SCORES = """
import torch, transformers
for auto_class, (folder, name) in {folders!r}.items():
    model = getattr(transformers, auto_class).from_pretrained(folder, trust_remote_code={trust}).eval()
    assert type(model).__name__ == name
    assert (type(model).__module__.split(".")[0] == "hf_xfmr") != {trust}
    print(model(torch.arange(1, 13).view(2, 6), use_cache=False)[0].double().sum().item())
    if auto_class == "AutoModelForCausalLM":
        assert model.generate(torch.tensor([[1, 2]]), max_new_tokens=3).shape == (1, 5)
"""


@pytest.mark.slow
def test_loads_in_a_process_with_and_without_the_package(tmp_path):
    """By the code that a folder carries along, where hf_xfmr can't be imported; and by name, where it is imported."""
    folders, expected = {}, []
    for case in ("CausalLM", "SequenceClassification"):
        _, our_class, auto_class = CLASSES[case]
        save_stock(tmp_path / "stock", case)
        ours = our_class.from_pretrained(tmp_path / "stock")
        ours.save_pretrained(tmp_path / case)
        folders[auto_class] = (str(tmp_path / case), our_class.__name__)
        expected.append(pytest.approx(outputs(ours).double().sum().item(), abs=1e-4))
    for trust in (True, False):
        code = SCORES.format(folders=folders, trust=trust)
        printed = fresh_process(code if trust else "import hf_xfmr\n" + code, without_package=trust)
        assert [float(line) for line in printed.split()] == expected
