"""What a config may say, and what is said where it can't be: PEFT's words on our models."""

import peft
import pytest
import torch
import transformers
from oracles import BERT_HEADS, KIN_SUFFIXES, kin_classes, tiny_stock, twin
from transformers import GPT2LMHeadModel

import hf_xfmr
from hf_xfmr.adapters.names import Names

STOCK_AND_OURS = [
    *BERT_HEADS.values(),
    *(kin_classes(family, suffix) for family in ("Roberta", "DistilBert") for suffix in KIN_SUFFIXES),
    (GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM),
    (transformers.GPT2ForSequenceClassification, hf_xfmr.XfmrGPT2ForSequenceClassification),
    (transformers.GPT2ForTokenClassification, hf_xfmr.XfmrGPT2ForTokenClassification),
    (transformers.GPT2Model, hf_xfmr.XfmrGPT2Model),
    (transformers.MarianModel, hf_xfmr.XfmrModel),
    (transformers.MarianMTModel, hf_xfmr.XfmrForConditionalGeneration),
]


def gpt2() -> hf_xfmr.XfmrGPT2ForCausalLM:
    return twin(hf_xfmr.XfmrGPT2ForCausalLM, tiny_stock(GPT2LMHeadModel))


def targeted(model: peft.PeftModel) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, peft.tuners.lora.LoraLayer)}


@pytest.mark.parametrize(("stock_class", "our_class"), STOCK_AND_OURS)
def test_each_module_has_its_place_in_stocks_model(stock_class, our_class):
    stock = tiny_stock(stock_class)
    places = Names(twin(our_class, stock)).places.values()
    there = {
        name
        for name, module in stock.named_modules(remove_duplicate=False)
        if next(module.parameters(recurse=False), None) is not None
    }
    there -= {
        "cls.predictions",
        "lm_head" if "lm_head.dense" in there else "",
        "model.encoder.embed_positions",
        "model.decoder.embed_positions",
    }
    there -= {"encoder.embed_positions", "decoder.embed_positions"}  # computed here, no weight
    assert {place.stock for place in places} == there
    assert len({(place.stock, place.part) for place in places}) == len(places)


def test_nothing_said_targets_what_it_does_on_stock():
    model = peft.get_peft_model(gpt2(), peft.LoraConfig(task_type="CAUSAL_LM"))
    stock = peft.get_peft_model(tiny_stock(GPT2LMHeadModel), peft.LoraConfig(task_type="CAUSAL_LM"))
    assert model.get_nb_trainable_parameters()[0] == stock.get_nb_trainable_parameters()[0]
    assert {name.rpartition(".")[2] for name in targeted(model)} == {"query", "key", "value"}
    assert model.peft_config["default"].target_modules == {"c_attn"}
    marian = twin(hf_xfmr.XfmrForConditionalGeneration, tiny_stock(transformers.MarianMTModel))
    model = peft.get_peft_model(marian, peft.LoraConfig(task_type="SEQ_2_SEQ_LM"))
    assert {name.rpartition(".")[2] for name in targeted(model)} == {"query", "value"}


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["attn.c_proj"], {"blocks.0.attention.out", "blocks.1.attention.out"}),
        (["h.0.attn.c_proj", "h.1.mlp.c_proj"], {"blocks.0.attention.out", "blocks.1.feed_forward.down"}),
        (r"transformer\.h\.1\..*c_fc", {"blocks.1.feed_forward.up"}),
        (r"transformer\.blocks\.1\..*up", {"blocks.1.feed_forward.up"}),
        (["wte"], {"word"}),
        (["blocks.0.attention.query", "h.1.mlp.c_fc"], {"blocks.0.attention.query", "blocks.1.feed_forward.up"}),
    ],
)
def test_words_are_stocks_or_ours(words, ours):
    found = targeted(peft.get_peft_model(gpt2(), peft.LoraConfig(target_modules=words)))
    assert found == {f"base_model.model.transformer.{name}" for name in ours}


@pytest.mark.parametrize("method", ["GloraConfig", "FourierFTConfig", "OFTConfig", "HRAConfig", "VBLoRAConfig"])
def test_methods_that_want_plain_layers_find_them(method):
    options = {"num_vectors": 4, "vector_length": 2, "topk": 2} if method == "VBLoRAConfig" else {}
    model = twin(hf_xfmr.XfmrBertForSequenceClassification, tiny_stock(transformers.BertForSequenceClassification))
    tuned = peft.get_peft_model(model, getattr(peft, method)(task_type="SEQ_CLS", **options))
    tuned(torch.tensor([[5, 6, 7]]), labels=torch.tensor([1])).loss.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in tuned.parameters() if p.requires_grad)


def test_what_is_not_there_is_answered_by_what_is():
    with pytest.raises(ValueError, match=r"'c_atn'.* not found .* c_attn \(query\), |c_attn \(value\)"):
        peft.get_peft_model(gpt2(), peft.LoraConfig(target_modules=["c_atn"]))
    with pytest.raises(ValueError, match=r"target_parameters: .*c_fc.weight .* give target_modules=\['c_fc'\] instead"):
        peft.get_peft_model(gpt2(), peft.LoraConfig(target_modules=[], target_parameters=["mlp.c_fc.weight"]))


