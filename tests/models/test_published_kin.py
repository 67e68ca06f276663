"""The kin of BERT at the size that they are published in, with the fields of their published config.json and random
weights: stock's tensors by name and shape, and stock's logits, loss and gradients."""

import gc
import json
import math

import pytest
import torch
import transformers
from encoder_batches import at_real_tokens
from oracles import KIN, kin_classes, same_as_stock, same_gradients, twin

from hf_xfmr.models.stock import stock_names

_ROBERTA = {
    "architectures": ["RobertaForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 514,
    "model_type": "roberta",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "type_vocab_size": 1,
    "vocab_size": 50265,
}
_XLM = _ROBERTA | {
    "architectures": ["XLMRobertaForMaskedLM"],
    "model_type": "xlm-roberta",
    "output_past": True,
    "vocab_size": 250002,
}
_CAMEMBERT = {
    "architectures": ["CamembertForMaskedLM"],
    "bos_token_id": 5,
    "eos_token_id": 6,
    "model_type": "camembert",
    "output_past": True,
    "vocab_size": 32005,
}
_DISTILBERT = {
    "activation": "gelu",
    "architectures": ["DistilBertForMaskedLM"],
    "attention_dropout": 0.1,
    "dim": 768,
    "dropout": 0.1,
    "hidden_dim": 3072,
    "initializer_range": 0.02,
    "max_position_embeddings": 512,
    "model_type": "distilbert",
    "n_heads": 12,
    "n_layers": 6,
    "pad_token_id": 0,
    "qa_dropout": 0.1,
    "seq_classif_dropout": 0.2,
    "sinusoidal_pos_embds": False,
    "tie_weights_": True,
    "vocab_size": 30522,
}
_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}
PUBLISHED = {
    "FacebookAI/roberta-base": ("Roberta", _ROBERTA),
    "FacebookAI/roberta-large": ("Roberta", _ROBERTA | _LARGE),
    "distilbert/distilroberta-base": ("Roberta", _ROBERTA | {"num_hidden_layers": 6}),
    "FacebookAI/xlm-roberta-base": ("XLMRoberta", _XLM),
    "FacebookAI/xlm-roberta-large": ("XLMRoberta", _XLM | _LARGE),
    "almanach/camembert-base": ("Camembert", _ROBERTA | _CAMEMBERT),
    "distilbert/distilbert-base-uncased": ("DistilBert", _DISTILBERT),
    "distilbert/distilbert-base-cased": ("DistilBert", _DISTILBERT | {"output_past": True, "vocab_size": 28996}),
}
COMPUTED = [name for name in PUBLISHED if "large" not in name and "-cased" not in name]


def config_of(name: str, folder, config_class: type, **changes):
    """As the class reads it from the folder on the Hub."""
    (folder / "config.json").write_text(json.dumps(PUBLISHED[name][1] | changes))
    return config_class.from_pretrained(folder)


@pytest.mark.parametrize("name", PUBLISHED)
def test_at_its_real_size_a_model_has_stock_s_tensors_by_name_and_shape(name, tmp_path):
    stock_class, our_class = kin_classes(PUBLISHED[name][0], "ForMaskedLM")
    with torch.device("meta"):
        stock = stock_class(config_of(name, tmp_path, stock_class.config_class))
        ours = our_class(config_of(name, tmp_path, our_class.config_class))
    held = ours.state_dict()
    on_disk = stock_names(ours, held)
    own = {on_disk[key]: list(one.shape) for key, one in held.items()}
    assert own == {key: list(one.shape) for key, one in stock.state_dict().items()}
    assert sum(map(math.prod, own.values())) > 60_000_000
    assert ours.config.longest_row == 512
    assert ours.config.stock_model_type == stock.config.model_type


def batch_of(config, lengths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Rows of ids that begin and end as the tokenizer has them, padded, of which a seventh is to be filled in."""
    draw = torch.Generator().manual_seed(0)
    real = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    ids = torch.randint(7, config.vocab_size, real.shape, generator=draw).where(real, config.pad_token_id)
    ids[:, 0] = config.bos_token_id if config.bos_token_id is not None else 101
    masked = real & (torch.rand(real.shape, generator=draw) < 1 / 7)
    return {"input_ids": ids, "attention_mask": real.long(), "labels": ids.where(masked, -100)}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["ForMaskedLM", "ForSequenceClassification"])
@pytest.mark.parametrize("name", COMPUTED)
def test_at_its_real_size_a_model_computes_what_stock_does(name, suffix, tmp_path):
    """A row of all 512 tokens and a short one; weights as wide as trained ones are, norms and biases not as they begin;
    without dropout. Padding dropped, as it is by default."""
    stock_class, our_class = kin_classes(PUBLISHED[name][0], suffix)
    config = config_of(name, tmp_path, stock_class.config_class, num_labels=3)
    for field in [field for field in vars(config) if "drop" in field]:
        setattr(config, field, 0.0)
    stock = stock_class(config).train()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one, parameter in stock.named_parameters():
            is_norm = parameter.dim() == 1 and one.endswith("weight")
            parameter.copy_(torch.randn(parameter.shape, generator=draw).mul_(0.04).add_(float(is_norm)))
    ours = twin(our_class, stock)
    batch = batch_of(config, (512, 9))
    if suffix == "ForSequenceClassification":
        batch["labels"] = torch.tensor([2, 0])
    for training in (False, True):
        theirs, mine = stock.train(training)(**batch), ours.train(training)(**batch)
        same_as_stock(mine.loss, theirs.loss)
        if mine.logits is not None:
            real = batch["attention_mask"]
            one, other = mine.logits.detach(), theirs.logits.detach()
            if one.dim() == 3:
                one, other = at_real_tokens(one, real), at_real_tokens(other, real)
            same_as_stock(one, other)
    theirs.loss.backward()
    mine.loss.backward()
    same_gradients(ours, stock)
    del stock, ours, theirs, mine
    gc.collect()


def test_the_families_of_the_test_are_all_there_are():
    assert {family for family, _ in PUBLISHED.values()} == set(KIN)
    assert {config["model_type"] for _, config in PUBLISHED.values()} == {
        getattr(transformers, f"{family}Config").model_type for family in KIN
    }
