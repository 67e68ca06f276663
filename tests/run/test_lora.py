"""LoRA in every recipe: exact, left as an adapter that others load, asked by its folder, and gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import finetune_gpt2
import pytest
import small_adapters
import small_checkpoints
import torch
import transformers
from oracles import tensors
from places import ROOT
from small_adapters import RECIPES, as_settings, words
from small_checkpoints import said

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.predict import predict
from hf_xfmr.run import adapter, lora

peft = pytest.importorskip("peft")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    return small_adapters.make(tmp_path_factory.mktemp("checkpoints"))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_leaves_an_adapter_that_answers_and_that_stock_loads(name, checkpoints, tmp_path):
    """Called from Python, whose run answers by the merged model."""
    _, begins, _, ask = RECIPES[name]
    run = getattr(hf_xfmr, name)(**as_settings(words(name, checkpoints, tmp_path / "run")))
    answers = {"gpt2": "generate", "pretrain": "fill", "translate": "translate"}
    assert len(getattr(run, answers.get(name, "predict"))(["good [MASK]"])) >= 1
    folder = tmp_path / "run" / "adapter"
    assert (folder / "adapter_model.safetensors").stat().st_size < (tmp_path / "run/model.safetensors").stat().st_size
    assert list(ask(str(folder))) == list(ask(str(tmp_path / "run")))
    # Stock with PEFT, on the base model with the labels that lie beside the adapter.
    config = transformers.AutoConfig.from_pretrained(folder)
    stock_class = getattr(transformers, config.architectures[0])
    base = stock_class.from_pretrained(checkpoints / begins, config=config)
    with torch.no_grad():
        stock = peft.PeftModel.from_pretrained(base, folder).eval()
        inputs = {"input_ids": torch.arange(5, 15)[None]}
        inputs |= {"decoder_input_ids": torch.arange(6, 12)[None]} if name == "translate" else {}
        merged = stock_class.from_pretrained(tmp_path / "run").eval()
        assert torch.allclose(stock(**inputs)[0], merged(**inputs)[0], atol=1e-5)
    before = {key.removeprefix("bert."): value for key, value in tensors(checkpoints / begins).items()}
    after = {key.removeprefix("bert."): value for key, value in tensors(tmp_path / "run").items()}
    changed = {key for key, value in before.items() if key in after and not value.equal(after[key])}
    assert changed
    assert all(any(word in key for word in ("query", "key", "value", "c_attn", "_proj")) for key in changed), changed


EXACT = {  # our class, stock's, the checkpoint, what is targeted, PEFT's task
    "classify": ("ForSequenceClassification", "classifier", ("query", "key", "value"), "SEQ_CLS"),
    "tag": ("ForTokenClassification", "tagger", ("query", "key", "value"), "TOKEN_CLS"),
    "pretrain": ("ForMaskedLM", "masked", ("query", "key", "value"), None),
    "gpt2": ("GPT2LMHeadModel", "gpt2", ("c_attn",), "CAUSAL_LM"),
    "translate": ("MarianMTModel", "transformer", ("q_proj", "k_proj", "v_proj"), "SEQ_2_SEQ_LM"),
}


@pytest.mark.parametrize("name", EXACT)
def test_losses_of_a_padded_batch_are_those_of_stock_with_peft(name, checkpoints, tmp_path):
    """In training mode, over steps of an optimizer that move updates and heads; padding on either side in turn."""
    stock_name, folder, targets, task = EXACT[name]
    stock_class = getattr(transformers, f"Bert{stock_name}" if stock_name.startswith("For") else stock_name)
    our_class = getattr(hf_xfmr, small_checkpoints.CLASSES[folder])
    dropout = [field for field in vars(our_class.config_class()) if "drop" in field and "layer" not in field]
    none = dict.fromkeys(dropout, 0.0)
    settings = SimpleNamespace(model="x", lora_rank=2, lora_alpha=16, lora_dropout=0.0)
    base = our_class.from_pretrained(checkpoints / folder, **none)
    torch.manual_seed(1)
    ours = lora.adapt(base, settings, targets=targets, task=task)
    adapter.save(ours, None, tmp_path)
    stock = peft.PeftModel.from_pretrained(
        stock_class.from_pretrained(
            checkpoints / folder, config=transformers.AutoConfig.from_pretrained(tmp_path / "adapter")
        ),
        tmp_path / "adapter",
        is_trainable=True,
    )
    assert sum(p.numel() for p in ours.parameters() if p.requires_grad) == sum(
        p.numel() for p in stock.parameters() if p.requires_grad
    )
    ids = torch.randint(5, 30, (4, 12))
    right = (torch.arange(12) < torch.tensor([12, 3, 7, 5])[:, None]).long()
    batches = []
    left = right if name == "classify" else right.flip(1)  # there stock pools the first place, which is padding
    for mask in (right, left):
        labels = {"classify": torch.tensor([0, 1, 1, 0])}.get(
            name, torch.where(mask == 1, ids % 2 if name == "tag" else ids, -100)
        )
        batches.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
        if name == "gpt2":  # where stock counts places from the padding on, and predicts the first word from it
            batches[-1]["position_ids"] = (mask.cumsum(1) - 1).clamp(0)
            batches[-1]["labels"] = labels.where(batches[-1]["position_ids"] > 0, -100)
    losses, halves = {}, {}
    for model in (ours, stock):
        model.train()
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
        losses[model] = []
        for step in range(6):
            loss = model(**batches[step % 2]).loss
            losses[model].append(float(loss))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.autocast("cpu", torch.bfloat16):
            halves[model] = [float(model(**batch).loss) for batch in batches]
    assert losses[ours] == pytest.approx(losses[stock], rel=1e-5)
    assert abs(losses[ours][-2] - losses[ours][0]) > 1e-4  # several times what they may differ
    assert halves[ours] == pytest.approx(halves[stock], rel=1e-2)  # bfloat16 has three digits


KILLED = """
import os, signal, sys
from transformers import TrainerCallback
from hf_xfmr.training import XfmrTrainer
class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
init = XfmrTrainer.__init__
def watched(self, *args, **kwargs):
    init(self, *args, **kwargs)
    self.add_callback(Kill())
