"""What a resumed run reads again is looked at: streams, held-out rows, the optimizer's state and Trainer's own file."""

import json
import math
import shutil
from pathlib import Path

import finetune_gpt2
import pytest
import tag_bert
import torch
from small_checkpoints import said
from torch.utils.data import IterableDataset
from training_runs import make_trainer, rows

from hf_xfmr.errors import UserError
from hf_xfmr.training import checkpoints

SHORT = {"num_train_epochs": 1, "save_steps": 4, "eval_steps": 4, "save_total_limit": None}  # 15 steps


class Stream(IterableDataset):
    """23 rows, again and again; one of them may be another."""

    def __init__(self, changed: int | None = None):
        self.rows = rows(23)
        if changed is not None:
            self.rows[changed] = {**self.rows[changed], "labels": 1 - self.rows[changed]["labels"]}

    def __iter__(self):
        return iter(self.rows)


def reseal(folder: Path) -> None:
    """Have a checkpoint's manifest say what now lies in it."""
    facts = checkpoints.read(folder)
    (folder / checkpoints.MANIFEST).unlink()
    checkpoints.seal(folder, {name: value for name, value in facts.items() if name not in ("files", "saved")})


def streamed(folder, steps: int, changed: int | None = None):
    options = {"max_steps": steps, "save_steps": 3, "eval_strategy": "no", "load_best_model_at_end": False}
    options |= {"metric_for_best_model": None, "save_total_limit": None, "lr_scheduler_type": "constant"}
    trainer = make_trainer(folder, train_rows=Stream(changed), **options)
    trainer.train(resume_from_checkpoint=True)
    return trainer


def test_a_stream_that_changed_before_the_resume_is_refused_and_after_it_is_not_asked(tmp_path):
    """Of 4 rows a step the third step ends with row 11, and one more batch has been read ahead."""
    streamed(tmp_path / "run", 3)
    said = checkpoints.read(tmp_path / "run" / "checkpoint-3")["streamed"]
    assert said["rows"] == 16
    for changed in (0, 11):
        with pytest.raises(UserError, match=r"checkpoint-3 can't be resumed: the first 16 rows of the stream .*only"):
            streamed(tmp_path / "run", 6, changed)
        assert not (tmp_path / "run" / "checkpoint-6").exists()
    shutil.copytree(tmp_path / "run", tmp_path / "later")
    streamed(tmp_path / "later", 6, 20)  # read for the first time after the resume
    streamed(tmp_path / "whole", 6)
    goes_on = streamed(tmp_path / "run", 6)
    assert goes_on.state.global_step == 6
    a, b = (checkpoints.read(tmp_path / name / "checkpoint-6")["streamed"] for name in ("run", "whole"))
    assert a == b != said


def test_a_streamed_corpus_says_what_is_not_seen_and_sees_the_rest(tmp_path, capsys):
    texts = [f"{'good' if i % 2 else 'bad'} film number {i}" for i in range(200)]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    flags = ["--dataset", str(tmp_path / "texts.txt"), "--lines", "true", "--streaming", "true", "--report_to", "none"]
    flags += ["--model_config", "{n_embd: 16, n_layer: 1, n_head: 2, n_positions: 16}", "--tokenizer", "char"]
    flags += ["--output_dir", str(tmp_path / "run"), "--bf16", "false", "--per_device_train_batch_size", "4"]
    flags += ["--lr_scheduler_type", "constant", "--save_strategy", "steps", "--save_steps", "2", "--sample_every", "0"]
    flags += ["--eval_strategy", "no"]
    finetune_gpt2.main([*flags, "--max_steps", "2"])
    line = "the train rows read before are read again and must be the same; whether held-out texts are is not looked at"
    assert line in capsys.readouterr().out
    assert line in " ".join(json.loads((tmp_path / "run" / "run.json").read_text())["data"])
    (tmp_path / "texts.txt").write_text("\n".join(texts).replace("bad", "dab", 5))
    error = said(capsys, lambda: finetune_gpt2.main([*flags, "--max_steps", "4"]))
    assert "rows of the stream (a hash of them) were" in error
    assert "--weights_only" in error


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_held_out_split_that_changed_is_refused_by_name_whether_or_not_it_is_evaluated(tmp_path, capsys, split):
    for name, count in (("train", 40), ("validation", 8), ("test", 8)):
        lines = ({"tokens": ["good", f"film{i % 9}", name], "tags": ["O", "B-X", "O"]} for i in range(count))
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = [
        "--dataset",
        str(tmp_path),
        "--output_dir",
        str(tmp_path / "run"),
        "--report_to",
        "none",
        "--bf16",
        "false",
    ]
    flags += [
        "--model_config",
        "{hidden_size: 16, num_hidden_layers: 1, intermediate_size: 32, num_attention_heads: 2}",
    ]
    flags += ["--eval_strategy", "no", "--max_steps", "1", "--save_strategy", "steps", "--save_steps", "1"]
    tag_bert.main(flags)
    text = (tmp_path / f"{split}.jsonl").read_text()
    (tmp_path / f"{split}.jsonl").write_text(text.replace('["O", "B-X", "O"]', '["B-X", "B-X", "O"]', 1))
    error = said(capsys, lambda: tag_bert.main(flags))
    assert f"checkpoint-1 can't be resumed: the {split} rows (a hash of all of them) was" in error
    assert "--weights_only" in error
    (tmp_path / f"{split}.jsonl").write_text(text)
    capsys.readouterr()
    tag_bert.main(flags)
    assert "finished already: step 1 of 1" in capsys.readouterr().out


