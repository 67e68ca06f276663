"""What each recipe says of a model_config that makes no model, before it looks at any data."""

from pathlib import Path

import classify_bert
import finetune_gpt2
import pretrain_bert
import pytest
import tag_bert
import translate

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


@pytest.mark.parametrize("module", [finetune_gpt2, pretrain_bert])
def test_a_checkpoint_has_its_own_tokenizer_and_sizes(tmp_path, capsys, module):
    for flags in (["--model_config", "{initializer_range: 0.1}"], ["--tokenizer", "unigram"]):
        line = said(module, tmp_path, capsys, "--model", "some/where", *flags)
        assert f"model and {flags[0][2:]} are both given" in line
