"""What each recipe says of a model_config that makes no model, before it looks at any data."""

import re
from pathlib import Path

import classify_bert
import finetune_gpt2
import pretrain_bert
import pytest
import tag_bert
import torch
import translate

import hf_xfmr
from hf_xfmr.hub.sizes import parameters
from hf_xfmr.run import program

BERTS = [classify_bert, tag_bert, pretrain_bert]


def said(module, folder: Path, capsys, *flags: str) -> str:
    """The one line a run that can't begin ends with; its data would be missing, were they asked for."""
    pair = ["--source_lang", "en", "--target_lang", "fr"] if module is translate else []
    with pytest.raises(SystemExit) as end:
        program.run(
            lambda: module.main(["--dataset", str(folder / "none"), "--output_dir", str(folder / "run"), *pair, *flags])
        )
    assert end.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("module", "fields", "expected"),
    [
        *[(bert, "hidden_sizes: 16", "unknown field 'hidden_sizes'; did you mean 'hidden_size'?") for bert in BERTS],
        (finetune_gpt2, "n_layers: 2", "unknown field 'n_layers'; did you mean 'n_layer'?"),
        (translate, "d_modell: 16", "unknown field 'd_modell'; did you mean 'd_model'?"),
        *[(bert, "hidden_size: wide", "hidden_size") for bert in BERTS],
        (finetune_gpt2, "n_layer: deep", "n_layer"),
        (translate, "d_model: wide", "d_model"),
        *[(bert, "hidden_size: 30", "hidden_size 30 must be a multiple of num_attention_heads 12") for bert in BERTS],
        (finetune_gpt2, "{n_embd: 30, n_head: 4}", "n_embd 30 must be a multiple of n_head 4"),
        (finetune_gpt2, "{hidden_size: 30, num_attention_heads: 4}", "n_embd 30 must be a multiple of n_head 4"),
        (translate, "d_model: 30", "d_model 30 must be a multiple of encoder_attention_heads 8"),
        (translate, "decoder_attention_heads: 7", "d_model 512 must be a multiple of decoder_attention_heads 7"),
    ],
)
def test_a_model_config_that_makes_no_model_is_one_line(tmp_path, capsys, module, fields, expected):
    line = said(module, tmp_path, capsys, "--model_config", f"{{{fields.strip('{}')}}}")
    assert line.startswith("error: model_config: ")
    assert expected in line


@pytest.mark.parametrize(
    ("module", "fields"),
    [
        (classify_bert, "num_hidden_layers: 10000000"),
        (classify_bert, "hidden_size: 1200000"),
        (classify_bert, "vocab_size: 99999999"),
        (pretrain_bert, "intermediate_size: 999999999"),
        (finetune_gpt2, "n_positions: 999999999"),
        (finetune_gpt2, "n_embd: 1200000"),
        (translate, "decoder_layers: 10000000"),
        (translate, "encoder_ffn_dim: 999999999"),
    ],
)
def test_a_model_that_no_memory_holds_is_one_line_before_it_is_made(tmp_path, capsys, module, fields):
    line = said(module, tmp_path, capsys, "--model_config", f"{{{fields}}}")
    assert re.search(r"model_config makes a model of about [\d,.]+ billion parameters, [\d,]+ GB of weights", line)


@pytest.mark.parametrize(
    ("module", "fields"),
    [
        (classify_bert, "num_attention_heads: 0"),
        (classify_bert, "hidden_size: 0"),
        (finetune_gpt2, "n_head: 0"),
        (finetune_gpt2, "n_layer: -1"),
        (translate, "encoder_attention_heads: 0"),
        (translate, "d_model: -8"),
    ],
)
def test_a_size_below_one_is_one_line(tmp_path, capsys, module, fields):
    line = said(module, tmp_path, capsys, "--model_config", f"{{{fields}}}")
    assert re.search(r"error: model_config: \w+ is -?\d; it must be at least 1", line)


@pytest.mark.parametrize(
    ("config", "model"),
    [
        (hf_xfmr.XfmrBertConfig(num_hidden_layers=2), hf_xfmr.XfmrBertModel),
        (hf_xfmr.XfmrGPT2Config(n_layer=2), hf_xfmr.XfmrGPT2Model),
        (hf_xfmr.XfmrConfig(), hf_xfmr.XfmrModel),
    ],
)
def test_the_number_of_weights_is_known_before_they_are_made(config, model):
    with torch.device("meta"):
        made = sum(weight.numel() for weight in model(config).parameters())
    assert parameters(config.to_dict()) == pytest.approx(made, rel=0.02)


@pytest.mark.parametrize("module", [finetune_gpt2, pretrain_bert])
def test_a_checkpoint_has_its_own_tokenizer_and_sizes(tmp_path, capsys, module):
    for flags in (["--model_config", "{initializer_range: 0.1}"], ["--tokenizer", "unigram"]):
        line = said(module, tmp_path, capsys, "--model", "some/where", *flags)
        assert f"model and {flags[0][2:]} are both given" in line
