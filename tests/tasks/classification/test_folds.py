"""`--folds` in the recipe: every row is answered by a model that had not seen it, and what is made of these answers."""

import csv
import json
import re
from pathlib import Path

import classify_bert
import numpy as np
import pandas as pd
import pytest
from places import ROOT
from small_checkpoints import make, said

import hf_xfmr
from hf_xfmr.check import Checked
from hf_xfmr.errors import UserError
from hf_xfmr.run import recipes
from hf_xfmr.run.folds import Part, running
from hf_xfmr.tasks.classification.folds import figures, near
from hf_xfmr.tasks.classification.folds import labels as folds_labels
from hf_xfmr.tasks.classification.folds.rows import fold_of
from hf_xfmr.tasks.classification.read import read_labelled
from hf_xfmr.tasks.classification.settings import ClassificationSettings
from hf_xfmr.tasks.rewrite import rewrite
from hf_xfmr.training import lock

QUICK = {"learning_rate": 1e-3, "per_device_train_batch_size": 64, "bf16": False, "disable_tqdm": True}
QUICK |= {"report_to": "none", "num_train_epochs": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("models")) / "base"


def texts(n: int) -> list[str]:
    draw = np.random.default_rng(0)
    return [" ".join([*draw.choice(list("abcdefghij"), 6), ("bad", "good")[i % 2]]) for i in range(n)]


