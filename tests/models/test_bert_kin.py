"""RoBERTa, XLM-RoBERTa, CamemBERT and DistilBERT compute what stock's compute, in every head, and go in and out of
stock's files with the same bits; what holds of BERT's parts is tested in test_bert.py, test_packing.py and so on."""

import json
import shutil

import pytest
import torch
import transformers
from encoder_batches import CASES, LM_CASES, T, at_real_tokens, differentiable, gradients, make_batch, stock_forward
from oracles import (
    KIN,
    KIN_SUFFIXES,
    fresh_process,
    kin_classes,
    same_as_stock,
    same_gradients,
    same_tensors,
    same_to_rounding,
    same_weights,
    tensors,
    tiny_stock,
    twin,
)
from safetensors.torch import save_file
from transformers import DataCollatorWithFlattening

import hf_xfmr
from hf_xfmr.hub import dual
from hf_xfmr.models.stock import CheckpointError

KIN_CASES = ("Model", "MaskedLM", "single-label", "TokenClassification", "QuestionAnswering", "MultipleChoice")


def make_twins(family: str, case: str, attention: str = "sdpa", **config):
    suffix, own = CASES[case]
    stock_class, our_class = kin_classes(family, suffix)
    stock = tiny_stock(stock_class, attn_implementation=attention, **own, **config)
    return stock, twin(our_class, stock)


def first_position(family: str) -> int:
    return 0 if family == "DistilBert" else 2


def batch_of(family: str, case: str, padding: str, **kwargs) -> dict[str, torch.Tensor]:
    batch = make_batch(case, padding, pad=0 if family == "DistilBert" else 1, **kwargs)
    if family == "DistilBert":
        del batch["token_type_ids"]
    return batch


@pytest.mark.parametrize("case", KIN_CASES)
@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_outputs_loss_and_gradients_equal_stock(family, case):
    """As BERT's test of that name: on every attention path, on both padding sides and none, with positions given or
    not, with padding dropped or computed, in evaluation and in training; dropout is 0."""
    for attention in ("eager", "sdpa"):
        stock, ours = make_twins(family, case, attention)
        for padding, training in (("right", True), ("left", True), ("none", False)):
            batch = batch_of(family, case, padding)
            mask = batch["attention_mask"]
            counted = (mask.cumsum(-1) - 1).clamp(0) + first_position(family)
            for positions in (None, counted if padding == "left" else torch.arange(3, 3 + T).expand(mask.shape)):
                given = batch if positions is None else {**batch, "position_ids": positions}
                asked = dict(given)
                if case == "MultipleChoice" and positions is not None and family == "DistilBert":
                    asked["position_ids"] = positions.flatten(0, 1)  # which stock does not do
                stock.train(training).zero_grad()
                theirs = stock_forward(stock, case, asked)
                differentiable(theirs, mask).backward()
                for pack in (True, False) if attention == "sdpa" else (False,):
                    ours.train(training).zero_grad()
                    out = ours(**given, pack=pack)
                    differentiable(out, mask).backward()
                    scored = not (training and case in LM_CASES)  # such heads score only the labelled words
                    for name, value in theirs.items():
                        if name in out or scored:
                            same_as_stock(at_real_tokens(out[name], mask), at_real_tokens(value, mask))
                    same_gradients(ours, stock)


@pytest.mark.parametrize("family", KIN)
def test_saved_again_a_stock_checkpoint_has_the_same_bits(family, tmp_path):
    """Every head, of float32 and of bfloat16, with tied words or not; and stock's model from our folder computes what
    ours does, and is of the family that it was."""
    for number, suffix in enumerate(KIN_SUFFIXES):
        stock_class, our_class = kin_classes(family, suffix)
        stock = tiny_stock(stock_class, tie_word_embeddings=number % 2 == 0)
        stock = stock.to(torch.bfloat16) if number % 3 == 2 else stock
        stock.save_pretrained(tmp_path / "stock")
        ours, info = our_class.from_pretrained(tmp_path / "stock", output_loading_info=True)
        assert not any(info.values())
        assert ours.dtype == stock.dtype
        ours.save_pretrained(tmp_path / "ours")
        same_tensors(tmp_path / "stock", tmp_path / "ours")
        same_weights(stock_class.from_pretrained(tmp_path / "ours"), stock)
        again = our_class.from_pretrained(tmp_path / "ours")
        assert again.config.stock_model_type == stock.config.model_type
        same_weights(again, ours)
        result = again.load_state_dict(stock.state_dict())
        assert result.missing_keys == result.unexpected_keys == []
        same_weights(again, ours)
        shutil.rmtree(tmp_path / "ours")
        our_class(ours.config).save_pretrained(tmp_path / "ours")
        assert tensors(tmp_path / "stock").keys() == tensors(tmp_path / "ours").keys()


