"""Runs that are killed, told to stop, starved of disk, resumed from damaged folders: real processes, real signals."""

import json
import platform
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
import transformers
from places import RECIPES
from training_runs import Runner, main, make_trainer, rows

from hf_xfmr import machine
from hf_xfmr.errors import UserError
from hf_xfmr.training import checkpoints, lock
from hf_xfmr.training.interrupts import Interrupts
from hf_xfmr.writing import telling

MODEL = "model.safetensors"


@pytest.fixture(scope="module")
def run():
    with Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    status, output = run(folder)
    assert status == 0, output
    return folder


@pytest.fixture
def finished(whole, tmp_path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As the forked runs have: runs in this process are compared with theirs bit for bit, which holds on one processor
    with as many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights(folder: Path) -> bytes:
    return (folder / MODEL).read_bytes()


def kill_often(run, whole: Path, folder: Path, kills: int, **options) -> int:
    """Kill runs of one folder after another at random moments. Returns how many kills left a folder half-written."""
    draw, killed, runs, saving = random.Random(0), 0, 0, 0
    while killed < kills:
        runs += 1
        current = folder / f"run-{runs}"
        while killed < kills:
            status, output = run(current, after=draw.uniform(0.2, 3.0), options=options)
            if status == 0:
                break  # it was faster
            assert status == -signal.SIGKILL, output
            killed += 1
            saving += any(current.glob("tmp-*"))
        status, output = run(current, options=options)
        assert status == 0, output
        assert "skipped" not in output  # a kill leaves no damaged checkpoint
        assert weights(current) == weights(whole)
        assert not list(current.glob("tmp-*"))
    return saving


def test_killed_at_any_moment_a_run_ends_with_the_same_bits(run, whole, tmp_path):
    kill_often(run, whole, tmp_path, 4)


@pytest.mark.slow
def test_killed_fifty_times_while_saving_too(run, whole, tmp_path):
    assert kill_often(run, whole, tmp_path, 50) > 0


@pytest.mark.slow
def test_killed_in_bfloat16_a_run_ends_with_the_same_bits_too(run, whole, tmp_path):
    half = tmp_path / "whole"
    assert run(half, options={"bf16": True})[0] == 0
    assert weights(half) != weights(whole)  # it did compute in bfloat16
    kill_often(run, half, tmp_path, 15, bf16=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_with_the_usual_code(run, whole, tmp_path, number):
    saved = False
    for delay in (0.25, 0.5, 1, 2, 4, 8, 16):  # until one comes in training and not before it
        status, output = run(tmp_path / "run", after=delay, number=number)
        if status == 128 + number and "saved; the same command goes on from" in output:
            saved = True
            break
    assert saved, output
    status, output = run(tmp_path / "run")
    assert status == 0, output
    assert weights(tmp_path / "run") == weights(whole)
    kept = [path.name for path in checkpoints.found(tmp_path / "run")]
    assert kept == [path.name for path in checkpoints.found(whole)]  # no trace of the interruption


def test_a_second_signal_is_not_waited_for():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert interrupts.number == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_checkpoint_at_an_epochs_end_holds_that_epochs_evaluation(tmp_path):
    """Stopped at the last step of an epoch: if the evaluation due then came after the checkpoint, it would be lost."""
    common = {"eval_strategy": "epoch", "save_strategy": "epoch", "num_train_epochs": 2, "eval_steps": None}

    class Stop(transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 14:  # of 15 an epoch
                signal.raise_signal(signal.SIGTERM)

    trainer = make_trainer(tmp_path / "parts", **common)
    trainer.add_callback(Stop())
    with pytest.raises(SystemExit) as stop:
        trainer.train()
    assert stop.value.code == 143
    state = transformers.TrainerState.load_from_json(tmp_path / "parts" / "checkpoint-15" / "trainer_state.json")
    assert [entry["step"] for entry in state.log_history if "eval_loss" in entry] == [15]
    assert state.best_global_step == 15
    assert Path(state.best_model_checkpoint) == tmp_path / "parts" / "checkpoint-15"


LIMITS = [500, 1400, 3000, 5400, 7200, 14_000, 20_000, 60_000, 100_000, 190_000]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_full_disk_keeps_the_last_checkpoint_and_says_so_once(run, whole, tmp_path, limit):
    """`limit`, in bytes, ends the write of another file each time, in Python, safetensors' or torch's own code."""
    folder = tmp_path / "run"
    (folder / "checkpoint-6").parent.mkdir()
    shutil.copytree(whole / "checkpoint-6", folder / "checkpoint-6")
    status, output = run(folder, limit=limit)
    assert status == 2, output
    line = output.strip().splitlines()[-1]
    assert line.startswith(f"error: the checkpoint of step 12 could not be written to {folder} (")
    assert line.endswith(f"the same command goes on from {folder / 'checkpoint-6'}")
    assert "Traceback" not in output
    assert [path.name for path in folder.glob("*-*")] == ["checkpoint-6"]
    checkpoints.check(folder / "checkpoint-6")
    if limit == LIMITS[-1]:
        status, output = run(folder)
        assert status == 0, output
        assert weights(folder) == weights(whole)


def test_a_full_disk_at_the_end_leaves_the_model_of_before(run, finished):
    before = {path.name: path.read_bytes() for path in finished.iterdir() if path.is_file()}
    status, output = run(finished, limit=60_000)
    assert status == 2, output
    assert "error: the model could not be written" in output
    assert {path.name: path.read_bytes() for path in finished.iterdir() if path.is_file()}.keys() == before.keys()
    assert weights(finished) == before[MODEL]


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


FILES = [MODEL, "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", checkpoints.MANIFEST]
DAMAGES = [(name, do) for name in FILES for do in (truncate, flip, Path.unlink)]
DAMAGES += [(MODEL, lambda path: path.write_bytes(b"")), ("", lambda path: (shutil.rmtree(path), path.mkdir()))]
DAMAGES += [("optimizer.pt", lambda path: shutil.copy(path.parents[1] / "checkpoint-54" / path.name, path))]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_a_damaged_checkpoint_is_skipped_by_name_and_the_run_ends_right(whole, finished, capsys, name, damage):
    newest = finished / "checkpoint-60"
    damage(newest / name)
    main(finished)
    output = capsys.readouterr().out
    assert f"skipped {newest} (" in output
    assert name in output
    assert f"resumed from {finished / 'checkpoint-54'}, step 54" in output
    assert weights(finished) == weights(whole)
    checkpoints.check(newest)  # made anew


def test_where_the_best_checkpoint_is_damaged_no_later_one_is_resumed(finished, capsys):
    best = checkpoints.read(finished / "checkpoint-60")["best"]
    assert best == "checkpoint-6"  # or this test shows nothing
    flip(finished / best / MODEL)
    trainer = make_trainer(finished)
    with pytest.raises(
        UserError, match=r"no checkpoint can be resumed from: .*checkpoint-6, is damaged.*--resume false"
    ):
        trainer.train(resume_from_checkpoint=True)


def test_a_renamed_checkpoint_does_not_pass_for_a_later_one(finished, capsys):
    (finished / "checkpoint-54").rename(finished / "checkpoint-66")
    shutil.rmtree(finished / "checkpoint-60")
    shutil.rmtree(finished / "checkpoint-6")
    with pytest.raises(UserError, match=r"checkpoint-66 \(it is that of step 54\)"):
        main(finished)


@pytest.mark.parametrize(("lost", "named"), [("optimizer.pt", "the optimizer"), ("rng_state.pth", "random numbers")])
def test_without_optimizer_or_random_numbers_only_weights_are_taken_and_only_if_told(finished, capsys, lost, named):
    """As of `save_only_model`: the checkpoint is whole, but these were never in it."""
    for folder in checkpoints.found(finished):
        manifest = checkpoints.read(folder)
        (folder / lost).unlink()
        (folder / checkpoints.MANIFEST).unlink()
        checkpoints.seal(folder, {key: value for key, value in manifest.items() if key not in ("files", "saved")})
    with pytest.raises(UserError, match=rf"saved without {named}.*--weights_only"):
        make_trainer(finished).train(resume_from_checkpoint=True)
    trainer = make_trainer(finished, weights_only=True, max_steps=3, num_train_epochs=1)
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.train(resume_from_checkpoint=True)
    assert f"weights of {finished / 'checkpoint-60'}" in capsys.readouterr().out
    assert trainer.state.global_step == 3
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))


def test_a_run_begun_from_weights_is_itself_resumed_in_full(finished, capsys):
    begun = make_trainer(finished, weights_only=True, num_train_epochs=1, learning_rate=1e-4)
    begun.train(resume_from_checkpoint=True)
    again = make_trainer(finished, weights_only=True, num_train_epochs=1, learning_rate=1e-4)
    again.train(resume_from_checkpoint=True)
    assert "finished already: step 15 of 15" in capsys.readouterr().out


CHANGES = {
    "seed": ({"seed": 8}, "seed was 7 and is now 8"),
    "batch size": ({"per_device_train_batch_size": 2}, "per_device_train_batch_size was 4 and is now 2"),
    "accumulation": ({"gradient_accumulation_steps": 2}, "gradient_accumulation_steps was 1 and is now 2"),
    "fewer rows": ({"train_rows": rows(59)}, "the number of train rows was 60 and is now 59"),
    "other rows": ({"train_rows": rows(60, seed=5)}, "the train rows .* was .* and is now"),
}


@pytest.mark.parametrize(("options", "message"), CHANGES.values(), ids=CHANGES)
def test_a_run_on_other_data_or_batches_is_not_resumed(finished, options, message):
    with pytest.raises(UserError, match=rf"checkpoint-60 can't be resumed: {message}.*--resume false"):
        make_trainer(finished, **options).train(resume_from_checkpoint=True)


def resumed_at_54(folder: Path, capsys) -> list[str]:
    """The lines of a run of `finished` that is to do its last six steps again."""
    shutil.rmtree(folder / "checkpoint-60")
    make_trainer(folder).train(resume_from_checkpoint=True)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"resumed from {folder / 'checkpoint-54'}, step 54"
    assert checkpoints.read(folder / "checkpoint-60")["machine"] == machine.describe(torch.device("cpu"))
    return [line for line in lines if "bits" in line]


def test_a_run_resumed_on_another_machine_goes_on_and_says_that_its_bits_may_differ(finished, capsys, monkeypatch):
    assert resumed_at_54(finished, capsys) == []
    here = machine.describe(torch.device("cpu"))
    with monkeypatch.context() as patch:
        patch.setattr(machine, "processor_name", lambda: "Another")
        there = machine.describe(torch.device("cpu"))["processor"]
        another = f"resumed on another processor ({there}, was {here['processor']})"
        assert there.startswith("Another with ")
        assert resumed_at_54(finished, capsys) == [f"{another}: bits may differ from an undisturbed run"]
        torch.set_num_threads(2)
        also = f"{another} and with another number of threads (2, was 1)"
        assert resumed_at_54(finished, capsys) == [f"{also}: bits may differ from an undisturbed run"]
        torch.set_num_threads(1)
    older = machine.change({**here, "torch": "2.0"}, here)
    assert older.startswith(f"resumed with another version of torch ({torch.__version__}, was 2.0): bits may differ")


@pytest.mark.parametrize("cpuinfo", ["processor\t: 0\nmodel name\t: Some Processor 3000\n", "", None])
def test_a_processor_has_a_name_where_the_system_tells_it_and_where_not(monkeypatch, tmp_path, cpuinfo):
    read, file = machine._read, tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(machine, "_read", lambda _: read(str(file)))
    assert machine.processor_name() == (
        "Some Processor 3000" if cpuinfo else platform.processor() or platform.machine()
    )
    assert re.fullmatch(r".+, \d+ cores", machine.processor())


def test_two_runs_in_one_folder_are_refused_and_a_killed_one_leaves_no_lock(run, tmp_path):
    lock.acquire(tmp_path)
    status, output = run(tmp_path)
    assert status == 2
    assert f"{tmp_path} is in use by another run (process " in output
    lock.release(tmp_path)
    assert run(tmp_path, after=2, options={"num_train_epochs": 10_000})[0] == -signal.SIGKILL
    assert lock.acquire(tmp_path)
    lock.release(tmp_path)


def test_a_finished_run_says_so_and_trains_no_more(run, finished, whole):
    checkpoint = (finished / "checkpoint-60" / checkpoints.MANIFEST).read_bytes()
    status, output = run(finished)
    assert status == 0
    assert "finished already: step 60 of 60" in output
    assert (finished / "checkpoint-60" / checkpoints.MANIFEST).read_bytes() == checkpoint
    assert weights(finished) == weights(whole)


def test_a_final_model_is_never_a_mixture(tmp_path):
    """Killed while the files move into place, the folder can't be loaded, and the next start completes it."""
    model = make_trainer(tmp_path / "other").model
    with checkpoints.model_folder(tmp_path) as aside:
        model.save_pretrained(aside)
    old = weights(tmp_path)
    with torch.no_grad():
        model.classifier.bias.add_(1)
    writing = checkpoints.model_folder(tmp_path)
    model.save_pretrained(writing.__enter__())
    assert not writing.__exit__(ZeroDivisionError, ZeroDivisionError(), None)  # before it was whole
    assert weights(tmp_path) == old
    assert not list(tmp_path.glob("tmp-*"))
    for moved in ([], ["config.json"], ["config.json", MODEL]):  # when the kill came
        with torch.no_grad():
            model.classifier.bias.add_(1)
        ready = tmp_path / checkpoints.READY
        model.save_pretrained(ready)
        new = weights(ready)
        if moved:
            (tmp_path / MODEL).unlink()
            ready = ready.rename(tmp_path / checkpoints.MOVING)
            for name in moved:
                (ready / name).rename(tmp_path / name)
        if moved == ["config.json"]:
            with pytest.raises(OSError, match=r"safetensors"):
                type(model).from_pretrained(tmp_path)
        checkpoints.clean(tmp_path)
        assert weights(tmp_path) == new
        assert torch.equal(type(model).from_pretrained(tmp_path).classifier.bias, model.classifier.bias)
        assert not list(tmp_path.glob("*-model"))


def test_early_stopping_counts_on_after_a_resume_and_is_not_forgotten_at_the_end(tmp_path, capsys):
    class Stop(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 13:
                signal.raise_signal(signal.SIGTERM)

    # At a learning rate of 0 no evaluation is better than the first.
    common = {"early_stopping_patience": 3, "learning_rate": 0.0}
    whole = make_trainer(tmp_path / "whole", **common)
    whole.train()
    assert whole.state.global_step == 24  # 6, and three that are no better
    parts = make_trainer(tmp_path / "parts", **common)
    parts.add_callback(Stop())
    with pytest.raises(SystemExit):
        parts.train()
    for ending in ("resumed from", "finished already: step 24 of 60, by early stopping"):
        parts = make_trainer(tmp_path / "parts", **common)
        parts.train(resume_from_checkpoint=True)
        assert ending in capsys.readouterr().out
        assert parts.state.global_step == 24


def test_rotation_keeps_the_best_and_the_newest(whole):
    assert {path.name for path in checkpoints.found(whole)} == {"checkpoint-6", "checkpoint-54", "checkpoint-60"}


def test_stock_restarts_adam_in_silence_and_takes_a_folder_that_is_half_written(tmp_path):
    """What `CrashSafety` is for, on transformers' own Trainer."""
    stock = {"trainer_class": transformers.Trainer, "arguments_class": transformers.TrainingArguments}
    options = {
        **stock,
        "eval_strategy": "no",
        "load_best_model_at_end": False,
        "max_steps": 12,
        "save_total_limit": None,
    }
    options["metric_for_best_model"] = None
    make_trainer(tmp_path, **options).train()
    (tmp_path / "checkpoint-12").rename(tmp_path / "elsewhere")
    (tmp_path / "checkpoint-6" / "optimizer.pt").unlink()
    resumed = make_trainer(tmp_path, **options)
    resumed.train(resume_from_checkpoint=True)  # no error
    assert int(next(iter(resumed.optimizer.state.values()))["step"]) == 6  # of 12
    (tmp_path / "checkpoint-99").mkdir()  # as left by a kill
    with pytest.raises(ValueError, match="Can't find a valid checkpoint"):
        make_trainer(tmp_path, **options).train(resume_from_checkpoint=True)
    begun = time.perf_counter()
    ours = make_trainer(tmp_path / "ours", eval_strategy="no", max_steps=12, save_total_limit=None)
    ours.train()
    assert ours.seconds < time.perf_counter() - begun
    (tmp_path / "ours" / "checkpoint-99").mkdir()
    again = make_trainer(tmp_path / "ours", eval_strategy="no", max_steps=12, save_total_limit=None)
    again.train(resume_from_checkpoint=True)
    assert int(next(iter(again.optimizer.state.values()))["step"]) == 12


TIMES = ("_runtime", "_per_second", "memory_gb")
SIZES = "hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32"
FLAGS = {
    "classify_bert": ["--dataset", "{data}", "--model_config", f"{{{SIZES}}}", "--baseline", "false"],
    "finetune_gpt2": ["--dataset", "{data}", "--model_config", "{n_embd: 16, n_layer: 1, n_head: 2, n_positions: 32}"],
    "translate": [
        *["--dataset", "task:copy", "--task_rows", "200", "--task_length", "5", "--max_length", "32"],
        *["--model_config", "{d_model: 16, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2}"],
        *["--tokenizer_kind", "bpe", "--vocab_size", "290", "--tokens_per_batch", "128", "--average_checkpoints", "3"],
        *["--learning_rate", "1e-3", "--warmup_steps", "2", "--eval_sentences", "0", "--num_beams", "1"],
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLAGS)
def test_a_killed_recipe_ends_with_the_same_model_and_figures(run, tmp_path, name):
    """From the data's reading to the report: SIGKILL and SIGTERM at random moments, until the model stands there."""
    data = tmp_path / "reviews.csv"
    lines = [f"word{i % 7} {'good' if i % 2 else 'bad'} end{i},{'pos' if i % 2 else 'neg'}" for i in range(300)]
    data.write_text("text,label\n" + "\n".join(lines) + "\n")
    flags = [flag.replace("{data}", str(data)) for flag in FLAGS[name]]
    flags += ["--bf16", "false", "--num_train_epochs", "2", "--report_to", "none", "--disable_tqdm", "true"]
    flags += ["--save_strategy", "steps", "--eval_strategy", "steps", "--save_steps", "3", "--eval_steps", "3"]
    recipe = {"recipe": str(RECIPES / f"{name}.py"), "flags": flags}
    run(tmp_path / "none", after=0.0, **recipe)  # so that the runner's own start is not among the seconds
    begun = time.perf_counter()
    status, output = run(tmp_path / "whole", **recipe)
    assert status == 0, output
    seconds = time.perf_counter() - begun
    draw, stopped = random.Random(0), 0
    for attempt in range(20):
        number = signal.SIGKILL if attempt % 3 else signal.SIGTERM
        status, output = run(tmp_path / "parts", after=draw.uniform(0.1, 0.8) * seconds, number=number, **recipe)
        if status == 0:
            break
        assert status in (-number, 128 + number), output
        stopped += 1
    else:
        status, output = run(tmp_path / "parts", **recipe)
    assert status == 0, output
    assert stopped > 0
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    a, b = (json.loads((tmp_path / one / "run.json").read_text()) for one in ("parts", "whole"))
    assert a["metrics"] == b["metrics"]
    a, b = (
        [{name: value for name, value in entry.items() if not name.endswith(TIMES)} for entry in run["log_history"]]
        for run in (a, b)
    )
    assert a == b


@pytest.mark.parametrize("name", [MODEL, "optimizer.pt"])
def test_a_write_that_fell_short_unnoticed_is_noticed_before_the_checkpoint_counts(whole, tmp_path, name):
    shutil.copy(whole / "checkpoint-60" / name, tmp_path / name)
    truncate(tmp_path / name)
    failing = pytest.raises(UserError, match="the checkpoint could not be written")
    with failing, telling(tmp_path, "the checkpoint"):
        checkpoints.seal(tmp_path, {})
    assert not (tmp_path / checkpoints.MANIFEST).exists()