def words(base: Path, file: Path, out: Path, *more: str) -> list[str]:
    flags = [word for name, value in QUICK.items() for word in (f"--{name}", str(value))]
    return ["--dataset", str(file), "--model", str(base), "--output_dir", str(out), "--folds", "2", *flags, *more]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_row_is_answered_by_a_model_that_had_not_seen_it_and_a_stopped_run_goes_on(
    base, tmp_path, monkeypatch, capsys
):
    written = texts(90)
    written[7], written[9] = written[5].upper(), written[5]  # one text three times, in labels of its own
    labels = [("neg", "pos")[i % 2] for i in range(90)]
    labels[7] = "neg"
    lines = [f"{i + 1000},{text},{label}" for i, (text, label) in enumerate(zip(written, labels, strict=True))]
    file, out = tmp_path / "a.csv", tmp_path / "out"
    file.write_text("\n".join(["id,text,label", *lines]))
    train, trained = classify_bert.train, []

    def stopped_in_the_second(trainer):
        trained.append(Path(trainer.args.output_dir).name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(trainer)

    monkeypatch.setattr(classify_bert, "train", stopped_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        classify_bert.main(words(base, file, out))
    lock.release(out / "fold-2")  # as the end of the process would
    seen = []

    def noted(trainer):
        trained.append(Path(trainer.args.output_dir).name)
        seen.append(set(trainer.train_dataset["id"]) | set(trainer.eval_dataset["id"] if trainer.eval_dataset else []))
        return train(trainer)

    monkeypatch.setattr(classify_bert, "train", noted)
    capsys.readouterr()
    classify_bert.main(words(base, file, out))
    told = capsys.readouterr().out
    assert trained == ["fold-1", "fold-2", "fold-2", "out"]
    assert f"fold 1 of 2: done before, in {out / 'fold-1'}" in told
    second = told.split("\nfold 2 of 2:\n")[1].split("\nall rows")[0]
    assert "data: " in second  # of the first fold that runs, what is said of the data
    assert "trained in" not in second
    assert re.search(r"\n  accuracy 0\.\d+ on the \d\d rows left out, \d+ s; .*log\.txt has what it said$", second)
    assert "trained in" in (out / "fold-2/log.txt").read_text()
    assert "interval (95 %, Nadeau and Bengio, 2003) is of the mean of 2 trainings" in told
    assert "try it: " not in second

    folds = [rows_of(out / f"fold-{n}/predictions-test.csv") for n in (1, 2)]
    ids = [{row["id"] for row in fold} for fold in folds]
    everything = {str(i + 1000) for i in range(90)}
    assert ids[0] | ids[1] == everything == seen[1]
    assert not ids[0] & ids[1]
    assert not ids[1] & seen[0]  # the model of fold 2
    assert len(next(one for one in ids if "1005" in one) & {"1005", "1007", "1009"}) == 3
    together = {row["id"]: row["p_pos"] for row in rows_of(out / "predictions-validation.csv")}
    assert together == pytest.approx({row["id"]: row["p_pos"] for fold in folds for row in fold})

    accuracy = [json.loads((out / f"fold-{n}/run.json").read_text())["metrics"]["test"]["accuracy"] for n in (1, 2)]
    assert f"accuracy {np.mean(accuracy):.3f}" in told.split("try it:")[-1].split("\nfolds: ")[1].splitlines()[0]
    found = {row["id"]: row for row in rows_of(out / "wrong-labels.csv")}
    assert {"1005", "1007", "1009"} <= found.keys()
    assert "another label for nearly the same text" in found["1007"]["why"]
    verdict = json.loads((out / "run.json").read_text())["verdict"]["level"]
    assert ("list is chance" in told) == (verdict == "useless")
    for level, says in (("useless", "learned nothing"), ("worse", "worse than a simple one"), ("better", "labels:")):
        lines = folds_labels.write(out, {**json.loads((out / "run.json").read_text()), "verdict": {"level": level}})
        assert says in lines[0]
    assert "<h2>Folds</h2>" in (out / "report.html").read_text()
    assert "1007" in (out / "wrong-labels.html").read_text()
    assert out / "wrong-labels.html" in rewrite(out, language="zh")
    assert "待检查的标签" in (out / "wrong-labels.html").read_text()
    assert hf_xfmr.load_run(out).predict(["a b good"])["label"][0] in ("neg", "pos")

    # corrected, and trained again: the CSV is never written over, and changes are counted
    table = pd.read_csv(out / "wrong-labels.csv", dtype=str, keep_default_na=False)
    table.loc[table.id == "1007", "fixed_label"] = "pos"
    table.loc[table.id == "1005", "fixed_label"] = "pos"
    table.to_csv(out / "wrong-labels.csv", index=False, sep=";", encoding="utf-8-sig")  # as a spreadsheet may
    capsys.readouterr()
    classify_bert.main(words(base, file, out))
    assert "(left as it was)" in capsys.readouterr().out
    assert (pd.read_csv(out / "wrong-labels.csv", sep=";").fixed_label == "pos").sum() == 2
    more = ["--fixed_labels", str(out / "wrong-labels.csv"), "--check_only", "true"]
    with pytest.raises(Checked):
        classify_bert.main([*words(base, file, tmp_path / "again"), *more])
    assert "fixed labels: 1 labels changed (1 of train)" in capsys.readouterr().out

    with pytest.raises(UserError, match=r"holds folds trained with folds 2, not 3: give another --output_dir"):
        classify_bert.main([*words(base, file, out), "--folds", "3"])


@pytest.mark.slow
def test_from_python_with_splits_given_and_ratings(base, tmp_path):
    def frame(begin: int, end: int) -> pd.DataFrame:
        part = texts(end)[begin:]
        return pd.DataFrame({"text": part, "stars": [float("good" in one) + len(one.split("a")) / 10 for one in part]})

    given = {"train": frame(0, 50), "validation": frame(50, 70), "test": frame(70, 100)}
    run = hf_xfmr.classify(given, model=str(base), folds=2, output_dir=str(tmp_path / "out"), **QUICK)
    assert run.folds.loc[[1, 2], "test"].sum() == 70  # test is left out, and measured by the model of all rows
    assert len(rows_of(run.folder / "predictions-test.csv")) == 30
    assert len(rows_of(run.folder / "predictions-validation.csv")) == 70
    for name in ("rmse", "pearson"):
        one = run.folds[name]
        assert one["low"] < one["mean"] < one["high"]
    assert set(run.metrics) == {"validation", "test", "baseline"}
    assert list(run.labels_to_check.columns)[:5] == ["id", "text", "label", "suggested_label", "fixed_label"]
    with pytest.raises(UserError, match="was trained without folds"):
        _ = hf_xfmr.load_run(run.folder / "fold-1").folds


@pytest.mark.slow
def test_several_labels(base, tmp_path):
    rows = [{"text": one, "labels": [w for w in ("good", "a") if w in one.split()]} for one in texts(60)]
    run = hf_xfmr.classify(rows, model=str(base), folds=2, output_dir=str(tmp_path / "out"), baseline=False, **QUICK)
    assert "f1_micro" in run.folds
    assert "baseline" not in run.metrics
    assert (run.folder / "wrong-labels.html").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--folds", "1"], "folds is 1; it must be a whole number from 2 to 50"),
        (["--seeds", "1", "2"], "folds and seeds are both given: leave seeds out"),
        (["--max_train_rows", "1"], "folds is 2, but the data have only one text: add rows"),
        (["--folds", "9"], "folds is 9, but the data have only 4 different texts: give fewer folds"),
    ],
)
def test_mistakes(base, tmp_path, capsys, more, message):
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(f"{w} text,{i % 2}" for i, w in enumerate("abcdabcd")))
    call = [*words(base, tmp_path / "a.csv", tmp_path / "out"), *more]
    assert message in said(capsys, lambda: classify_bert.main(call))


