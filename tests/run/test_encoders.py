"""What a recipe for encoders says of a checkpoint whose parts do not go together, before any data are read."""

import json
import shutil
from pathlib import Path

import kin_checkpoints
import pytest
import tag_bert

from hf_xfmr.errors import UserError
from hf_xfmr.run import encoders


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> Path:
    return kin_checkpoints.make(tmp_path_factory.mktemp("kin") / "roberta", "Roberta", ["Ann saw a film"] * 9)


def changed(source: Path, folder: Path, file: str, **fields) -> Path:
    """A copy with other fields in one of its files; what is `...` is taken out."""
    shutil.copytree(source, folder)
    held = json.loads((folder / file).read_text()) | fields
    (folder / file).write_text(json.dumps({name: value for name, value in held.items() if value is not ...}))
    return folder


def test_a_roberta_pads_with_one_number(roberta, tmp_path):
    """Its positions are counted from padding's: by another they would be others, and nothing would say so."""
    config, tokenizer = encoders.load_parts(str(roberta))
    assert config.pad_token_id == tokenizer.pad_token_id == 1
    other = changed(roberta, tmp_path / "other", "config.json", pad_token_id=0)
    says = r"pads with 0 by its config.json and with 1 by its tokenizer, and a roberta counts .* \"pad_token_id\": 1 in"
    with pytest.raises(UserError, match=says):
        encoders.load_parts(str(other))


def test_no_padding_token_is_one_sentence(roberta, tmp_path):
    bare = changed(roberta, tmp_path / "bare", "tokenizer_config.json", pad_token=None)
    (tmp_path / "rows.conll").write_text("Ann B-PER\nsaw O\n\n" * 9)
    given = ["--dataset", tmp_path / "rows.conll", "--model", bare, "--output_dir", tmp_path / "run"]
    with pytest.raises(UserError, match=r'has no padding token: add one of its tokens as "pad_token"'):
        tag_bert.main([str(one) for one in given])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pad_token_id": None}, "pad_token_id is not given, and a RoBERTa counts its positions from it"),
        ({"is_decoder": True}, "is_decoder and add_cross_attention make an encoder a decoder"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"model_type": "albert"}, "is a checkpoint of kind 'albert'; this recipe takes a BERT, RoBERTa"),
        ({"model_type": "electra"}, "is a checkpoint of kind 'electra'; this recipe takes a BERT, RoBERTa"),
    ],
    ids=str,
)
def test_what_a_config_says_that_is_not_here_is_one_sentence(fields, says, roberta, tmp_path):
    folder = changed(roberta, tmp_path / "other", "config.json", **fields)
    with pytest.raises(UserError, match=says) as told:
        encoders.load_parts(str(folder))
    assert "\n" not in str(told.value)
