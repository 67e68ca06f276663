"""A resumed run is the same run: its settings, its data and its log."""

import json
import signal

import classify_bert
import datasets
import pytest
import transformers
from training_runs import make_trainer, rows

import hf_xfmr
from hf_xfmr.data.row_hash import hash_of
from hf_xfmr.errors import UserError
from hf_xfmr.run import program
from hf_xfmr.training import checkpoints

SHORT = {"num_train_epochs": 1, "save_steps": 4, "eval_steps": 4, "save_total_limit": None}  # 15 steps
TIMES = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "tokens_per_second", "memory_gb"}
TIMES |= {"train_tokens_per_second", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The folder of a run of 15 steps, with checkpoints at 4, 8, 12 and 15."""
    folder = tmp_path_factory.mktemp("short") / "run"
    trainer = make_trainer(folder, **SHORT)
    trainer.train()
    return folder, without_times(trainer.state.log_history)


def without_times(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in entry.items() if name not in TIMES} for entry in history]


def resume(folder, **options):
    trainer = make_trainer(folder, **{**SHORT, **options})
    trainer.train(resume_from_checkpoint=True)
    return trainer


def model(**fields):
    sizes = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 48, "max_position_embeddings": 40, "problem_type": "single_label_classification"}
    return hf_xfmr.XfmrBertForSequenceClassification(hf_xfmr.XfmrBertConfig(**{**sizes, **fields}))


REFUSED = {
    "learning_rate": ({"learning_rate": 2e-3}, "learning_rate was 0.001 and is now 0.002"),
    "weight_decay": ({"weight_decay": 0.5}, "weight_decay was 0.0 and is now 0.5"),
    "schedule": ({"lr_scheduler_type": "constant"}, "lr_scheduler_type was linear and is now constant"),
    "epochs": ({"num_train_epochs": 2}, "num_train_epochs was 1.* and is now 2"),
    "smoothing": ({"label_smoothing_factor": 0.1}, "label_smoothing_factor was 0.0 and is now 0.1"),
    "layer_decay": ({"layer_decay": 0.9}, "layer_decay was 1.0 and is now 0.9"),
    "adam": ({"adam_beta2": 0.98}, "adam_beta2 was 0.999 and is now 0.98"),
    "clipping": ({"max_grad_norm": 0.1}, "max_grad_norm was 1.0 and is now 0.1"),
    "optimizer": ({"optim": "adafactor"}, "optim was adamw_torch.* and is now adafactor"),
    "the best one's figure": ({"metric_for_best_model": "accuracy"}, "metric_for_best_model was loss and is now"),
    "precision": ({"bf16": True}, "bf16 was False and is now True"),
}
MODELS = {
    "heads": ({"num_attention_heads": 2}, "num_attention_heads was 4 and is now 2"),
    "activation": ({"hidden_act": "relu"}, "hidden_act was gelu and is now relu"),
    "dropout": ({"hidden_dropout_prob": 0.3}, "hidden_dropout_prob was 0.1 and is now 0.3"),
    "layers": ({"num_hidden_layers": 3}, "num_hidden_layers was 2 and is now 3"),
    "width": ({"hidden_size": 16}, "hidden_size was 32 and is now 16"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_would_be_mixed_in_is_refused_by_name(short, options, message):
    with pytest.raises(UserError, match=rf"checkpoint-15 can't be resumed: {message}.*--resume false.*--weights_only"):
        resume(short[0], **options)


@pytest.mark.parametrize(("fields", "message"), MODELS.values(), ids=MODELS)
def test_another_model_is_refused_by_name(short, fields, message):
    with pytest.raises(UserError, match=rf"checkpoint-15 can't be resumed: {message}.*--weights_only"):
        resume(short[0], model=model(**fields))
    if "dropout" not in message:
        with pytest.raises(UserError, match=r"checkpoint-15 can't lend its weights: .* of its model was"):
            resume(short[0], model=model(**fields), weights_only=True)


def test_what_changes_no_weight_may_change_and_is_used(short, tmp_path, copied):
    folder = copied(8)
    trainer = resume(
        folder, logging_steps=3, save_steps=100, eval_steps=5, early_stopping_patience=50, skip_nonfinite=2
    )
    logged = [entry["step"] for entry in trainer.state.log_history if "loss" in entry and entry["step"] > 8]
    evaluated = [entry["step"] for entry in trainer.state.log_history if "eval_loss" in entry and entry["step"] > 8]
    assert logged == [9, 12, 15]
    assert evaluated == [10, 15]
    assert not (folder / "checkpoint-12").exists()


@pytest.fixture
def copied(short, tmp_path):
    """Copies the run as it was when it had saved a step."""

    def copy(step: int):
        import shutil

        folder = tmp_path / f"from-{step}"
        shutil.copytree(short[0], folder)
        for path in checkpoints.found(folder):
            if int(path.name[11:]) > step:
                shutil.rmtree(path)
        return folder

    return copy


@pytest.mark.parametrize("step", [4, 8, 12, 15])
def test_the_log_of_a_resumed_run_is_that_of_an_undisturbed_one(short, copied, step):
    """Logged every 5 steps: 4, 8 and 12 are in the midst of a window, 15 is the end."""
    assert without_times(resume(copied(step)).state.log_history) == short[1]


@pytest.mark.parametrize("step", [3, 7, 10])
def test_told_to_stop_at_any_step_it_goes_on_with_the_same_log(short, tmp_path, step):
    class Stop(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == step:
                signal.raise_signal(signal.SIGTERM)

    trainer = make_trainer(tmp_path / "run", **SHORT)
    trainer.add_callback(Stop())
    with pytest.raises(SystemExit):
        trainer.train()
    trainer = resume(tmp_path / "run")
    assert without_times(trainer.state.log_history) == short[1]
    end = trainer.state.log_history[-1]
    assert end["train_runtime"] > 0
    assert end["train_loss"] > 0.1


def test_an_evaluation_before_the_first_step_is_not_made_again(tmp_path):
    options = {**SHORT, "eval_on_start": True}
    whole = make_trainer(tmp_path / "run", **options)
    whole.train()
    again = make_trainer(tmp_path / "run", **options)
    again.train(resume_from_checkpoint=True)
    assert without_times(again.state.log_history) == without_times(whole.state.log_history)
    assert again.args.eval_on_start


def test_one_row_of_three_thousand_is_noticed(tmp_path):
    many = rows(3000)
    make_trainer(tmp_path, train_rows=many, max_steps=2, eval_strategy="no", save_steps=1).train()
    other = [dict(row) for row in many]
    other[1234]["labels"] ^= 1
    trainer = make_trainer(tmp_path, train_rows=other, max_steps=2, eval_strategy="no", save_steps=1)
    with pytest.raises(UserError, match=r"the train rows \(a hash of all of them\) was .* and is now"):
        trainer.train(resume_from_checkpoint=True)


def test_the_hash_of_a_table_is_of_what_it_holds():
    made = [{"ids": [i, i + 1][: i % 3], "text": f"row {i}" if i % 5 else None, "label": i % 2} for i in range(1000)]
    table = datasets.Dataset.from_list(made)
    in_parts = datasets.concatenate_datasets([table.select(range(400)), table.select(range(400, 1000))])
    assert hash_of(table) == hash_of(in_parts) == hash_of(datasets.Dataset.from_list(made))
    assert hash_of(table.shuffle(seed=0)) != hash_of(table)
    for change in ({"label": 2}, {"text": "row 7 "}, {"ids": [7]}, {"text": None}):
        other = [*made]
        other[777] = {**made[777], **change}
        assert hash_of(datasets.Dataset.from_list(other)) != hash_of(table), change


def test_a_recipe_names_its_own_setting(tmp_path, capsys):
    lines = [f"word{i % 7} {'good' if i % 2 else 'bad'} end{i},{'pos' if i % 2 else 'neg'}" for i in range(80)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    sizes = "hidden_size: 16, num_hidden_layers: 1, intermediate_size: 32, num_attention_heads: {}"

    def flags(*others: str, heads: int = 2) -> list[str]:
        return [
            *["--dataset", str(tmp_path / "rows.csv"), "--model_config", f"{{{sizes.format(heads)}}}"],
            *["--output_dir", str(tmp_path / "run"), "--baseline", "false", "--report_to", "none", "--max_steps", "4"],
            *["--save_strategy", "steps", "--eval_strategy", "steps", "--save_steps", "2", "--eval_steps", "2"],
            *["--bf16", "false", *others],
        ]

    classify_bert.main(flags())
    before = json.loads((tmp_path / "run" / "run.json").read_text())
    for changed, message in (
        (flags(heads=4), "model_config.num_attention_heads was 2 and is now 4"),
        (flags("--class_weights", "auto"), "class_weights was None and is now auto"),
        (flags("--learning_rate", "0.01"), "learning_rate was 0.001 and is now 0.01"),
    ):
        with pytest.raises(SystemExit):
            program.run(lambda changed=changed: classify_bert.main(changed))
        assert message in capsys.readouterr().err
        assert json.loads((tmp_path / "run" / "run.json").read_text()) == before
    (tmp_path / "rows.csv").rename(tmp_path / "moved.csv")
    moved = [word.replace("rows.csv", "moved.csv") for word in flags("--logging_steps", "1")]
    classify_bert.main(moved)
    after = json.loads((tmp_path / "run" / "run.json").read_text())
    assert after["arguments"]["logging_steps"] == 1
    assert without_times(after["log_history"]) == without_times(before["log_history"])
    assert after["metrics"] == before["metrics"]