XfmrTrainer.__init__ = watched
name = sys.argv.pop(1)
sys.path.insert(0, sys.argv.pop(1))
__import__(name).main(sys.argv[1:])
"""


# With an input that query, key and value share, and with a new head.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "tag"])
def test_a_run_that_was_killed_ends_with_the_same_bits(name, checkpoints, tmp_path):
    module = RECIPES[name][0]
    flags = words(name, checkpoints, tmp_path / "killed")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, module.__name__, str(ROOT / "recipes"), *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    saved = tmp_path / "killed" / "checkpoint-2"
    assert (saved / "adapter_model.safetensors").exists()
    assert not (saved / "model.safetensors").exists()
    module.main(flags)
    module.main(words(name, checkpoints, tmp_path / "whole"))
    for folder in ("checkpoint-4", "adapter"):
        one, other = tensors(tmp_path / "killed" / folder), tensors(tmp_path / "whole" / folder)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    states = [torch.load(tmp_path / run / "checkpoint-4" / "optimizer.pt")["state"] for run in ("killed", "whole")]
    assert all(torch.equal(states[0][i]["exp_avg"], states[1][i]["exp_avg"]) for i in states[1])


@pytest.fixture(scope="module")
def alone(checkpoints, tmp_path_factory):
    """A run from Python that left the adapter alone."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    return hf_xfmr.classify(
        str(checkpoints / "reviews.csv"),
        model=str(checkpoints / "base"),
        output_dir=str(folder),
        lora_rank=2,
        lora_merge=False,
        baseline=False,
        bf16=False,
        max_steps=2,
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def test_an_adapter_alone_is_left_if_that_is_asked_for(alone):
    assert not list(alone.folder.glob("*.safetensors"))
    assert not (alone.folder / "config.json").exists()
    assert {"run.json", "report.html", "adapter"} <= {path.name for path in alone.folder.iterdir()}
    frame = alone.predict(["good film", "bad film"])
    assert set(frame["label"]) <= {"pos", "neg"}
    for folder in (alone.folder, alone.folder / "adapter"):
        answers = list(predict(str(folder), ["good film", "bad film"]))
        assert [one["probability"] for one in answers] == frame["probability"].tolist()
    again = hf_xfmr.load_run(alone.folder)
    assert again.predict(["good film"])["label"][0] == frame["label"][0]


