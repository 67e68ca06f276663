"""Libraries that people use beside transformers, each once for real on our classes."""

import copy
import importlib
import json

import pytest
import torch
from datasets import Dataset
from oracles import fresh_process, same_as_stock, same_to_rounding, tiny_stock, twin
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from transformers import (
    BertForSequenceClassification,
    BertModel,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
)

import hf_xfmr
from hf_xfmr import tokenizer

TEXTS = [f"{word} film number {n}, and a story" for n in range(6) for word in ("good", "bad", "long", "new")]


def bert() -> hf_xfmr.XfmrBertForSequenceClassification:
    return twin(hf_xfmr.XfmrBertForSequenceClassification, tiny_stock(BertForSequenceClassification))


def gpt2(**config) -> hf_xfmr.XfmrGPT2ForCausalLM:
    return twin(hf_xfmr.XfmrGPT2ForCausalLM, tiny_stock(GPT2LMHeadModel, **config))


def rows(n: int = 16) -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    return [
        {"input_ids": torch.randint(5, 90, (8,), generator=generator), "labels": torch.tensor(i % 2)} for i in range(n)
    ]


def test_peft_lora_trains_saves_merges_and_loads(tmp_path):
    peft = pytest.importorskip("peft")
    base = bert()
    model = peft.get_peft_model(
        copy.deepcopy(base), peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    )
    args = TrainingArguments(tmp_path / "run", max_steps=5, learning_rate=1e-2, use_cpu=True, disable_tqdm=True)
    Trainer(model, args, train_dataset=rows()).train()
    model.eval().save_pretrained(tmp_path / "adapter")
    ids = torch.stack([row["input_ids"] for row in rows()])
    with torch.no_grad():
        expected = model(ids).logits
        assert (expected - base(ids).logits).abs().max() > 1e-3
        again = peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path / "adapter").eval()
        kept, loaded = (peft.get_peft_model_state_dict(one) for one in (model, again))
        assert kept
        assert all(torch.equal(kept[name], loaded[name]) for name in kept)
        same_to_rounding(again(ids).logits, expected)
        merged = again.merge_and_unload()
        same_to_rounding(merged(ids).logits, expected)
        merged.save_pretrained(tmp_path / "merged")
        stock = BertForSequenceClassification.from_pretrained(tmp_path / "merged").eval()
        same_as_stock(stock(ids).logits, expected)


def test_accelerate_alone_trains():
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = bert()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model, optimizer, loader = accelerator.prepare(model, optimizer, DataLoader(rows(), batch_size=4))
    losses = []
    for _ in range(8):
        for batch in loader:
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])


def test_sentence_transformers_embeds_and_trains(tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    words = tokenizer.train(TEXTS, "wordpiece", model_max_length=40, vocab_size=200)
    stock = tiny_stock(BertModel, vocab_size=len(words), pad_token_id=words.pad_token_id)
    stock.save_pretrained(tmp_path / "stock")
    twin(hf_xfmr.XfmrBertModel, stock).save_pretrained(tmp_path / "ours")
    embeddings = {}
    for side in ("stock", "ours"):
        words.save_pretrained(tmp_path / side)
        model = sentence_transformers.SentenceTransformer(str(tmp_path / side), device="cpu")
        embeddings[side] = model.encode(TEXTS, show_progress_bar=False)
    assert isinstance(model[0].auto_model, hf_xfmr.XfmrBertModel)
    assert abs(embeddings["stock"] - embeddings["ours"]).max() < 1e-4
    data = Dataset.from_dict({"anchor": TEXTS, "positive": list(reversed(TEXTS))})
    args = sentence_transformers.SentenceTransformerTrainingArguments(
        str(tmp_path / "run"), max_steps=2, use_cpu=True, disable_tqdm=True, bf16=False
    )
    loss = importlib.import_module("sentence_transformers.losses").MultipleNegativesRankingLoss(model)
    sentence_transformers.SentenceTransformerTrainer(model, args, train_dataset=data, loss=loss).train()
    model.save_pretrained(str(tmp_path / "trained"))
    again = sentence_transformers.SentenceTransformer(str(tmp_path / "trained"), device="cpu")
    same_to_rounding(
        again.encode(TEXTS, convert_to_tensor=True, show_progress_bar=False),
        model.encode(TEXTS, convert_to_tensor=True, show_progress_bar=False),
    )


def test_trl_sft_trains_our_gpt2(tmp_path):
    trl = pytest.importorskip("trl")
    words = tokenizer.train(TEXTS, "bpe", model_max_length=40, vocab_size=300)
    stock = tiny_stock(GPT2LMHeadModel, vocab_size=len(words), eos_token_id=words.eos_token_id)
    losses = {}
    for side, model in (("stock", copy.deepcopy(stock)), ("ours", twin(hf_xfmr.XfmrGPT2ForCausalLM, stock))):
        args = trl.SFTConfig(
            str(tmp_path / side),
            max_steps=3,
            per_device_train_batch_size=4,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            disable_tqdm=True,
            report_to="none",
        )
        data = Dataset.from_dict({"text": TEXTS})
        trainer = trl.SFTTrainer(model, args=args, train_dataset=data, processing_class=words)
        trainer.train()
        losses[side] = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    # 4 rows of 9 tokens: Trainer divides stock's loss by all of them, though a row's first is not predicted
    assert losses["ours"] == pytest.approx([loss * 9 / 8 for loss in losses["stock"]], abs=1e-3)


def test_continuous_batching_and_assisted_generation():
    """Continuous batching against stock's own tokens is in test_gpt2_generation.py."""
    model = gpt2()
    prompts = [[5, 6, 7, 8], [9, 10]]
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 98, "eos_token_id": 98}
    alone = [model.generate(torch.tensor([p]), **options)[0, len(p) :].tolist() for p in prompts]
    assisted = model.generate(torch.tensor([prompts[0]]), assistant_model=gpt2(n_layer=1), **options)
    assert assisted[0, 4:].tolist() == alone[0]


