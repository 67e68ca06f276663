"""Marian's checkpoints go in and come out with exact names and bits, and ours open in stock classes."""

import json

import pytest
import torch
from oracles import (
    REORDERED,
    fresh_process,
    rounding,
    same_as_stock,
    same_gradients,
    same_tensors,
    same_to_rounding,
    same_weights,
    tensors,
    tiny_stock,
)
from safetensors.torch import load_file, save_file
from test_transformer import TINY, make_batch, random_model
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, MarianConfig, MarianModel, MarianMTModel

from hf_xfmr import XfmrConfig, XfmrForConditionalGeneration, XfmrModel
from hf_xfmr.models.stock import CheckpointError
from hf_xfmr.models.transformer import position_table

VOCABULARIES = {
    "one matrix": {},
    "untied": {"tie_word_embeddings": False},
    "separate": {"decoder_vocab_size": 101, "share_encoder_decoder_embeddings": False},
    "separate, untied": {
        "decoder_vocab_size": 101,
        "share_encoder_decoder_embeddings": False,
        "tie_word_embeddings": False,
    },
}
BOTH = {"head": (MarianMTModel, XfmrForConditionalGeneration), "no head": (MarianModel, XfmrModel)}


def save_stock(folder, stock_class=MarianMTModel, dtype=torch.float32, **config):
    stock = tiny_stock(stock_class, **config).to(dtype)
    if stock_class is MarianMTModel:
        stock.final_logits_bias.normal_(generator=torch.Generator().manual_seed(5))
    stock.save_pretrained(folder)
    return stock


def scores(model, **kwargs) -> Tensor:
    batch = make_batch()
    del batch["labels"]
    ids = batch["input_ids"].new_tensor([[98, 3, 5, 7, 9, 11, 13, 15]] * 4)
    with torch.no_grad():
        return model(**batch, decoder_input_ids=ids, use_cache=False, **kwargs)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("vocabularies", VOCABULARIES)
@pytest.mark.parametrize("head", BOTH)
def test_stock_checkpoint_in_and_out(head, vocabularies, dtype, tmp_path):
    """Loaded without a tensor missing or left over; saved with the names, shapes, types and bits of stock's file; that
    file loads into stock without a difference."""
    stock_class, our_class = BOTH[head]
    stock = save_stock(tmp_path / "stock", stock_class, dtype, **VOCABULARIES[vocabularies])
    ours, info = our_class.from_pretrained(tmp_path / "stock", output_loading_info=True)
    assert not any(info.values())
    assert ours.dtype == dtype
    ours.save_pretrained(tmp_path / "ours")
    same_tensors(tmp_path / "stock", tmp_path / "ours")
    back, info = stock_class.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    same_weights(back, stock)
    same_to_rounding(scores(back), scores(stock))


def test_new_model_saves_what_stock_saves(tmp_path):
    """A model with Marian's layout that was never a checkpoint: its tables have the bits of stock's."""
    config = MarianConfig(
        **{**TINY, "d_model": 64, "max_position_embeddings": 512, "pad_token_id": 98, "decoder_start_token_id": 98}
    )
    for stock_class, our_class in BOTH.values():
        stock_class(config).save_pretrained(tmp_path / "stock")
        ours = our_class(XfmrConfig.from_pretrained(tmp_path / "stock"))
        ours.save_pretrained(tmp_path / "ours")
        assert sorted(tensors(tmp_path / "ours")) == sorted(tensors(tmp_path / "stock"))
    ours, stock = tensors(tmp_path / "ours"), tensors(tmp_path / "stock")
    for side in ("encoder", "decoder"):
        assert torch.equal(ours[f"{side}.embed_positions.weight"], stock[f"{side}.embed_positions.weight"])


def test_the_papers_layout_opens_in_stock(tmp_path):
    """Interleaved positions, which stock cannot compute, are saved as the tables stock reads: its scores are ours."""
    ours = random_model()
    assert ours.config.position_layout == "interleaved"
    ours.save_pretrained(tmp_path)
    assert "model.encoder.embed_positions.weight" in tensors(tmp_path)
    stock, info = MarianMTModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    same_as_stock(scores(ours, pack=False), scores(stock))
    again = XfmrForConditionalGeneration.from_pretrained(tmp_path)
    assert again.config.position_layout == "interleaved"
    same_weights(again, ours)
    same_to_rounding(scores(again), scores(ours))