@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_any_head_takes_any_checkpoint(family, tmp_path, caplog):
    """One line says which heads are new and which are left; a head of the same name and other parts is new as well."""
    for source in KIN_SUFFIXES:
        stock = tiny_stock(kin_classes(family, source)[0])
        stock.save_pretrained(tmp_path / source)
        for target in KIN_SUFFIXES:
            caplog.clear()
            sizes = {"ignore_mismatched_sizes": True} if "ForMultipleChoice" in (source, target) else {}
            ours = kin_classes(family, target)[1].from_pretrained(tmp_path / source, **sizes)
            assert len(caplog.records) <= 1
            same_weights(ours.base_model.blocks, twin(kin_classes(family, source)[1], stock).base_model.blocks)
            if (source, target) == ("ForSequenceClassification", "ForTokenClassification") and family == "Roberta":
                assert "new, not in the checkpoint: classifier; not used from it: classifier.dense" in caplog.text
    folder = tmp_path / "ForMaskedLM"
    found = tensors(folder)
    lost = next(name for name in found if "layer.1" in name)
    save_file({name: t for name, t in found.items() if name != lost}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=lost.replace(".", "[.]")):
        kin_classes(family, "ForMaskedLM")[1].from_pretrained(folder)


def test_a_family_is_told_from_another(tmp_path):
    for family in ("XLMRoberta", "DistilBert"):
        tiny_stock(kin_classes(family, "ForMaskedLM")[0]).save_pretrained(tmp_path / family)
    message = "checkpoint of kind 'distilbert'; XfmrRobertaConfig reads 'roberta', 'xlm-roberta', 'camembert' and"
    with pytest.raises(CheckpointError, match=message):
        hf_xfmr.XfmrRobertaForMaskedLM.from_pretrained(tmp_path / "DistilBert")
    with pytest.raises(CheckpointError, match="of kind 'xlm-roberta'; XfmrBertConfig reads 'bert' and 'xfmr_bert'"):
        hf_xfmr.XfmrBertForMaskedLM.from_pretrained(tmp_path / "XLMRoberta")
    config = hf_xfmr.XfmrRobertaConfig.from_pretrained(tmp_path / "XLMRoberta")
    with pytest.raises(CheckpointError, match="of kind 'xfmr_roberta'"):
        hf_xfmr.XfmrBertForMaskedLM.from_pretrained(tmp_path / "XLMRoberta", config=config)
    stock_config = transformers.AutoConfig.from_pretrained(tmp_path / "XLMRoberta")
    ours = hf_xfmr.XfmrRobertaForMaskedLM.from_pretrained(tmp_path / "XLMRoberta", config=stock_config)
    assert ours.config.stock_model_type == "xlm-roberta"
    with pytest.raises(ValueError, match="pad_token_id is not given"):
        hf_xfmr.XfmrRobertaConfig(pad_token_id=None)


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("Roberta", {"hidden_act": "relu"}),  # which the head for masked words does not heed
        ("Roberta", {"pad_token_id": 5, "type_vocab_size": 1, "layer_norm_eps": 0.1}),
        ("Roberta", {"pad_token_id": 0, "tie_word_embeddings": False}),
        ("DistilBert", {"activation": "relu", "n_heads": 2}),
        ("DistilBert", {"pad_token_id": 5, "tie_word_embeddings": False}),
    ],
    ids=str,
)
def test_every_field_of_the_config_means_what_it_means_in_stock(family, config):
    stock, ours = make_twins(family, "MaskedLM", **config)
    batch = make_batch("MaskedLM", "right", pad=config.get("pad_token_id", 1))
    del batch["token_type_ids"]
    batch["input_ids"][0, 3] = config.get("pad_token_id", 1)  # padding's id within a text
    theirs, mine = stock(**batch), ours(**batch)
    theirs.loss.backward()
    mine.loss.backward()
    mask = batch["attention_mask"]
    same_as_stock(at_real_tokens(mine.logits, mask), at_real_tokens(theirs.logits, mask))
    same_gradients(ours, stock)


def test_positions_begin_as_sines_where_the_config_says():
    made = [
        model_class(model_class.config_class(sinusoidal_pos_embds=True, dim=32, n_heads=4, n_layers=1))
        for model_class in kin_classes("DistilBert", "Model")
    ]
    theirs, mine = made[0].embeddings.position_embeddings.weight, made[1].embeddings.position.weight
    same_as_stock(mine, theirs)
    assert mine.requires_grad is theirs.requires_grad is True


