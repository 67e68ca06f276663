"""No field of a stock config is passed over: it does to ours what it does to stock's, or is refused by its name."""

import dataclasses
import inspect

import pytest
import torch
import transformers
from oracles import KIN, kin_classes, same_as_stock, same_gradients, tiny_stock, twin

import hf_xfmr
from hf_xfmr.hub.dual import kinds
from hf_xfmr.registration import config_classes

IDS = torch.arange(6, 26).view(2, 10)
EVERYWHERE = {  # of every config: another value than the tiny models' own
    "transformers_version": ["4.0.0"],
    "architectures": [["Another"]],
    "output_hidden_states": [True],
    "return_dict": [],  # the form of what is returned
    "dtype": ["float32"],
    "chunk_size_feed_forward": [5],
    "is_encoder_decoder": [],  # what a model is, no choice
    "id2label": [{0: "a", 1: "b"}],
    "label2id": [{"a": 0, "b": 1}],
    "problem_type": ["single_label_classification"],
    "vocab_size": [101],
    "bos_token_id": [3],
    "eos_token_id": [4],
    "pad_token_id": [7],
    "tie_word_embeddings": [False],
    "use_cache": [False],
}
BERT = {
    "hidden_size": [48],
    "num_hidden_layers": [1],
    "num_attention_heads": [2],
    "intermediate_size": [20],
    "hidden_act": ["relu", "gelu_new"],
    "hidden_dropout_prob": [0.5],
    "attention_probs_dropout_prob": [0.5],
    "classifier_dropout": [0.5],
    "max_position_embeddings": [20],
    "type_vocab_size": [1],
    "initializer_range": [0.3],
    "layer_norm_eps": [0.1],
    "is_decoder": [True],
    "add_cross_attention": [True],
}
DISTILBERT = {
    "dim": [48],
    "n_layers": [1],
    "n_heads": [2],
    "hidden_dim": [20],
    "activation": ["relu"],
    "dropout": [0.5],
    "attention_dropout": [0.5],
    "qa_dropout": [0.5],
    "seq_classif_dropout": [0.5],
    "max_position_embeddings": [20],
    "sinusoidal_pos_embds": [True],
    "initializer_range": [0.3],
}
GPT2 = {
    "n_positions": [20],
    "n_embd": [48],
    "n_layer": [1],
    "n_head": [2],
    "n_inner": [20],
    "activation_function": ["gelu", "relu"],
    "resid_pdrop": [0.5],
    "embd_pdrop": [0.5],
    "attn_pdrop": [0.5],
    "layer_norm_epsilon": [0.1],
    "initializer_range": [0.3],
    "summary_type": ["first"],
    "summary_use_proj": [False],
    "summary_activation": ["tanh"],
    "summary_proj_to_labels": [False],
    "summary_first_dropout": [0.5],
    "scale_attn_weights": [False],
    "scale_attn_by_inverse_layer_idx": [True],
    "reorder_and_upcast_attn": [True],
    "add_cross_attention": [True],
}
MARIAN = {
    "decoder_vocab_size": [99],
    "max_position_embeddings": [20],
    "encoder_layers": [1],
    "encoder_ffn_dim": [20],
    "encoder_attention_heads": [2],
    "encoder_layerdrop": [0.5],
    "decoder_layers": [1],
    "decoder_ffn_dim": [20],
    "decoder_attention_heads": [2],
    "decoder_layerdrop": [0.5],
    "activation_function": ["gelu", "relu"],
    "d_model": [48],
    "dropout": [0.5],
    "attention_dropout": [0.5],
    "activation_dropout": [0.5],
    "init_std": [0.3],
    "decoder_start_token_id": [5],
    "scale_embedding": [False],
    "forced_eos_token_id": [5],
    "share_encoder_decoder_embeddings": [],  # without it, stock's own vocabularies differ: test_transformer_checkpoints
    "is_decoder": [True],
}
FAMILIES = {
    "Bert": (BERT, (transformers.BertForMaskedLM, hf_xfmr.XfmrBertForMaskedLM)),
    **{family: (BERT, kin_classes(family, "ForMaskedLM")) for family in KIN},
    "DistilBert": (DISTILBERT, kin_classes("DistilBert", "ForMaskedLM")),
    "GPT2": (GPT2, (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM)),
    "Marian": (MARIAN, (transformers.MarianMTModel, hf_xfmr.XfmrForConditionalGeneration)),
}
REFUSED = {"is_decoder", "add_cross_attention", "encoder_layerdrop", "decoder_layerdrop"}