@pytest.mark.parametrize("make", [bert, gpt2])
def test_torchao_dynamic_int8(make):
    torchao = pytest.importorskip("torchao")
    quantization = importlib.import_module("torchao.quantization")
    model = make()
    ids = torch.stack([row["input_ids"] for row in rows()])
    with torch.no_grad():
        expected = model(ids).logits
        quantization.quantize_(model, quantization.Int8DynamicActivationInt8WeightConfig())
        got = model(ids).logits
    assert torchao.__version__
    assert type(next(m for m in model.modules() if isinstance(m, torch.nn.Linear)).weight).__name__ != "Parameter"
    assert 0 < (got - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize("make", [bert, gpt2])
def test_torch_compile_gives_the_same(make):
    model = make()
    ids, mask = torch.stack([row["input_ids"] for row in rows(4)]), torch.ones(4, 8, dtype=torch.int64)
    mask[1, 5:] = 0
    with torch.no_grad():
        expected = model(ids, attention_mask=mask, use_cache=False).logits
        got = torch.compile(model, backend="aot_eager", fullgraph=True)(
            ids, attention_mask=mask, use_cache=False
        ).logits
    if got.dim() == 3:  # of every token: those that are not padding
        got, expected = got[mask.bool()], expected[mask.bool()]
    same_to_rounding(got, expected)


@pytest.mark.parametrize("make", [bert, gpt2])
def test_torch_export_gives_the_same_at_another_length(make):
    model = make()
    ids, mask = torch.stack([row["input_ids"] for row in rows(4)]), torch.ones(4, 8, dtype=torch.int64)
    mask[1, 5:] = 0
    model.config.use_cache = False
    inputs = {"input_ids": ids, "attention_mask": mask}
    shapes = {name: {1: torch.export.Dim.AUTO} for name in inputs}
    program = torch.export.export(model, (), inputs, strict=False, dynamic_shapes=shapes)
    for cut in (8, 6):
        given = {name: value[:, :cut] for name, value in inputs.items()}
        with torch.no_grad():
            expected, got = model(**given).logits, program.module()(**given).logits
        real = given["attention_mask"].bool()
        if got.dim() == 3:
            got, expected = got[real], expected[real]
        same_to_rounding(got, expected)


def test_safetensors_alone_reads_what_we_save(tmp_path):
    bert().save_pretrained(tmp_path)
    names = sorted(load_file(tmp_path / "model.safetensors"))
    assert names == sorted(tiny_stock(BertForSequenceClassification).state_dict())
    printed = fresh_process(
        "import json, safetensors.torch, sys\n"
        f"print(json.dumps(sorted(safetensors.torch.load_file({str(tmp_path / 'model.safetensors')!r}))))\n"
        "assert 'transformers' not in sys.modules",
        without_package=True,
    )
    assert json.loads(printed.splitlines()[-1]) == names