def test_few_rows_leave_no_fold_without_validation_rows(tmp_path):
    """That a hash of 13 texts takes none of them is seldom, but of many folds it is seen, when others are trained."""
    for begin in range(0, 100, 20):
        rows = [{"text": f"{i} text", "label": i % 2} for i in range(begin, begin + 20)]
        for number in range(1, 4):
            token = running.set(Part(number, 3))
            splits = read_labelled(rows, ClassificationSettings(folds=3)).splits
            running.reset(token)
            assert min(map(len, splits.values())) > 0
            seen = [{*one["text"][:]} for one in splits.values()]
            assert len(set.union(*seen)) == sum(map(len, seen)) == 20


def test_other_recipes_refuse_it(capsys, tmp_path):
    assert "unknown option '--folds'" in said(
        capsys, lambda: recipes.run("tag", ["--dataset", str(ROOT / "README.md"), "--folds", "5"])
    )


def test_folds_are_even_and_know_no_order():
    written, labels = texts(100), ["rare" if i < 5 else ("neg", "pos")[i % 2] for i in range(100)]
    found = fold_of(written, labels, 5)
    assert [int(((found == n) & (np.array(labels) == "rare")).sum()) for n in range(1, 6)] == [1] * 5
    assert set(np.bincount(found)[1:]) == {20}
    order = np.random.default_rng(1).permutation(100)
    again = fold_of([written[i] for i in order], [labels[i] for i in order], 5)
    assert (again == found[order]).all()
    ratings = np.linspace(0, 1, 100)
    means = [ratings[fold_of(written, ratings.tolist(), 5) == n].mean() for n in range(1, 6)]
    assert max(means) - min(means) < 0.02


def test_the_interval_is_nadeau_and_bengios():
    # by hand: sd 0.02, t of 4 degrees of freedom 2.7764, and 1/5 + 1/4 = 0.45
    one = figures.corrected([0.78, 0.80, 0.80, 0.80, 0.82 + 0.0082842712], test=20, train=80)
    spread = one["sd"]
    assert one["high"] - one["mean"] == pytest.approx(2.776445 * spread * 0.45**0.5, rel=1e-6)
    assert np.isnan(figures.corrected([0.5, 0.5], test=1, train=1)["low"])


def test_texts_that_are_nearly_the_same():
    long = "the quick brown fox jumps over the lazy dog and runs away into the dark woods of the north"
    found = near.groups(
        [long, "something else altogether", long.upper() + "!", long.replace("dark", "dim"), "ok", "no"]
    )
    assert found == [[0, 2, 3]]
    chinese = "这家酒店的服务态度非常好房间也很干净下次还会再来住的推荐给大家"
    assert near.groups([chinese, chinese + "。", "完全不同的一句话，没有任何相同之处"]) == [[0, 1]]