@pytest.mark.parametrize("family", FAMILIES)
def test_all_fields_are_gone_through(family):
    """A new one in transformers fails here until somebody has seen what it does."""
    fields, (stock_class, our_class) = FAMILIES[family]
    theirs = {field.name for field in dataclasses.fields(stock_class.config_class)}
    assert theirs <= {*fields, *EVERYWHERE}
    ours = {field.name for field in dataclasses.fields(our_class.config_class)}
    assert theirs - ours <= {
        "encoder_layerdrop",
        "decoder_layerdrop",
        "is_decoder",
    }  # Marian's, refused or without effect


def heads(stock_class):
    """Stock's class and ours of every head of a family."""
    found = [kind for config_class in config_classes() for kind in kinds(config_class)]
    of_family = [kind for kind in found if kind.stock_model_type == stock_class.config_class.model_type]
    return [(getattr(transformers, kind.stock_class), getattr(hf_xfmr, kind.own_class)) for kind in of_family]


def is_random(model) -> bool:
    """Whether what it computes in training differs from one time to the next."""
    ids = IDS[None] if "MultipleChoice" in type(model).__name__ else IDS[:1]
    more = {"decoder_input_ids": IDS[:1]} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        one, other = (model.train()(input_ids=ids, **more, return_dict=True)[0] for _ in range(2))
    return not torch.equal(one, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_field_does_what_it_does_to_stock_or_is_refused(family):
    """Loss, scores, gradients and the sizes of what is drawn anew; of dropout that it acts in the same heads, on the
    written-out attention and on torch's."""
    fields, (stock_class, our_class) = FAMILIES[family]
    config_class = our_class.config_class
    fields = {**EVERYWHERE, **fields}
    if "Marian" in family:
        fields = {**fields, "pad_token_id": [98], "vocab_size": [99]}  # one that its tiny model names elsewhere
    for name in inspect.signature(stock_class.config_class).parameters.keys() & fields.keys():
        for value in fields[name]:
            given = {name: value}
            if name in REFUSED and not (family == "Marian" and name == "is_decoder"):
                with pytest.raises(ValueError, match=name):
                    config_class(**given)
                continue
            if "drop" in name:
                for stock_head, our_head in heads(stock_class):
                    stock = tiny_stock(stock_head, **given)
                    assert is_random(twin(our_head, stock)) == is_random(stock), (name, stock_head)
                continue
            attentions = ("sdpa", "eager") if "attn" in name else ("sdpa",)
            for attention in attentions:
                stock = tiny_stock(stock_class, attn_implementation=attention, **given)
                ours = twin(our_class, stock)
                theirs, mine = (model(IDS, labels=IDS, return_dict=True) for model in (stock, ours))
                theirs.loss.backward()
                mine.loss.backward()
                same_as_stock(mine.loss, theirs.loss, name)
                same_as_stock(mine.logits, theirs.logits, name)
                same_gradients(ours, stock)
            if name in ("initializer_range", "init_std"):
                drawn = [model_class(model.config) for model_class, model in ((stock_class, stock), (our_class, ours))]
                spread = [float(model.get_input_embeddings().weight.detach().std()) for model in drawn]
                assert abs(spread[0] - spread[1]) < 0.05 < spread[0]


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert"])
def test_what_transformers_has_forgotten_is_refused_too(family):
    """Positions relative to one another, a field of transformers 4 that 5 passes over."""
    config_class = getattr(hf_xfmr, f"Xfmr{family}Config")
    for positions in ("relative_key", "relative_key_query"):
        with pytest.raises(ValueError, match=f"position_embedding_type is '{positions}'"):
            config_class(position_embedding_type=positions)
    assert config_class(position_embedding_type="absolute").longest_row > 0