def test_an_adapter_bound_to_stocks_form_is_refused_with_the_reason(tmp_path):
    options = {"task_type": "CAUSAL_LM", "n_frequency": 8}
    peft.get_peft_model(tiny_stock(GPT2LMHeadModel), peft.FourierFTConfig(**options)).save_pretrained(
        tmp_path / "stock"
    )
    with pytest.raises(ValueError, match=r"can't be loaded into XfmrGPT2ForCausalLM: FOURIERFT is bound to the form"):
        peft.PeftModel.from_pretrained(gpt2(), tmp_path / "stock")


def test_one_that_stock_has_no_form_for_is_kept_here_with_the_reason(tmp_path, caplog):
    model = peft.get_peft_model(
        gpt2(), peft.AdaLoraConfig(task_type="CAUSAL_LM", total_step=1, init_lora_weights=False)
    )
    model.save_pretrained(tmp_path)
    assert "ADALORA has no form in which query, key and value are one matrix" in caplog.text
    ids = torch.tensor([[5, 6, 7]])
    again = peft.PeftModel.from_pretrained(gpt2(), tmp_path)
    assert torch.equal(again.eval()(ids).logits, model.eval()(ids).logits)


def test_a_weighted_sum_of_adapters_and_their_singular_vectors():
    ids, model = torch.tensor([[5, 6, 7]]), None
    for name in ("one", "two"):
        config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, init_lora_weights=False)
        if model is None:
            model = peft.get_peft_model(gpt2(), config, adapter_name=name)
        else:
            model.add_adapter(name, config)
    for kind in ("cat", "svd"):
        model.add_weighted_adapter(["one", "two"], [1.0, 1.0], kind, combination_type=kind, svd_rank=8)
    model.eval()
    logits = {}
    with torch.no_grad():
        for name in ("one", "cat", "svd"):
            model.set_adapter(name)
            logits[name] = model(ids).logits
    assert (logits["svd"] - logits["cat"]).abs().max() < 1e-4
    assert (logits["one"] - logits["cat"]).abs().max() > 1e-2


@pytest.mark.parametrize(("way", "target"), [("pissa", "c_attn"), ("olora", "c_attn"), ("pissa_niter_4", "query")])
def test_what_begins_with_a_part_of_the_matrix_begins_at_the_model_and_comes_back(way, target, tmp_path, caplog):
    """Stock has no OLoRA of a transposed matrix; by our name each matrix begins by itself, which stock has not."""
    ids = torch.tensor([[5, 6, 7, 8]])
    model = gpt2().eval()
    model.save_pretrained(tmp_path / "base")
    plain = model(ids).logits
    config = peft.LoraConfig(init_lora_weights=way, target_modules=[target], r=4)
    torch.manual_seed(0)
    tuned = peft.get_peft_model(model, config)
    assert torch.allclose(tuned(ids).logits, plain, atol=1e-5)
    assert config.init_lora_weights == way
    b = [p for name, p in tuned.named_parameters() if "lora_B" in name]
    assert all(one.abs().max() > 0 for one in b)
    with torch.no_grad():
        b[0].mul_(2)
    tuned.save_pretrained(tmp_path / "tuned")
    kept = "pissa_niter_4 began with query, key and value each by itself: target_modules=['c_attn'] begins with them"
    assert (kept in caplog.text) == (target == "query")
    torch.manual_seed(0)
    base = hf_xfmr.XfmrGPT2ForCausalLM.from_pretrained(tmp_path / "base")
    again = peft.PeftModel.from_pretrained(base, tmp_path / "tuned").eval()
    assert not torch.allclose(tuned(ids).logits, plain, atol=1e-3)
    assert torch.allclose(again(ids).logits, tuned(ids).logits, atol=1e-5)


def test_adapters_are_swapped_in_place(tmp_path):
    """PEFT's hotswap, of adapters in stock's form and of another rank."""
    from peft.utils.hotswap import hotswap_adapter, prepare_model_for_compiled_hotswap

    ids = torch.tensor([[5, 6, 7, 8]])
    gpt2().save_pretrained(tmp_path / "base")

    def base():
        return hf_xfmr.XfmrGPT2ForCausalLM.from_pretrained(tmp_path / "base").eval()

    for rank in (2, 4):
        torch.manual_seed(rank)
        config = peft.LoraConfig(target_modules=["c_attn", "c_proj"], init_lora_weights=False, r=rank)
        peft.get_peft_model(base(), config).save_pretrained(tmp_path / str(rank))
    model = peft.PeftModel.from_pretrained(base(), tmp_path / "2").eval()
    prepare_model_for_compiled_hotswap(model, target_rank=4)
    query = model.get_base_model().transformer.blocks[0].attention.query.lora_A["default"].weight
    for rank in (4, 2):
        hotswap_adapter(model, str(tmp_path / str(rank)), adapter_name="default")
        fresh = peft.PeftModel.from_pretrained(base(), tmp_path / str(rank)).eval()
        assert torch.allclose(model(ids).logits, fresh(ids).logits, atol=1e-5)
    assert query is model.get_base_model().transformer.blocks[0].attention.query.lora_A["default"].weight
