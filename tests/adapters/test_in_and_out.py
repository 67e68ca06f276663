"""Adapters between stock with PEFT, in a process of its own without this package, and our models: the same numbers."""

import inspect
import json
from pathlib import Path

import peft
import pytest
import torch
import transformers
from oracles import fresh_process, tiny_stock
from safetensors.torch import load_file

import hf_xfmr

FAMILIES = {
    "gpt2": ("GPT2LMHeadModel", "XfmrGPT2ForCausalLM", "CAUSAL_LM"),
    "bert": ("BertForSequenceClassification", "XfmrBertForSequenceClassification", "SEQ_CLS"),
    "xlm-roberta": ("XLMRobertaForSequenceClassification", "XfmrRobertaForSequenceClassification", "SEQ_CLS"),
    "distilbert": ("DistilBertForSequenceClassification", "XfmrDistilBertForSequenceClassification", "SEQ_CLS"),
    "marian": ("MarianMTModel", "XfmrForConditionalGeneration", "SEQ_2_SEQ_LM"),
}
# name -> family, PEFT's config class, and what is given to it in stock's words
BY_STOCKS_NAMES = {
    "nothing said": ("gpt2", "LoraConfig", {}),
    "dora": ("gpt2", "LoraConfig", {"use_dora": True, "target_modules": ["c_attn", "c_proj", "c_fc"]}),
    "all linear": ("gpt2", "LoraConfig", {"use_rslora": True, "bias": "lora_only", "target_modules": "all-linear"}),
    "regular expression": (
        "gpt2",
        "LoraConfig",
        {
            "target_modules": r".*\.h\.\d+\.(attn\.c_attn|mlp\.c_proj)",
            "rank_pattern": {"c_attn": 3},
            "alpha_pattern": {"c_attn": 5},
            "lora_bias": True,
            "bias": "all",
        },
    ),
    "one layer and whole modules": (
        "gpt2",
        "LoraConfig",
        {
            "target_modules": ["c_attn"],
            "layers_to_transform": [1],
            "layers_pattern": "h",
            "modules_to_save": ["wpe", "ln_f", "h.0.attn.c_proj", "h.0.attn.c_attn"],
        },
    ),
    "excluded": ("gpt2", "LoraConfig", {"target_modules": ["c_attn", "c_fc"], "exclude_modules": ["h.0.mlp.c_fc"]}),
    "a part of the matrix": (
        "gpt2",
        "LoraConfig",
        {"init_lora_weights": "pissa", "use_dora": True, "target_modules": ["c_attn", "c_fc"]},
    ),
    "scaled": ("gpt2", "IA3Config", {}),
    "norms": ("gpt2", "LNTuningConfig", {}),
    "tokens": ("gpt2", "LoraConfig", {"trainable_token_indices": {"wte": [3, 9]}}),
    "bert, nothing said": ("bert", "LoraConfig", {}),
    "bert, dora": (
        "bert",
        "LoraConfig",
        {"use_dora": True, "target_modules": ["dense", "query"], "modules_to_save": ["LayerNorm"]},
    ),
    "bert, all linear": ("bert", "LoraConfig", {"target_modules": "all-linear", "bias": "all"}),
    "bert, scaled": ("bert", "IA3Config", {}),
    "bert, products": ("bert", "LoHaConfig", {"target_modules": ["intermediate.dense"]}),
    "bert, turned": ("bert", "OFTConfig", {"target_modules": ["attention.self.key"]}),
    "xlm-roberta, nothing said": ("xlm-roberta", "LoraConfig", {}),
    "distilbert, one word": ("distilbert", "LoraConfig", {"target_modules": ["v_lin"]}),
    "distilbert, stock's words": (
        "distilbert",
        "LoraConfig",
        {"target_modules": ["out_lin", "lin1"], "modules_to_save": ["pre_classifier"]},
    ),
    "marian": (
        "marian",
        "LoraConfig",
        {"use_dora": True, "target_modules": ["q_proj", "fc1", "encoder_attn.out_proj"]},
    ),
}
BY_OURS = {
    "two inputs": ("gpt2", "LoraConfig", {"target_modules": ["query", "value"]}),
    "three inputs": (
        "gpt2",
        "LoraConfig",
        {"target_modules": ["query", "key", "value"], "use_dora": True, "use_rslora": True, "bias": "lora_only"},
    ),
    "one part": ("gpt2", "LoraConfig", {"target_modules": ["key"], "use_dora": True, "layers_to_transform": [1]}),
    "ranks and scales apart": (
        "gpt2",
        "LoraConfig",
        {
            "target_modules": ["query", "value", "up"],
            "rank_pattern": {"attention.query": 2},
            "alpha_pattern": {"attention.value": 3},
            "lora_bias": True,
        },
    ),
    "outputs": ("gpt2", "IA3Config", {"target_modules": ["query", "down"], "feedforward_modules": ["down"]}),
    "bert by ours": ("bert", "LoraConfig", {"target_modules": ["up", "out"], "modules_to_save": ["segment"]}),
    "marian by ours": ("marian", "LoraConfig", {"target_modules": ["cross_attention.value", "down"]}),
}


def randomize(model) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def write(model, folder: Path) -> None:
    """What a model with an adapter computes, and what it is when that is merged."""
    folder.mkdir(parents=True)
    ids = torch.arange(5, 17).view(2, 6)
    inputs = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        torch.save(model.eval()(input_ids=ids, **inputs)[0], folder / "logits.pt")
    model.merge_and_unload().save_pretrained(folder / "merged")


