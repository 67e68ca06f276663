"""Models spread by `fully_shard` over processes that write texts: samples, translations, and scores of masked words."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
import transformers
import uneven_runs
from datasets import Dataset
from torch.distributed.fsdp import fully_shard

import hf_xfmr
from hf_xfmr import tokenizer
from hf_xfmr.tasks.language_modeling import run as language_model
from hf_xfmr.tasks.language_modeling.sampling import SampleCallback
from hf_xfmr.tasks.pretraining import run as pretraining
from hf_xfmr.tasks.translation.token_batches import TranslationCollator
from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
from hf_xfmr.tasks.translation.trainer import XfmrSeq2SeqArguments, XfmrSeq2SeqTrainer

TEXTS = ["a film of a town", "b", "the story is the story of a film", "music, and people", "time"]


def spread(model) -> None:
    mesh = dist.init_device_mesh("cpu", (dist.get_world_size(),))
    for module in [one for one in model.modules() if type(one).__name__.endswith("Block")]:
        fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=True)


def train(model, steps: int, **batch) -> None:
    """What was brought together for a step must not be what is written with after it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        model.train()(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def sample(is_main: bool) -> list[str]:
    """A sample before and one after some steps, as the recipe takes them."""
    words = language_model.for_documents(tokenizer.train(TEXTS, "char", model_max_length=32))
    torch.manual_seed(0)
    ends = {"bos_token_id": words.eos_token_id, "eos_token_id": words.eos_token_id}
    sizes = {"vocab_size": len(words), "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4}
    dropouts = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    model = hf_xfmr.XfmrGPT2ForCausalLM(hf_xfmr.XfmrGPT2Config(**sizes, **ends, **dropouts))
    batch = torch.tensor([words(TEXTS[0], add_special_tokens=False)["input_ids"]])
    callback = SampleCallback(words, "the ", 1)
    state = transformers.TrainerState(global_step=1, is_world_process_zero=is_main)
    if dist.is_initialized():
        spread(model)
    for _ in range(2):
        callback.on_step_end(SimpleNamespace(seed=0), state, None, model=model)
        train(model, 5, input_ids=batch, labels=batch)
    return [entry["sample"] for entry in state.log_history]


def translate(folder: Path) -> list[str]:
    """By two beams; the rows are fewer than a batch on each process has room for."""
    words = ends_texts(tokenizer.train(TEXTS, "char", vocab_size=400, model_max_length=48))
    pair = TokenizerPair(words, words)
    torch.manual_seed(0)
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in {"layers": 1, "attention_heads": 4, "ffn_dim": 48}.items()
    }
    special = {"pad_token_id": words.pad_token_id, "eos_token_id": words.eos_token_id}
    special |= {"bos_token_id": None, "decoder_start_token_id": words.pad_token_id}
    config = hf_xfmr.XfmrConfig(d_model=32, **sides, vocab_size=len(words), max_position_embeddings=48, **special)
    config.dropout = 0.0
    model = hf_xfmr.XfmrForConditionalGeneration(config)
    model.generation_config.update(num_beams=2, length_penalty=0.6, suppress_tokens=[words.pad_token_id])
    options = {"use_cpu": True, "bf16": False, "report_to": "none", "eval_strategy": "no", "learning_rate": 1e-3}
    args = XfmrSeq2SeqArguments(str(folder), per_device_eval_batch_size=2, remove_unused_columns=False, **options)
    ids = pair.source_ids(TEXTS)
    rows = Dataset.from_dict({"source": TEXTS, "target": TEXTS, "length": [len(row) for row in ids]})
    collate = TranslationCollator(pair)
    trainer = XfmrSeq2SeqTrainer(
        model, args, train_dataset=rows, data_collator=collate, tokenizers=pair, score=lambda *_: {}
    )
    if dist.is_initialized():
        spread(model)
    train(model, 60, **collate([{"input_ids": row, "labels": row} for row in ids]))
    return trainer.translations(rows)


def score() -> dict[str, float]:
    torch.manual_seed(0)
    model = hf_xfmr.XfmrBertForPreTraining(hf_xfmr.XfmrBertConfig(**uneven_runs.SIZES))
    rows = uneven_runs.masked(13, 0)
    if dist.is_initialized():
        spread(model)
    train(model, 1, **uneven_runs.pad(rows))
    return pretraining.evaluate(model, rows, uneven_runs.pad, batch_size=4)


def run(folder: Path, is_main: bool) -> dict:
    return {"samples": sample(is_main), "translations": translate(folder), "scores": score()}


if __name__ == "__main__":
    dist.init_process_group("gloo")
    rank = int(os.environ["RANK"])
    found = run(Path(sys.argv[2]), rank == 0)
    Path(sys.argv[2], f"found-{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()
