"""`import hf_xfmr` imports nothing heavy, and transformers knows our classes all the same."""

import subprocess
import sys

import pytest

import hf_xfmr

SMALL = "num_hidden_layers=1, hidden_size=8, num_attention_heads=2, intermediate_size=8"


def python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_no_torch():
    assert python("import hf_xfmr, sys; print('torch' in sys.modules, 'transformers' in sys.modules)") == "False False"


@pytest.mark.parametrize(
    "first",
    [
        "import hf_xfmr, transformers",
        pytest.param("import transformers.modeling_utils, hf_xfmr", marks=pytest.mark.slow),
    ],
)
def test_auto_classes_give_ours_whichever_is_imported_first(first, tmp_path):
    print_class = f"""
{first}
from transformers import AutoConfig, AutoModelForMaskedLM
config = AutoConfig.for_model("xfmr_bert", {SMALL})
AutoModelForMaskedLM.from_config(config).save_pretrained({str(tmp_path)!r})
print(type(AutoModelForMaskedLM.from_pretrained({str(tmp_path)!r})) is hf_xfmr.XfmrBertForMaskedLM)
"""
    assert python(print_class) == "True"


def test_the_pipeline_is_known_and_a_wrong_name_is_an_attribute_error():
    known = "'xfmr-translation' in PIPELINE_REGISTRY.get_supported_tasks()"
    assert python(f"import hf_xfmr; from transformers.pipelines import PIPELINE_REGISTRY; print({known})") == "True"
    with pytest.raises(AttributeError, match="XfmrBertForNothing"):
        hf_xfmr.XfmrBertForNothing  # noqa: B018


@pytest.mark.slow
def test_names_are_entered_in_peft_though_somebody_asked_before_whether_there_is_one():
    asked = "import hf_xfmr, importlib.util; importlib.util.find_spec('peft'); import peft, peft.utils.constants as c"
    assert python(f"{asked}; print(c.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING['xfmr_gpt2'])") == "['c_attn']"


@pytest.mark.slow
def test_another_peft_is_imported_all_the_same():
    other = (
        "import hf_xfmr, sys; sys.modules['hf_xfmr.adapters.hooks'] = None; import peft; print(peft.PeftModel.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "PeftModel", done.stderr
    assert "is not the version that hf_xfmr knows" in done.stderr