def run_on_stock(cases: dict, home: Path) -> None:
    """What each case's adapter does to stock's model. It is trained there unless its kind is None."""
    for name, (stock, base, kind, given) in cases.items():
        model = getattr(transformers, stock).from_pretrained(base)
        if kind is None:
            model = peft.PeftModel.from_pretrained(model, home / name / "adapter")
        else:
            model = peft.get_peft_model(model, getattr(peft, kind)(**given))
            randomize(model)
            model.save_pretrained(home / name / "adapter")
        write(model, home / name / "stock")


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("bases")
    for family, (stock, _, _) in FAMILIES.items():
        tiny_stock(getattr(transformers, stock)).save_pretrained(home / family)
    return {family: home / family for family in FAMILIES}


def ours(family: str, bases: dict[str, Path]) -> transformers.PreTrainedModel:
    return getattr(hf_xfmr, FAMILIES[family][1]).from_pretrained(bases[family])


def config(case: tuple[str, str, dict]) -> peft.PeftConfig:
    family, kind, given = case
    return getattr(peft, kind)(task_type=FAMILIES[family][2], **given)


def without_this_package(cases: dict, home: Path) -> None:
    """`run_on_stock` in a process where this package can't be imported."""
    code = "".join(inspect.getsource(function) for function in (randomize, write, run_on_stock))
    fresh_process(
        f"import json, peft, torch, transformers\nfrom pathlib import Path\n{code}\n"
        f"run_on_stock(json.loads({json.dumps(cases)!r}), Path({str(home)!r}))",
        without_package=True,
        timeout=300,
    )


def same(ours: Path, stock: Path) -> None:
    """Both computed the same, and merged into the same weights."""
    a, b = (torch.load(folder / "logits.pt") for folder in (ours, stock))
    assert (a - b).abs().max() < 2e-5
    merged, expected = (load_file(folder / "merged" / "model.safetensors") for folder in (ours, stock))
    assert merged.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (merged[name] - tensor).abs().max() <= 1e-6 * max(1, tensor.abs().max()), name


@pytest.fixture(scope="module")
def from_stock(bases, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("from_stock")
    cases = {
        name: (FAMILIES[family][0], str(bases[family]), kind, {"task_type": FAMILIES[family][2], **given})
        for name, (family, kind, given) in BY_STOCKS_NAMES.items()
    }
    without_this_package(cases, home)
    return home


@pytest.mark.parametrize("name", BY_STOCKS_NAMES)
def test_an_adapter_trained_on_stock_loads_here(name, bases, from_stock):
    family = BY_STOCKS_NAMES[name][0]
    model = peft.PeftModel.from_pretrained(ours(family, bases), from_stock / name / "adapter")
    write(model, from_stock / name / "ours")
    same(from_stock / name / "ours", from_stock / name / "stock")
    plain = ours(family, bases).state_dict()
    assert any((plain[key] - tensor).abs().max() > 1e-3 for key, tensor in model.get_base_model().state_dict().items())


@pytest.fixture(scope="module")
def from_here(bases, tmp_path_factory) -> Path:
    home, cases = tmp_path_factory.mktemp("from_here"), {**BY_STOCKS_NAMES, **BY_OURS}
    for name, case in cases.items():
        model = peft.get_peft_model(ours(case[0], bases), config(case))
        randomize(model)
        model.save_pretrained(home / name / "adapter")
        write(model, home / name / "ours")
    given = {name: (FAMILIES[family][0], str(bases[family]), None, {}) for name, (family, *_) in cases.items()}
    without_this_package(given, home)
    return home


@pytest.mark.parametrize("name", [*BY_STOCKS_NAMES, *BY_OURS])
def test_an_adapter_trained_here_loads_on_stock_and_again_here(name, bases, from_here):
    same(from_here / name / "ours", from_here / name / "stock")
    family = {**BY_STOCKS_NAMES, **BY_OURS}[name][0]
    again = peft.PeftModel.from_pretrained(ours(family, bases), from_here / name / "adapter")
    write(again, from_here / name / "again")
    same(from_here / name / "again", from_here / name / "ours")


@pytest.mark.parametrize("name", [name for name in BY_STOCKS_NAMES if name != "tokens"])
def test_the_file_is_the_one_stock_writes(name, from_stock, from_here):
    """Names, shapes and config; the numbers differ with the order in which they were drawn."""
    files = [home / name / "adapter" / "adapter_model.safetensors" for home in (from_stock, from_here)]
    shapes = [{key: tensor.shape for key, tensor in load_file(file).items()} for file in files]
    assert shapes[0] == shapes[1]
    there, here = (json.loads((file.parent / "adapter_config.json").read_text()) for file in files)
    for fields in (there, here):
        if isinstance(fields["target_modules"], list):
            fields["target_modules"].sort()
    changed = {key for key in there if there[key] != here[key]}
    assert changed <= {"fan_in_fan_out", "modules_to_save", "base_model_name_or_path"}


def test_three_inputs_are_one_matrix_of_three_times_the_rank(from_here):
    tensors = load_file(from_here / "three inputs" / "adapter" / "adapter_model.safetensors")
    a, b = (tensors[f"base_model.model.transformer.h.0.attn.c_attn.lora_{letter}.weight"] for letter in ("A", "B"))
    assert (a.shape, b.shape) == ((24, 32), (96, 24))
    assert b[:32, 8:].abs().max() == b[32:64, :8].abs().max() == b[64:, :16].abs().max() == 0
    fields = json.loads((from_here / "three inputs" / "adapter" / "adapter_config.json").read_text())
    assert fields["target_modules"] == ["c_attn"]
    assert fields["rank_pattern"] == {"attn.c_attn": 24}