@pytest.mark.parametrize("layout", ["interleaved", "halves"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_position_tables_survive_loading(layout, dtype, tmp_path):
    """A file need not carry them: they are computed again, whatever the type of the weights."""
    ours = random_model(position_layout=layout)
    ours.save_pretrained(tmp_path)
    kept = {name: t for name, t in load_file(tmp_path / "model.safetensors").items() if "embed_positions" not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded = XfmrForConditionalGeneration.from_pretrained(tmp_path, dtype=dtype)
    table = position_table(ours.config).to(dtype)
    for side in (loaded.model.encoder, loaded.model.decoder):
        assert torch.equal(side.embeddings.position, table)
        assert side.embeddings.position.dtype == dtype
    # they are the same for every length, so a longer one may be asked for
    longer = XfmrForConditionalGeneration.from_pretrained(tmp_path, max_position_embeddings=80)
    assert torch.equal(longer.model.encoder.embeddings.position[:40], position_table(ours.config))


def test_head_from_a_model_without_and_back(tmp_path):
    save_stock(tmp_path / "bare", MarianModel)
    ours = XfmrForConditionalGeneration.from_pretrained(tmp_path / "bare")
    assert ours.lm_head.weight is ours.model.shared.weight
    assert not ours.final_logits_bias.any()
    stock = save_stock(tmp_path / "head", MarianMTModel)
    bare = XfmrModel.from_pretrained(tmp_path / "head")
    real = make_batch()["decoder_attention_mask"] == 1
    same_as_stock(scores(bare)[real], scores(stock.model)[real])


def test_an_incomplete_or_foreign_file_is_refused(tmp_path):
    save_stock(tmp_path)
    file = tmp_path / "model.safetensors"
    whole = load_file(file)
    less = {name: t for name, t in whole.items() if "decoder.layers.1.encoder_attn.k_proj" not in name}
    save_file(less, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks model\.decoder\.blocks\.1\.cross_attention\.key"):
        XfmrForConditionalGeneration.from_pretrained(tmp_path)
    save_file({**whole, "model.encoder.layernorm_embedding.weight": torch.ones(32)}, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="layernorm_embedding"):
        XfmrForConditionalGeneration.from_pretrained(tmp_path)


def test_a_marian_config_means_what_it_means_to_marian(tmp_path):
    """Also for the fields that it leaves out, as the Hub's older ones do."""
    short = {"model_type": "marian", "vocab_size": 70, "num_hidden_layers": 3, "static_position_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps(short))
    ours, stock = XfmrConfig.from_pretrained(tmp_path), MarianConfig.from_pretrained(tmp_path)
    expected = stock.to_dict()
    assert {name: value for name, value in ours.to_dict().items() if name in expected} == {
        **expected,
        "model_type": "xfmr",
    }
    assert ours.position_layout == "halves"
    assert XfmrConfig(**stock.to_dict()).position_layout == "halves"
    assert XfmrConfig().position_layout == "interleaved"
    ours.save_pretrained(tmp_path)
    assert XfmrConfig.from_pretrained(tmp_path).to_dict() == ours.to_dict()


def test_old_files_with_every_matrix_written_out(tmp_path):
    """As `.bin` files hold it: shared, source, target and output matrix, and the tables."""
    stock = save_stock(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(stock.state_dict(), tmp_path / "pytorch_model.bin")
    ours, info = XfmrForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    real = make_batch()["decoder_attention_mask"] == 1
    same_as_stock(scores(ours)[real], scores(stock)[real])


def test_state_dict_under_stock_names(tmp_path):
    """`load_state_dict`, by which Trainer resumes, takes what `save_pretrained` wrote and what stock holds."""
    stock = save_stock(tmp_path)
    for state in (stock.state_dict(), load_file(tmp_path / "model.safetensors")):
        ours = XfmrForConditionalGeneration(XfmrConfig.from_pretrained(tmp_path)).eval()
        ours.load_state_dict(state, strict=False)
        batch = make_batch()
        ours(**batch, pack=False).loss.backward()
        stock.zero_grad()
        stock(**batch).loss.backward()
        same_gradients(ours, stock)


@pytest.mark.slow
def test_fresh_processes(tmp_path):
    """A saved folder opens with `trust_remote_code=True` where hf_xfmr is not installed, and with `AutoModel…` where it
    is; both compute what was saved."""
    ours = random_model()
    ours.save_pretrained(tmp_path / "model")
    expected = scores(ours)
    apart = rounding(expected, REORDERED)
    torch.save(expected, tmp_path / "expected.pt")
    torch.save(make_batch(), tmp_path / "batch.pt")
    code = f"""
{{first}}
import torch
from transformers import AutoModel, AutoModelForSeq2SeqLM
folder = {str(tmp_path)!r}
batch = torch.load(folder + "/batch.pt")
del batch["labels"]
ids = torch.tensor([[98, 3, 5, 7, 9, 11, 13, 15]] * 4)
for auto_class in (AutoModelForSeq2SeqLM, AutoModel):
    model = auto_class.from_pretrained(folder + "/model", trust_remote_code={{trust}})
    out = model(**batch, decoder_input_ids=ids, use_cache=False)[0]
    print(type(model).__module__.split(".")[0], type(model).__name__, end=" ")
    if auto_class is AutoModelForSeq2SeqLM:
        print((out - torch.load(folder + "/expected.pt")).abs().max().item() <= {{apart}}, end=" ")
"""
    remote = fresh_process(code.format(first="", trust=True, apart=apart), without_package=True)
    assert remote.split() == [
        "transformers_modules",
        "XfmrForConditionalGeneration",
        "True",
        "transformers_modules",
        "XfmrModel",
    ]
    local = fresh_process(code.format(first="import hf_xfmr", trust=False, apart=apart))
    assert local.split() == ["hf_xfmr", "XfmrForConditionalGeneration", "True", "hf_xfmr", "XfmrModel"]


def test_auto_classes():
    config = AutoConfig.for_model("xfmr", **TINY)
    assert type(config) is XfmrConfig
    assert type(AutoModel.from_config(config)) is XfmrModel
    assert type(AutoModelForSeq2SeqLM.from_config(config)) is XfmrForConditionalGeneration