def other_shape(state: dict) -> None:
    state["state"][0]["exp_avg"] = torch.zeros(3, 5)


def other_number(state: dict) -> None:
    state["param_groups"][0]["params"].pop()


def other_random_numbers(state: dict) -> None:
    state["cpu"] = state["cpu"][:100]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("optimizer.pt", other_shape),
        ("optimizer.pt", other_number),
        ("optimizer.pt", lambda state: state.update(state={0: None})),
        ("scheduler.pt", lambda state: state.update(_last_lr=[1e-3])),
        ("rng_state.pth", other_random_numbers),
        ("rng_state.pth", lambda state: state.update(python=(3, [1, 2], None))),
    ],
)
def test_a_state_of_another_shape_is_skipped_by_name_as_any_damaged_checkpoint_is(tmp_path, capsys, name, change):
    make_trainer(tmp_path, **{**SHORT, "max_steps": 8}).train()
    whole = (tmp_path / "checkpoint-8" / "model.safetensors").read_bytes()
    newest = tmp_path / "checkpoint-8"
    state = torch.load(newest / name, weights_only=False)
    change(state)
    torch.save(state, newest / name)
    reseal(newest)
    trainer = make_trainer(tmp_path, **{**SHORT, "max_steps": 8})
    trainer.train(resume_from_checkpoint=True)
    output = capsys.readouterr().out
    assert f"skipped {newest} ({name} is of " in output
    assert f"resumed from {tmp_path / 'checkpoint-4'}, step 4" in output
    assert (newest / "model.safetensors").read_bytes() == whole


def strictly(path: Path) -> dict:
    """A JSON file as readers of other languages take it."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_figures_that_are_not_finite_go_through_a_checkpoint_as_json_that_every_reader_takes(tmp_path):
    options = {**SHORT, "max_steps": 8, "metric_for_best_model": None, "load_best_model_at_end": False}
    trainer = make_trainer(tmp_path, **options)
    log, odd = trainer.log, [{"a": math.nan, "b": math.inf, "c": -math.inf, "sample": "Infinity pool"}]
    trainer.log = lambda logs, start_time=None: log(logs | (odd.pop() if odd else {}), start_time)
    trainer.train()
    for name in ("trainer_state.json", checkpoints.MANIFEST):
        assert strictly(tmp_path / "checkpoint-4" / name)
    shutil.rmtree(tmp_path / "checkpoint-8")
    again = make_trainer(tmp_path, **options)
    again.train(resume_from_checkpoint=True)
    found = next(line for line in again.state.log_history if "a" in line)
    assert math.isnan(found["a"])
    assert {name: found[name] for name in "bc"} == {"b": math.inf, "c": -math.inf}
    assert found["sample"] == "Infinity pool"


def test_trainer_s_own_file_with_a_number_that_json_has_not_is_skipped(tmp_path, capsys):
    make_trainer(tmp_path, **{**SHORT, "max_steps": 8}).train()
    path = tmp_path / "checkpoint-8" / "trainer_state.json"
    path.write_text(path.read_text().replace('"total_flos":', '"total_flos": NaN, "was":'))
    reseal(path.parent)
    make_trainer(tmp_path, **{**SHORT, "max_steps": 8}).train(resume_from_checkpoint=True)
    assert f"skipped {path.parent} (trainer_state.json is of something else)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
def test_how_a_model_is_sharded_stays_as_it_was(tmp_path, name):
    make_trainer(tmp_path / "run", **{**SHORT, "max_steps": 4}).train()
    trainer = make_trainer(tmp_path / "run", **{**SHORT, "max_steps": 4})
    (tmp_path / "zero.json").write_text(json.dumps({"zero_optimization": {"stage": 2}}))
    # As parsed; what is sharded needs GPUs and a launcher.
    setattr(trainer.args, name, str(tmp_path / "zero.json") if name == "deepspeed" else ["full_shard"])
    with pytest.raises(UserError, match=rf"checkpoint-4 can't be resumed: {name} was .* and is now .*--weights_only"):
        trainer.train(resume_from_checkpoint=True)
