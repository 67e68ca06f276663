"""`search` on a model of a thousand parameters: what it finds, what it never reads, how it goes on, what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from transformers import BertTokenizer

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.run import recipes
from hf_xfmr.search import bests, page, search, study
from hf_xfmr.search.study import optuna

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "good", "bad"]
TRIED = ["learning_rate=3e-3:3e-2", "num_train_epochs=3:5", "per_device_train_batch_size=16,32"]


def rows(count: int, seed: int, flipped: bool = False) -> str:
    draw, lines = np.random.default_rng(seed), ["text,label"]
    for i in range(count):
        words = [*draw.choice(WORDS[5:15], 5), ("bad", "good")[i % 2]]
        lines.append(f"{' '.join(words)},{(i + flipped + (draw.random() < 0.1)) % 2}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=16).save_pretrained(
        folder / "model"
    )
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    base = hf_xfmr.XfmrBertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)
    hf_xfmr.XfmrBertModel(base).save_pretrained(folder / "model")
    for name, flipped in (("data", False), ("other", True)):
        (folder / name).mkdir()
        for number, (split, count) in enumerate({"train": 192, "validation": 64, "test": 64}.items()):
            text = rows(count, 100 * (number + 1) + (flipped and split == "test"), flipped and split == "test")
            (folder / name / f"{split}.csv").write_text(text)
        (folder / f"{name}.yaml").write_text(
            f"# hf_xfmr train classify --config {name}.yaml\nmodel: {folder / 'model'}\ndataset: {folder / name}\n"
            "learning_rate: 1e-4\nbf16: false\nnum_train_epochs: 1\n"
        )
    return folder


@pytest.fixture(scope="module")
def found(place):
    """A search of three trials with its refits, and what it said of them."""
    return search(str(place / "data.yaml"), trials=3, ranges=TRIED, over=["learning_rate"], seeds=[1, 2],
                  output_dir=place / "found")  # fmt: skip


def values(folder: Path) -> list[float | None]:
    trials = json.loads((folder / "result.json").read_text())["trials"]
    return [one["value"] if one["value"] is not None else one["at"] for one in trials]


@pytest.mark.slow
def test_it_finds_better_settings_and_says_what_they_gain(found, place):
    folder = place / "found"
    assert found["trials"][0]["own"]
    assert found["trials"][0]["settings"]["learning_rate"] == 1e-4
    assert found["figure"] == "accuracy"
    own = found["trials"][0]["value"]
    assert found["best_value"] > own + 0.1  # at 1e-4 and one epoch it learns nothing
    assert found["best"]["learning_rate"] > 1e-4
    assert set(found["importance"]) <= {"learning_rate", "num_train_epochs", "per_device_train_batch_size"}
    best = yaml.safe_load((folder / "best.yaml").read_text())
    assert best["learning_rate"] == found["best"]["learning_rate"]
    assert best["dataset"] == str(place / "data")
    assert best["metric_for_best_model"] == "accuracy"
    assert (folder / "best.yaml").read_text().startswith("# hf_xfmr train classify --config ")
    for side in ("own", "best"):
        assert set(found["refit"][side]["seeds"]) == {"1", "2"}
        assert "accuracy" in found["refit"][side]["summary"]["test"]
    assert found["refit"]["best"]["summary"]["test"]["accuracy"]["mean"] > 0.75
    assert not list(folder.glob("trial-*/run"))


def test_its_page_says_it_in_english_and_chinese(found, place):
    text = (place / "found" / page.NAME).read_text(encoding="utf-8")
    assert "The best settings are better: accuracy" in text
    assert "--config" in text
    page.write(place / "found", found, "zh")
    chinese = (place / "found" / page.NAME).read_text(encoding="utf-8")
    assert "最佳设置更好" in chinese
    assert "The best settings" not in chinese


@pytest.mark.slow
def test_where_no_trial_is_better_the_own_settings_are_trained_once(place, capsys):
    """At a rate of 1e-9 a trial is no better than at 1e-4."""
    folder = place / "own-best"
    found = search(str(place / "data.yaml"), ["--num_train_epochs", "4", "--learning_rate", "1e-2"], trials=2,
                   ranges=["learning_rate=1e-9:2e-9"], over=["learning_rate"], seeds=[1, 2],
                   output_dir=folder)  # fmt: skip
    assert found["best_is_own"]
    assert found["refit"]["best"] == found["refit"]["own"]
    assert not (folder / "best").exists()
    figure = found["refit"]["own"]["summary"]["test"]["accuracy"]
    line = f"Trained with 2 seeds they have accuracy {figure['mean']:.4f} ± {figure['sd']:.4f} on test."
    assert line in capsys.readouterr().out
    assert line in (folder / page.NAME).read_text(encoding="utf-8")
    page.write(folder, found, "zh")
    assert "以 2 个随机种子训练" in (folder / page.NAME).read_text(encoding="utf-8")


def test_the_same_command_goes_on_and_other_settings_are_refused(found, place, capsys):
    folder = place / "found"
    again = search(str(place / "data.yaml"), trials=3, ranges=TRIED, over=["learning_rate"], seeds=[1, 2],
                   output_dir=folder)  # fmt: skip
    assert again["best"] == found["best"]
    assert again["trials"] == found["trials"]
    assert "training with" not in capsys.readouterr().out
    with pytest.raises(UserError, match=r"holds a search with --range .*, not \[\]: go back to what it was"):
        search(str(place / "data.yaml"), trials=3, over=["learning_rate"], output_dir=folder)
    with pytest.raises(UserError, match=r"holds a search with weight_decay None, not 0\.1"):
        search(str(place / "data.yaml"), ["--weight_decay", "0.1"], trials=3, ranges=TRIED, over=["learning_rate"],
               output_dir=folder)  # fmt: skip


def test_no_trial_depends_on_the_test_split(found, place):
    """With other texts in test, and all of its labels turned round, every trial has the same figure."""
    search(str(place / "other.yaml"), trials=3, ranges=TRIED, over=["learning_rate"], no_refit=True,
           output_dir=place / "blind")  # fmt: skip
    assert values(place / "blind") == values(place / "found")[:3]
    assert not list((place / "blind").glob("**/predictions-test.csv"))


@pytest.mark.slow
def test_a_killed_search_goes_on_with_the_trial_it_was_in(found, place):
    folder = place / "killed"
    words = ["search", str(place / "data.yaml"), "--trials", "3", "--over", "learning_rate", "--no_refit"]
    words += [word for one in TRIED for word in ("--range", one)] + ["--output_dir", str(folder)]
    begun = subprocess.Popen([sys.executable, "-m", "hf_xfmr", *words], stdout=subprocess.DEVNULL, env=os.environ)
    children = []
    for _ in range(1800):
        if (folder / "trial-002" / "log.txt").exists():
            children = psutil.Process(begun.pid).children(recursive=True)
            break
        time.sleep(0.1)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    search(str(place / "data.yaml"), trials=3, ranges=TRIED, over=["learning_rate"], no_refit=True, output_dir=folder)
    assert values(folder) == values(place / "found")[:3]
    assert not list(folder.glob("trial-*/run"))


@pytest.mark.slow
def test_processes_share_trials_and_trainings_also_when_one_is_killed(found, place):
    """Three at once, of which one is killed in a trial: each trial is run once, and both others end with the figures
    of a search by one process."""
    folder = place / "shared"
    words = ["search", str(place / "data.yaml"), "--trials", "5", "--over", "learning_rate", "--seeds", "1", "2"]
    words += [word for one in TRIED for word in ("--range", one)] + ["--output_dir", str(folder)]
    logs = [place / f"shared-{number}.txt" for number in range(3)]
    begun = []
    for log in logs:
        with log.open("w") as out:
            begun.append(subprocess.Popen([sys.executable, "-m", "hf_xfmr", *words], stdout=out, stderr=out))
    until = time.monotonic() + 600
    while not (runs := [log for log in folder.glob("trial-*/log.txt") if log.stat().st_size]):
        assert time.monotonic() < until
        time.sleep(0.05)
    killed = next(one for one in begun if any(str(runs[0]) in str(file) for child in
                  psutil.Process(one.pid).children(recursive=True) for file in child.open_files()))  # fmt: skip
    killed.kill()
    killed.wait()
    left = [(one, log) for one, log in zip(begun, logs, strict=True) if one is not killed]
    for one, log in left:
        assert one.wait(600) == 0, log.read_text()
    said = "\n".join(log.read_text() for log in logs)
    for number in range(1, 6):
        assert said.count(f"\ntrial {number} of 5: ") == 1
    for side in ("own", "best"):
        what = "the configuration's own" if side == "own" else "the best"
        for seed in (1, 2):
            assert said.count(f"training with {what} settings, seed {seed};") == 1
    assert said.count("page: ") == 2
    record = json.loads((folder / "result.json").read_text())
    assert record["refit"]["own"]["summary"] == found["refit"]["own"]["summary"]
    assert {one["state"] for one in record["trials"]} <= {"complete", "pruned"}


@pytest.mark.slow
def test_more_trials_that_find_better_settings_train_with_these(found, place, capsys):
    folder, better = place / "more", 2e-2
    shutil.copytree(place / "found", folder)
    begun = study.Study(folder, {"space": found["space"]}, 0, lower=False)
    known = begun.best()
    trial = optuna.create_trial(params={**known.params, "learning_rate": better}, value=0.99,
                                distributions=known.distributions)  # fmt: skip
    begun.optuna.add_trial(trial)
    more = search(str(place / "data.yaml"), trials=4, ranges=TRIED, over=["learning_rate"], seeds=[1, 2],
                  output_dir=folder)  # fmt: skip
    assert more["best"] == {**found["best"], "learning_rate": better}
    assert f"the trainings with the former best ones are in {folder / 'best-before'}" in capsys.readouterr().out
    for name, one in (("best", more), ("best-before", found)):
        arguments = json.loads((folder / name / "seed-1" / "run.json").read_text())["arguments"]
        assert arguments["learning_rate"] == one["best"]["learning_rate"]
        summary = json.loads((folder / name / "seeds.json").read_text())["summary"]
        assert one["refit"]["best"]["summary"] == summary
    assert more["refit"]["own"] == found["refit"]["own"]


def test_trainings_with_former_best_settings_are_put_aside_when_none_runs(tmp_path):
    script, first, other = recipes.script("classify"), {"dataset": "a.csv", "learning_rate": 1e-4}, {"dataset": "a.csv"}
    (tmp_path / "best" / "seed-1").mkdir(parents=True)
    for _ in range(2):
        bests.put(tmp_path, script, first, "The best of 2 trials.")
        assert (tmp_path / "best" / "seed-1").exists()
    held = bests.mark(tmp_path, "best", 1)
    held.mkdir(parents=True)
    code = f"from hf_xfmr.training import lock; lock.acquire({str(held)!r}); print(); input()"
    trains = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    trains.stdout.readline()
    assert not bests._put(tmp_path, script, other, "The best of 3 trials.")
    assert bests.are(tmp_path, first)
    trains.communicate(b"\n")
    bests.put(tmp_path, script, other, "The best of 3 trials.")
    assert bests.are(tmp_path, other)
    assert not (tmp_path / "best").exists()
    assert (tmp_path / "best-before" / "seed-1").exists()
    assert "learning_rate" in (tmp_path / "best-before" / "best.yaml").read_text()
    (tmp_path / "best").mkdir()
    bests.put(tmp_path, script, first, "The best of 4 trials.")
    assert (tmp_path / "best-before-2" / "best.yaml").exists()


@pytest.mark.slow
def test_a_failed_trial_is_told_and_the_search_goes_on(place, capsys):
    found = search(str(place / "data.yaml"), trials=3, ranges=["per_device_train_batch_size=100000,200000"],
                   over=["per_device_train_batch_size"], no_refit=True, output_dir=place / "failing")  # fmt: skip
    states = [one["state"] for one in found["trials"]]
    assert states == ["complete", "failed", "failed"]
    assert found["best_is_own"]
    said = capsys.readouterr().out
    assert "trial 2 of 3: failed: per_device_train_batch_size is" in said
    assert "No trial beat the configuration's own settings" in said
    assert "per_device_train_batch_size is" in (place / "failing" / page.NAME).read_text(encoding="utf-8")


@pytest.mark.slow
def test_from_python_it_searches_with_any_rows_and_leaves_a_configuration_to_train_with(place, tmp_path):
    frame = pd.read_csv(place / "data" / "train.csv")
    found = hf_xfmr.hyperparameter_search(
        frame, model=str(place / "model"), trials=2, over=["learning_rate"], ranges={"learning_rate": (3e-3, 3e-2)},
        refit=False, num_train_epochs=1, bf16=False, output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    assert list(found.trials.index) == [1, 2]
    assert set(found.trials["state"]) == {"complete"}
    assert 3e-3 <= found.trials["learning_rate"][2] <= 3e-2
    assert found.best["learning_rate"] in set(found.trials["learning_rate"])
    assert "accuracy" in found.sentence
    assert found.sentence in str(found).replace("\n  ", " ")
    assert "<iframe" in found.report._repr_html_()
    assert found.config.read_text().startswith("# hf_xfmr train classify --config ")
    with pytest.raises(UserError, match="--trials is 0"):
        hf_xfmr.hyperparameter_search(frame, model=str(place / "model"), trials=0, output_dir=str(tmp_path / "no"))


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (["--validation_fraction", "0"], {}, "validation"),
        (["--learning_rat", "1"], {}, "unknown option '--learning_rat'; did you mean 'learning_rate'"),
        (["--folds", "3"], {}, "^folds is given, which are a training each"),
        (["--few_labels", "true"], {}, "^few_labels is given, whose head is fitted when the encoder has learned"),
        (["--check_only"], {}, "^check_only is given, which ends before a trial could begin"),
        ([], {"over": ["batch"]}, "--over batch: not among what can be tried here"),
        ([], {"figure": "acuracy"}, "^--figure is 'acuracy'; it can be loss, accuracy"),
        ([], {"ranges": ["weight_decai=0:0.1"]}, "--range weight_decai: .* did you mean 'weight_decay'"),
        ([], {"ranges": ["learning_rate=1:x"]}, "give NAME=LOW:HIGH"),
        ([], {"ranges": ["learning_rate=2:1"]}, "the lower end must be below the higher"),
        ([], {"trials": 0}, "--trials is 0; it must be at least 1"),
        ([], {"seeds": [1]}, "give two or more different whole numbers"),
        ([], {"minutes": -1.0}, "--minutes is -1; it must be above 0"),
    ],
)
def test_what_is_wrong_is_one_sentence(place, tmp_path, words, options, message):
    config = place / "data.yaml"
    if "--validation_fraction" in words:
        text = config.read_text().replace(str(place / "data"), str(place / "data" / "train.csv"))
        config = tmp_path / "bare.yaml"
        config.write_text(text)
    with pytest.raises(UserError, match=message):
        search(str(config), words, **{"trials": 1, "no_refit": True, "output_dir": tmp_path / "out", **options})


def test_a_journal_that_was_cut_off_is_mended(tmp_path):
    record = {"space": {"learning_rate": {"kind": "log", "low": 1e-5, "high": 1e-3}}}
    first = study.Study(tmp_path, record, 0, lower=True)
    trial = first.next(4, {"learning_rate": 1e-4})
    first.optuna.tell(trial.number, 0.5)
    first.release(trial.number)
    with (tmp_path / study.JOURNAL).open("a") as file:
        file.write('{"op_code": 4, "wor')
    again = study.Study(tmp_path, record, 0, lower=True)
    assert [one.value for one in again.trials()] == [0.5]
    assert again.next(4, {}).number == 1
    again.release(1)
    assert isinstance(again.optuna, optuna.Study)
