"""An adapter alone on a hub: pushed with its card, loaded there by a process with stock and PEFT, asked by its name."""

import importlib
import json
import re
import shutil

import pytest
import small_adapters
from huggingface_hub import ModelCard
from oracles import fresh_process
from small_adapters import RECIPES, words
from test_hub import checkpoint, hub, reviews, train  # noqa: F401  fixtures

from hf_xfmr.errors import UserError
from hf_xfmr.hub.adapter_card import hub_base
from hf_xfmr.hub.push import push
from hf_xfmr.predict import predict

pytest.importorskip("peft")


@pytest.mark.slow
def test_an_adapter_is_pushed_alone_and_loads_with_stock_and_peft(hub, checkpoint, tmp_path, capsys):  # noqa: F811
    push(checkpoint, "alice/base")
    train(reviews(tmp_path / "data.csv"), str(checkpoint), tmp_path / "run", "--lora_rank", "2", "--max_steps", "4")
    folder = tmp_path / "run" / "adapter"
    with pytest.raises(UserError, match=r"which nobody else has: push that model first, .* --base_model OWNER/NAME"):
        push(folder, "alice/tuned")
    capsys.readouterr()
    commit = push(folder, "alice/tuned", base_model="alice/base", license="mit")
    assert "PeftModel.from_pretrained(AutoModelForSequenceClassification of alice/base" in capsys.readouterr().out
    there = hub.files("alice/tuned", commit)
    assert there["adapter_model.safetensors"] == (folder / "adapter_model.safetensors").read_bytes()
    assert json.loads(there["adapter_config.json"])["base_model_name_or_path"] == "alice/base"
    assert not {"model.safetensors", "bert.py", "run.json"} & there.keys()
    text = there["README.md"].decode()
    data = ModelCard(text).data
    assert (data.library_name, data.base_model, data.license) == ("peft", "alice/base", "mit")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    results = {one.metric_name: one.metric_value for one in data.eval_results}
    assert results["accuracy"] == pytest.approx(report["headline"]["accuracy"]["value"], abs=1e-6)
    assert 'PeftModel.from_pretrained(model, "alice/tuned")' in text
    assert str(tmp_path) not in text
    # By its name on the hub, base and adapter both from there.
    importlib.import_module("hf_xfmr.run.loading").is_adapter_on_hub.cache_clear()
    (local,), (remote,) = (list(predict(name, ["the good film"])) for name in (str(tmp_path / "run"), "alice/tuned"))
    assert remote["probability"] == pytest.approx(local["probability"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "tag", "translate"])
def test_what_the_card_says_loads_the_adapter_of_every_kind(hub, name, tmp_path):  # noqa: F811
    root = small_adapters.make(tmp_path)
    module, begins, *_ = RECIPES[name]
    push(root / begins, "alice/base")
    flags = ["--lora_merge", "false", "--language", "zh"]
    module.main(words(name, root, root / "run", *flags))
    push(root / "run" / "adapter", f"alice/{name}", base_model="alice/base")  # and there it is loaded with stock
    text = hub.files(f"alice/{name}")["README.md"].decode()
    assert "## 如何加载" in text
    assert "How to load it" not in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    online = "import os\nos.environ['HF_HUB_OFFLINE'] = '0'\n"
    end = "\nprint(type(model).__name__, model.peft_config['default'].r)"
    said = fresh_process(online + code + end, without_package=True)
    kinds = {"gpt2": "CausalLM", "tag": "TokenClassification", "translate": "Seq2SeqLM"}
    assert said.split()[-2:] == [f"PeftModelFor{kinds[name]}", "2"]


def test_a_model_has_no_base_and_half_an_adapter_is_told(hub, checkpoint, tmp_path):  # noqa: F811
    with pytest.raises(UserError, match="--base_model is for an adapter's folder"):
        push(checkpoint, "alice/model", base_model="alice/base")
    shutil.copytree(checkpoint, tmp_path / "half")
    (tmp_path / "half" / "model.safetensors").unlink()
    (tmp_path / "half" / "adapter_config.json").write_text('{"base_model_name_or_path": "alice/base"}')
    with pytest.raises(UserError, match=r"holds no adapter_model\.safetensors"):
        push(tmp_path / "half", "alice/half")


def test_a_base_that_the_hub_knows_without_an_owner_is_one(tmp_path):
    for base, known in (("gpt2", "gpt2"), ("openai-community/gpt2", "openai-community/gpt2"), (str(tmp_path), None)):
        (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
        assert hub_base(tmp_path) == known
