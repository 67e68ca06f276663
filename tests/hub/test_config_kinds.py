"""What a config without a model_type is of: told where nothing else could be meant, and only there."""

import pytest
import transformers

from hf_xfmr.errors import UserError
from hf_xfmr.hub.kinds import meant
from hf_xfmr.run import loading

CLASSES = ["BertForMaskedLM", "RobertaModel", "XLMRobertaForMaskedLM", "CamembertModel", "DistilBertModel"]
CLASSES += ["GPT2LMHeadModel", "MarianMTModel"]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_tells(name):
    assert meant({"architectures": [name]}) == getattr(transformers, name).config_class.model_type


@pytest.mark.parametrize(
    ("config_class", "kind"),
    [
        (transformers.BertConfig, "bert"),
        (transformers.DistilBertConfig, "distilbert"),
        (transformers.GPT2Config, "gpt2"),
        (lambda: transformers.MarianConfig(static_position_embeddings=True), "marian"),
    ],
)
def test_fields_tell(config_class, kind):
    config = {**config_class().to_dict(), "architectures": None}
    config.pop("model_type", None)
    assert meant(config) == kind


def test_a_config_that_may_be_a_roberta_is_asked_about():
    config = {**transformers.RobertaConfig(type_vocab_size=1).to_dict(), "architectures": None}
    assert meant(config) is None


def test_a_size_is_checked_where_it_is_read(tmp_path):
    """A DeBERTa has no segments, and says so by a 0 that no BERT may have; a DistilBERT does not read the field."""
    for config in (transformers.DebertaV2Config(), transformers.DistilBertConfig(type_vocab_size=0)):
        config.save_pretrained(tmp_path)
        assert loading.from_pretrained(transformers.AutoConfig, str(tmp_path)).model_type == config.model_type
    transformers.DebertaV2Config(hidden_size=0).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="hidden_size is 0; it must be a whole number above 0: mend it"):
        loading.from_pretrained(transformers.AutoConfig, str(tmp_path))
    transformers.BertConfig(type_vocab_size=0).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="type_vocab_size is 0; it must be a whole number above 0: mend it"):
        loading.from_pretrained(transformers.AutoConfig, str(tmp_path))
