"""What a config without a model_type is of: told where nothing else could be meant, and only there."""

import pytest
import transformers

from hf_xfmr.hub.kinds import meant

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
