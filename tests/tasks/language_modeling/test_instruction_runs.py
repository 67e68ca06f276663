"""A run on prompts with answers from its first line to the answers of `generate --template`, as a user sees it."""

import json
from pathlib import Path

import finetune_gpt2
import pytest
import torch
from oracles import tensors
from test_generate import answers
from transformers import GPT2LMHeadModel, pipeline

import hf_xfmr
from hf_xfmr import tokenizer
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.language_modeling.generator import Generator

FAST = ["--per_device_train_batch_size", "4", "--bf16", "false", "--disable_tqdm", "true", "--sample_every", "0"]
FAST += ["--packing", "none", "--learning_rate", "3e-3", "--report_to", "none"]
COUNTS = [
    {"instruction": "数到", "input": str(n % 9), "output": "".join(map(str, range(n % 9 + 1)))} for n in range(60)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A checkpoint with a character tokenizer, a table of instructions, and a run on it."""
    home = tmp_path_factory.mktemp("instructions")
    text = "数到0123456789 ### 系统：指令：回答：\n"
    own = tokenizer.train([text], "char", model_max_length=64)
    own.save_pretrained(home / "base")
    sizes = {"vocab_size": len(own), "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    torch.manual_seed(0)
    config = hf_xfmr.XfmrGPT2Config(**sizes, bos_token_id=own.eos_token_id, eos_token_id=own.eos_token_id)
    hf_xfmr.XfmrGPT2ForCausalLM(config).save_pretrained(home / "base")
    rows = [json.dumps({**row, "instruction": f"{row['instruction']}"}, ensure_ascii=False) for row in COUNTS]
    (home / "train.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (home / "test.jsonl").write_text("\n".join(rows[:30]), encoding="utf-8")
    train(home, "run", "--num_train_epochs", "3")
    return home


def train(home: Path, name: str, *flags: str) -> dict:
    folder = home / "data"
    if not folder.exists():
        folder.mkdir()
        for split in ("train", "test"):
            (folder / f"{split}.jsonl").write_bytes((home / f"{split}.jsonl").read_bytes())
    given = ["--dataset", str(folder), "--model", str(home / "base"), "--output_dir", str(home / name), *FAST, *flags]
    return finetune_gpt2.main([*given, "--validation_fraction", "0", "--eval_strategy", "no"])


def test_the_report_has_a_verdict_against_the_model_before_and_answers_beside_references(home):
    run = json.loads((home / "run" / "run.json").read_text())
    rivals = {one["kind"]: one["outcome"] for one in run["verdict"]["claim"]["rivals"]}
    assert rivals["before"] == "better"
    assert "the same model before it was trained gets" in run["verdict"]["sentence"].lower()
    assert len(run["completions"]) == 10
    assert run["completions"][3]["prompt"] == "数到\n\n3"
    assert run["completions"][3]["reference"] == "0123"
    page = (home / "run" / "report.html").read_text()
    assert 'id="completions"' in page
    assert "0123" in page
    assert run["metrics"]["test"]["tokens"] == sum(len(row["output"]) + 1 for row in COUNTS[:30])


def test_generate_writes_the_template_and_gives_the_answer_alone(home, tmp_path, capsys):
    run = str(home / "run")
    prompt = "数到\n\n5"
    options = ["--temperature", "0", "--max_new_tokens", "12"]
    streamed = answers(capsys, run, prompt, "--template", *options).rstrip("\n")
    file = tmp_path / "asked.jsonl"
    messages = [{"role": "user", "content": prompt}]
    file.write_text(json.dumps({"messages": messages}) + "\n" + json.dumps({"prompt": prompt}) + "\n")
    first, second = map(json.loads, answers(capsys, run, "--file", str(file), "--template", *options).splitlines())
    assert first == {"messages": messages, "text": streamed}
    assert second == {"prompt": prompt, "text": streamed}
    begun = f"### 指令：\n{prompt}\n\n### 回答：\n"
    assert Generator(run).asked(messages) == begun
    whole = json.loads(answers(capsys, run, begun, begun, *options).splitlines()[0])
    assert whole["text"] == begun + streamed
    loaded = hf_xfmr.load_run(run)
    found = loaded.generate([prompt, messages], template=True, temperature=0, max_new_tokens=12)
    assert list(found["text"]) == [streamed] * 2


def test_stock_s_pipeline_reads_the_template_from_the_folder(home):
    theirs = GPT2LMHeadModel.from_pretrained(home / "run")
    writer = pipeline("text-generation", theirs, tokenizer=Generator(str(home / "run")).tokenizer)
    asked = [{"role": "user", "content": "数到\n\n5"}]
    said = writer(asked, max_new_tokens=12, do_sample=False)[0]["generated_text"][-1]
    ours = Generator(str(home / "run"), max_new_tokens=12, do_sample=False)
    assert said["role"] == "assistant"
    assert said["content"] == ours([ours.asked(asked)], alone=True)[0]


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(home):
    options = ["--max_steps", "6", "--save_strategy", "steps", "--save_steps", "3"]
    train(home, "whole", *options)
    checkpoint = home / "whole" / "checkpoint-3"
    assert checkpoint.is_dir()
    begun = home / "stopped"
    begun.mkdir()
    checkpoint.rename(begun / "checkpoint-3")
    train(home, "stopped", *options)
    assert json.loads((begun / "run.json").read_text())["log_history"][-1]["step"] == 6
    whole, again = (tensors(home / name / "model.safetensors") for name in ("whole", "stopped"))
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.parametrize(
    ("line", "says"),
    [("{", "line 1 is neither"), ('{"text": "a"}', "line 1 is neither"), ('{"messages": []}', "line 1 is neither")],
)
def test_a_file_of_prompts_that_is_none_is_one_sentence(home, tmp_path, capsys, line, says):
    (tmp_path / "asked.jsonl").write_text(line)
    with pytest.raises(UserError, match=says):
        answers(capsys, str(home / "run"), "--file", str(tmp_path / "asked.jsonl"), "--template")


def test_a_checkpoint_without_a_template_says_so(home, capsys):
    with pytest.raises(UserError, match="has no chat template: leave --template out"):
        answers(capsys, str(home / "base"), "a", "--template")