@pytest.mark.parametrize("case", ["single-label", "TokenClassification", "QuestionAnswering"])
@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_dropout_before_a_head(family, case):
    """The same field as stock, so the same share of zeros, where stock's module stands."""
    names = ("seq_classif_dropout", "qa_dropout", "dropout") if family == "DistilBert" else ("classifier_dropout",)
    kind = {"single-label": 0, "QuestionAnswering": 1, "TokenClassification": 2}[case]
    if family == "Roberta" and case == "QuestionAnswering":
        pytest.skip("no dropout before it, in stock either")
    _, ours = make_twins(family, case, **{names[kind % len(names)]: 0.6})
    caught = []
    last = ours.qa_outputs if case == "QuestionAnswering" else getattr(ours.classifier, "out_proj", ours.classifier)
    last.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    ours.train()
    torch.manual_seed(0)
    for _ in range(20):
        ours(**batch_of(family, case, "none"))
    zeros = torch.stack(caught) == 0
    expected = 0.6 if family == "Roberta" or case != "single-label" else None
    if expected is None:  # after a ReLU, which makes zeros of its own
        _, without = make_twins(family, case)
        without.classifier.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
        without(**batch_of(family, case, "none"))
        expected = float(1 - 0.4 * (caught[-1] != 0).float().mean())
    assert abs(zeros.float().mean() - expected) < 0.05


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_packed_sequences_equal_separate_ones(family, attention):
    """Known by positions that begin anew where the family's begin, by boundaries, or by both; padding on the left moves
    nothing, and no padding token reaches a block."""
    _, ours = make_twins(family, "TokenClassification", attention)
    ours, start = ours.double(), first_position(family)
    texts = [torch.randint(5, 99, (n,), generator=torch.Generator().manual_seed(n)).tolist() for n in (5, 1, 8, 3)]
    alone = torch.cat([ours(torch.tensor([text])).logits for text in texts], dim=1)
    flat = DataCollatorWithFlattening(return_flash_attn_kwargs=True)([{"input_ids": t, "labels": t} for t in texts])
    del flat["labels"]
    boundaries = {name: value for name, value in flat.items() if name.startswith(("cu_seq", "max_length"))}
    positions = {"position_ids": flat["position_ids"] + start}
    for known in (positions, {**positions, **boundaries}, boundaries):
        for pack in (True, False):
            same_to_rounding(ours(flat["input_ids"], **known, pack=pack).logits, alone)
    left = batch_of(family, "TokenClassification", "left")
    seen = []
    ours.base_model.blocks[0].register_forward_hook(lambda _, args, __: seen.append(args[0].shape[:2]))
    counted = {"position_ids": (left["attention_mask"].cumsum(1) - 1).clamp(0) + start}
    rows = [left["input_ids"][row, left["attention_mask"][row] == 1].unsqueeze(0) for row in range(4)]
    alone = torch.cat([ours(row).logits for row in rows], dim=1)[0]
    given = {"input_ids": left["input_ids"], "attention_mask": left["attention_mask"]}
    for more in [counted] + [{}] * (family == "Roberta"):  # which counts real tokens by itself
        same_to_rounding(ours(**given, **more).logits[left["attention_mask"] == 1], alone)
    if attention == "sdpa":
        assert seen[-1] == (1, int(left["attention_mask"].sum()))


def test_a_row_may_have_as_many_tokens_as_there_are_places():
    """A table of 40 positions that begins at 2 is for 38 tokens, and so of 514 for 512."""
    ours = make_twins("Roberta", "TokenClassification")[1]
    assert (ours.config.longest_row, ours.config.first_position) == (38, 2)
    ids = torch.full((1, 39), 7)
    assert ours(ids[:, :38]).logits.shape == (1, 38, 5)
    with pytest.raises(ValueError, match=r"a row has 39 tokens, more than the 38 positions .* of 40, the first 2 of"):
        ours(ids)


@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_hidden_states_checkpointing_embeddings_and_compilation(family):
    stock, ours = make_twins(family, "TokenClassification", "eager")
    batch = batch_of(family, "TokenClassification", "right")
    mask = batch["attention_mask"]
    flags = {"output_hidden_states": True, "output_attentions": True}
    theirs, mine = stock(**batch, **flags), ours(**batch, **flags)
    for one, other in zip(mine.hidden_states, theirs.hidden_states, strict=True):
        same_as_stock(one[mask == 1], other[mask == 1])
    for one, other in zip(mine.attentions, theirs.attentions, strict=True):
        same_as_stock(one.transpose(1, 2)[mask == 1], other.transpose(1, 2)[mask == 1])

    _, ours = make_twins(family, "TokenClassification")
    plain = gradients(ours.train(), [batch])
    ours.gradient_checkpointing_enable()
    same_to_rounding(gradients(ours, [batch]), plain)
    ours.eval().gradient_checkpointing_disable()

    whole = {name: t for name, t in batch.items() if name not in ("input_ids", "labels")}
    vectors = ours.get_input_embeddings()(batch["input_ids"])
    right, direct = ours(batch["input_ids"], **whole).logits, ours(inputs_embeds=vectors, **whole).logits
    same_to_rounding(direct[mask == 1], right[mask == 1])
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    same_to_rounding(compiled(**batch).logits[mask == 1], right[mask == 1])


