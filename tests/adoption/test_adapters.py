"""Adapters under `adopt()`: whoever saves one, its folder is the one that stock's classes leave, and loads."""

import json

import peft
import pytest
import torch
import transformers
from accelerate import Accelerator
from datasets import Dataset
from oracles import same_to_rounding, tiny_stock
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, Trainer, TrainingArguments

import hf_xfmr
from hf_xfmr import tokenizer

TEXTS = [f"{word} film number {n}, and a story" for n in range(6) for word in ("good", "bad", "long", "new")]
IDS = torch.arange(5, 25).view(4, 5)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    home = tmp_path_factory.mktemp("bases")
    words = tokenizer.train(TEXTS, "bpe", model_max_length=40, vocab_size=300)
    special = {"bos_token_id": words.eos_token_id, "eos_token_id": words.eos_token_id, "vocab_size": len(words)}
    tiny_stock(transformers.GPT2LMHeadModel, **special).save_pretrained(home / "gpt2")
    words.save_pretrained(home / "gpt2")
    tiny_stock(transformers.BertForSequenceClassification).save_pretrained(home / "bert")
    return home


@pytest.fixture
def adopted():
    yield hf_xfmr.adopt
    hf_xfmr.release()


def options(folder, **given) -> dict:
    return {
        "output_dir": str(folder),
        "max_steps": 3,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
        "report_to": "none",
        **given,
    }


def beginning(model):
    """The same start on both sides: of B's zeros, and of A's numbers drawn in order."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def lora(task_type: str, **given) -> peft.LoraConfig:
    return peft.LoraConfig(task_type=task_type, r=4, lora_dropout=0.0, **given)


def by_trainer(bases, folder):
    """Trainer on a model that PEFT wraps, as `trainer.save_model()` and its checkpoints save it."""
    model = AutoModelForCausalLM.from_pretrained(bases / "gpt2")
    model = beginning(peft.get_peft_model(model, lora("CAUSAL_LM")))
    rows = [{"input_ids": row, "labels": row} for row in IDS]
    trainer = Trainer(model, TrainingArguments(**options(folder)), train_dataset=rows)
    trainer.train()
    trainer.save_model()
    return model, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def by_transformers(bases, folder):
    """Trainer on a model to which transformers itself added the adapter."""
    model = AutoModelForSequenceClassification.from_pretrained(bases / "bert")
    model.add_adapter(peft.LoraConfig(r=4, target_modules=["query", "dense"], modules_to_save=["classifier"]))
    rows = [{"input_ids": row, "labels": torch.tensor(n % 2)} for n, row in enumerate(IDS)]
    trainer = Trainer(beginning(model), TrainingArguments(**options(folder)), train_dataset=rows)
    trainer.train()
    trainer.save_model()
    return model, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def by_accelerate(bases, folder):
    accelerator = Accelerator(cpu=True)
    model = AutoModelForSequenceClassification.from_pretrained(bases / "bert")
    model = beginning(peft.get_peft_model(model, lora("SEQ_CLS", target_modules=["dense"])))
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-2))
    losses = []
    for _ in range(3):
        loss = model(IDS, labels=torch.tensor([0, 1, 0, 1])).loss
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    accelerator.unwrap_model(model).save_pretrained(
        folder, save_function=accelerator.save, state_dict=accelerator.get_state_dict(model)
    )
    return model, losses


def by_trl(bases, folder):
    trl = pytest.importorskip("trl")
    args = trl.SFTConfig(**options(folder, gradient_checkpointing=False, per_device_train_batch_size=4))
    trainer = trl.SFTTrainer(
        str(bases / "gpt2"),
        args=args,
        train_dataset=Dataset.from_dict({"text": TEXTS}),
        peft_config=lora("CAUSAL_LM", target_modules=["c_attn", "c_proj"]),
    )
    trainer.train()
    trainer.save_model()
    return trainer.model, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("save", [by_trainer, by_transformers, by_accelerate, by_trl])
def test_the_folder_is_stocks_and_loads(save, bases, tmp_path, adopted):
    auto = AutoModelForSequenceClassification if save in (by_transformers, by_accelerate) else AutoModelForCausalLM
    _, losses = save(bases, tmp_path / "stock")
    adopted()
    model, ours = save(bases, tmp_path / "ours")
    assert type(model.get_base_model() if hasattr(model, "get_base_model") else model).__module__ == "hf_xfmr.adoption"
    if save is not by_trl:  # whose loss is divided by the first word of a row too, which is not predicted
        assert ours == pytest.approx(losses, abs=1e-4)
    files = [{path.relative_to(tmp_path / side) for path in (tmp_path / side).rglob("*")} for side in ("stock", "ours")]
    assert files[0] == files[1]
    assert not (tmp_path / "ours" / "config.json").exists()
    configs = [json.loads((tmp_path / side / "adapter_config.json").read_text()) for side in ("stock", "ours")]
    for config in configs:
        config["target_modules"].sort()
    configs[0]["fan_in_fan_out"] = configs[1]["fan_in_fan_out"]
    assert configs[0] == configs[1]
    with torch.no_grad():
        expected = model.eval()(input_ids=IDS).logits
        loaded = auto.from_pretrained(tmp_path / "ours").eval()
        assert type(loaded).__module__ == "hf_xfmr.adoption"
        assert torch.equal(loaded(input_ids=IDS).logits, expected)
        hf_xfmr.release()
        same_to_rounding(auto.from_pretrained(tmp_path / "ours").eval()(input_ids=IDS).logits, expected, floor=1e-5)