def test_an_adapter_of_peft_s_own_form_answers_too(alone, tmp_path):
    """As stock's scripts save it: no config beside it, no tokenizer; the number of labels is that of its head."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(alone.folder / "adapter" / name, tmp_path)
    (there,), (here,) = (list(predict(str(folder), ["good film"])) for folder in (alone.folder, tmp_path))
    assert here["probability"] == there["probability"]
    assert here["label"] == {"neg": "LABEL_0", "pos": "LABEL_1"}[there["label"]]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (None, "names no base model: write its folder or its name on the Hub as base_model_name_or_path into "),
        ("/nowhere/model", "is an adapter of the model /nowhere/model, which can't be had (there is no folder"),
        ("gpt2", ", and so does the adapter "),
        ("wide", "can't be loaded on "),
        ("deep", "which nothing in "),
    ],
)
def test_a_base_that_is_not_there_or_another_is_one_sentence(alone, checkpoints, tmp_path, capsys, base, message):
    folder = tmp_path / "adapter"
    shutil.copytree(alone.folder / "adapter", folder)
    fields = json.loads((folder / "adapter_config.json").read_text())
    sizes = {"wide": {"hidden_size": 32}, "deep": {"num_hidden_layers": 1}}.get(base)
    if sizes:
        config = hf_xfmr.XfmrBertConfig(**{**small_checkpoints.BERT, **sizes})
        hf_xfmr.XfmrBertModel(config).save_pretrained(tmp_path / base)
        (folder / "config.json").unlink()
        base = str(tmp_path / base)
    elif base == "gpt2":
        base = str(checkpoints / "gpt2")
    (folder / "adapter_config.json").write_text(json.dumps(fields | {"base_model_name_or_path": base}))
    line = said(capsys, lambda: list(predict(str(folder), ["good film"])))
    assert line.startswith("error: model: ")
    assert message in line


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("tag", ["--model", "null", "--model_config", "{hidden_size: 16}"], "lora_rank needs a checkpoint"),
        ("gpt2", ["--lora_rank", "null", "--lora_merge", "false"], "lora_merge says what becomes of a LoRA adapter"),
        ("translate", ["--average_checkpoints", "2"], "average_checkpoints is for whole models, not for lora_rank"),
        ("pretrain", ["--lora_dropout", "1"], "lora_dropout is 1.0; it must be at least 0 and less than 1"),
    ],
)
def test_what_can_t_be_is_refused_before_anything_is_read(checkpoints, tmp_path, name, flags, message):
    with pytest.raises(UserError, match=message):
        RECIPES[name][0].main(words(name, checkpoints, tmp_path / "run", *flags))


def test_an_adapter_that_nobody_else_could_load_is_refused_before_it_is_trained(checkpoints, tmp_path):
    flags = ["--lora_merge", "false", "--push_to_hub", "true", "--hub_model_id", "alice/tuned"]
    with pytest.raises(UserError, match=r"push_to_hub would send an adapter of .*base, which nobody else has"):
        RECIPES["tag"][0].main(words("tag", checkpoints, tmp_path / "run", *flags))
    assert not (tmp_path / "run").exists()


def test_new_words_are_not_left_untrained(checkpoints, tmp_path):
    folder = tmp_path / "grown"
    shutil.copytree(checkpoints / "gpt2", folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["cinema"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(
        UserError, match=r"has 1 tokens that .* has not, whose embeddings lora_rank would leave untrained"
    ):
        finetune_gpt2.main(words("gpt2", checkpoints, tmp_path / "run", "--model", str(folder)))