@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_resized_vocabulary_and_windows(family, tmp_path):
    _, ours = make_twins(family, "MaskedLM")
    ours.resize_token_embeddings(107)
    assert ours.mlm_head.decoder.weight is ours.get_input_embeddings().weight
    assert ours.mlm_head.decoder.bias.shape == (107,)
    ours.save_pretrained(tmp_path)
    again = kin_classes(family, "ForMaskedLM")[0].from_pretrained(tmp_path)
    batch = batch_of(family, "MaskedLM", "none")
    same_as_stock(again(**batch).logits, ours(**batch).logits)

    _, ours = make_twins(family, "single-label")
    batch = batch_of(family, "single-label", "right")
    del batch["labels"]
    each = ours(**batch).logits
    pooled = ours(**batch, window_row=torch.tensor([0, 0, 0, 1])).logits
    same_to_rounding(pooled, torch.stack([each[:3].mean(0), each[3]]))


def test_a_dual_repository_is_stock_s_to_stock(tmp_path):
    """Under the very name that stock has for it: an XLM-RoBERTa is saved here as a RoBERTa's class."""
    for family in KIN:
        stock_class, our_class = kin_classes(family, "ForSequenceClassification")
        stock = tiny_stock(stock_class)
        twin(our_class, stock).save_pretrained(tmp_path / family)
        assert dual.stage(tmp_path / family, tmp_path / f"{family}-dual") == []
        config = json.loads((tmp_path / f"{family}-dual" / "config.json").read_text())
        assert (config["model_type"], config["architectures"]) == (stock.config.model_type, [stock_class.__name__])
        assert "stock_model_type" not in config
        same_weights(stock_class.from_pretrained(tmp_path / f"{family}-dual"), stock)
        again = our_class.from_pretrained(tmp_path / f"{family}-dual")
        assert again.config.stock_model_type == stock.config.model_type


CHECK = """
import torch, transformers
for auto, folder, module in {cases!r}:
    trust = module != "hf_xfmr"
    model = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=trust).eval()
    assert type(model).__module__.split(".")[0] == module, type(model)
    expected = torch.load(folder + "/expected.pt")
    with torch.no_grad():
        for one, other in zip(model(**expected[0], return_dict=False), expected[1], strict=True):
            assert (one - other).abs().max() <= 1e-5 * max(1, other.abs().max()), auto
    model.save_pretrained(folder + "/again")
    kind = model.config.stock_model_type
    assert type(model).from_pretrained(folder + "/again").config.stock_model_type == kind
print("fine")
"""


@pytest.mark.slow  # of BERT itself in test_checkpoints.py
def test_auto_classes_with_the_package_and_the_files_alone_without_it(tmp_path):
    cases = []
    for family in KIN:
        for suffix in KIN_SUFFIXES if family in ("Roberta", "DistilBert") else ("ForSequenceClassification",):
            stock_class, our_class = kin_classes(family, suffix)
            ours, folder = twin(our_class, tiny_stock(stock_class)), tmp_path / (family + suffix)
            ours.save_pretrained(folder)
            shape = (2, 2, 7) if suffix == "ForMultipleChoice" else (4, 7)
            batch = {"input_ids": torch.randint(5, 99, shape, generator=torch.manual_seed(0))}
            with torch.no_grad():
                torch.save((batch, ours(**batch, return_dict=False)), folder / "expected.pt")
            cases.append(
                (suffix.replace("For", "AutoModelFor").replace("Model", "AutoModel", suffix == "Model"), folder)
            )
    config = json.loads((folder / "config.json").read_text())
    assert config["auto_map"]["AutoModelForMaskedLM"] == "distilbert.XfmrDistilBertForMaskedLM"
    for module, before in (("hf_xfmr", "import hf_xfmr\n"), ("transformers_modules", "")):
        code = before + CHECK.format(cases=[(auto, str(place), module) for auto, place in cases])
        assert fresh_process(code, without_package=not before).splitlines()[-1] == "fine"
