"""Thresholds, costs and abstaining: against brute force, and in a run from training to what `predict` says."""

import csv
import json
import shutil
from types import SimpleNamespace

import classify_bert
import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.predict import predict
from hf_xfmr.tasks.classification import costs, fit_decision
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.classification.decisions import NO_LABEL, Decision, confidence, of_config
from hf_xfmr.tasks.classification.kinds import of_labels
from hf_xfmr.tasks.classification.multi_label import MultiLabel
from hf_xfmr.tasks.classification.single_label import SingleLabel
from hf_xfmr.tasks.decide import decide

FILLER = ["good", "bad", "film", "plot", "the", "and", "very", "so"]


def wish(**told) -> SimpleNamespace:
    names = ("best_f1", "target_precision", "target_recall", "costs", "decision_labels")
    return SimpleNamespace(**{**dict.fromkeys(names), **told})


def drawn(n=400, seed=0, decimals=2):
    draw = np.random.default_rng(seed)
    share = np.round(draw.random(n), decimals)
    return share, draw.random(n) < share**2


@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize("target", [0.5, 0.7, 0.9])
def test_thresholds_are_the_best_of_all(decimals, target):
    share, holds = drawn(decimals=decimals)
    every = [(t, share >= t) for t in [*np.unique(share), 1.1]]

    def recall(yes):
        return (yes & holds).sum() / holds.sum()

    precise = [yes for _, yes in every if yes.sum() >= fit_decision.LEAST and (yes & holds).sum() >= target * yes.sum()]
    found = fit_decision.threshold(share, holds, "target_precision", target)
    if not precise:
        assert isinstance(found, str)
        assert found.startswith("at most 0.")
    else:
        assert recall(share >= found) == max(map(recall, precise))
        assert holds[share >= found].mean() >= target
    found = fit_decision.threshold(share, holds, "target_recall", target)
    assert recall(share >= found) >= target
    assert (share >= found).sum() == min(yes.sum() for _, yes in every if recall(yes) >= target)
    cost = {"missed": 1.0, "false_alarm": 10 * target}

    def spent(yes):
        return cost["missed"] * (holds & ~yes).sum() + cost["false_alarm"] * (yes & ~holds).sum()

    found = fit_decision.threshold(share, holds, "costs", None, cost)
    assert spent(share >= found) == min(spent(yes) for t, yes in every if t <= 1 or share.max() < 1)


def test_answers_of_one_label_a_row_by_thresholds_and_by_costs():
    draw = np.random.default_rng(1)
    shares = draw.dirichlet(np.ones(3), 500)
    names, thresholds = ("a", "b", "c"), {"a": 0.6, "b": 0.3}
    for row, answer in zip(shares, Decision(names, thresholds=thresholds)(shares), strict=True):
        over = {name: row[names.index(name)] / least for name, least in thresholds.items()}
        reached = {name: ratio for name, ratio in over.items() if ratio >= 1}
        assert names[answer] == (max(reached, key=reached.get) if reached else "c")
    everywhere = Decision(names, thresholds=dict.fromkeys(names, 0.7))
    assert [*everywhere(shares)] == [row.argmax() if row.max() >= 0.7 else NO_LABEL for row in shares]
    assert everywhere.may_be_unsure
    assert everywhere.name_of(NO_LABEL) == "unsure"
    table = {gold: {answer: float(draw.integers(1, 9)) * (gold != answer) for answer in names} for gold in names}
    for gold in names:
        table[gold]["unsure"] = 2.0
    for row, answer in zip(shares, Decision(names, costs=table)(shares), strict=True):
        expected = {one: sum(row[k] * table[gold][one] for k, gold in enumerate(names)) for one in (*names, "unsure")}
        least = min(expected, key=expected.get)
        assert answer == (NO_LABEL if least == "unsure" else names.index(least))
    several = Decision(names, several=True, thresholds={"b": 0.2})
    assert (several(shares) == (shares >= np.array([0.5, 0.2, 0.5]))).all()
    assert confidence(np.array([[0.9, 0.2, 0.6]]), np.array([[True, True, True]])) == pytest.approx([0.2])


def test_what_cannot_be_is_said(tmp_path):
    one, two, several = of_labels(SingleLabel, ["a", "b", "c"]), SingleLabel(["a", "b"]), MultiLabel(["a", "b"])
    share, gold = np.tile([0.4, 0.6], (200, 1)), np.array([0, 1] * 100)
    told = {
        "above 0 and at most 1": (two, wish(target_precision=1.5)),
        "both given": (two, wish(target_precision=0.5, best_f1=True)),
        "but not what their thresholds are for": (two, wish(decision_labels="a")),
        'no label "d"': (one, wish(best_f1=True, decision_labels="a, d")),
        'name it, as in --decision_labels "c"': (one, wish(best_f1=True)),
        "can't be had at once": (one, wish(target_recall=0.9, decision_labels="a,b")),
        'out of reach on the validation rows for "b" (at most 0.500, of 200 rows)': (two, wish(target_precision=0.9)),
    }
    for words, (problem, settings) in told.items():
        with pytest.raises(UserError) as error:
            fit_decision.fit(settings, problem, share, gold)
        assert words in str(error.value)
    with pytest.raises(UserError, match="only 5 of 15 validation rows bear"):
        fit_decision.fit(wish(best_f1=True), two, share[:15], np.array([0] * 10 + [1] * 5))
    rare = np.zeros((200, 2), bool)
    rare[:50, 0] = rare[:5, 1] = True
    names = [f"label {number}" for number in range(101)]
    for kind, instead in {SingleLabel: "hf_xfmr predict --abstain_below", MultiLabel: "cut the probabilities"}.items():
        with pytest.raises(UserError, match=f"of more than 100 labels .101. .*{instead}"):
            fit_decision.check(wish(target_precision=0.9), of_labels(kind, names))
    found, record = fit_decision.fit(wish(best_f1=True), several, rare * 0.8, rare)
    assert set(found.thresholds) == {"a"}  # the rare one keeps 0.5
    assert len(record["by_label"]) == 1
    with pytest.raises(UserError, match="no validation"):
        fit_decision.check(wish(best_f1=True), two, {"train": {}, "test": {}})
    file = tmp_path / "costs.csv"
    for text, words in {
        "": "is empty",
        "gold,a\na,0\n": 'no costs where "b" is right',
        "gold,a,b\na,0,1\nb,x,0\n": "'x', which is no number",
        "gold,a,b\na,0,1\nb,1\n": "has 2 cells where the head has 3",
        "gold,a,d\na,0,1\nb,1,0\n": '"d" of "a" is no answer',
        "gold,a,b\na,0,\nb,1,0\n": 'does not say what answering "b" costs where "a" is right',
    }.items():
        file.write_text(text)
        with pytest.raises(UserError) as error:
            costs.read(file, ["a", "b"], several=False)
        assert words in str(error.value)
    (tmp_path / "costs.yaml").write_text("a: {b: 3}\nb: {a: 1, unsure: 0.5}\n")
    with pytest.raises(UserError, match='"unsure" costs where "a"'):
        costs.read(tmp_path / "costs.yaml", ["a", "b"], several=False)
    for bad in ({"x": 0.5}, {"a": 2}, {"a": "0.5"}, [0.5]):
        with pytest.raises(UserError, match="decisions that can't be"):
            of_config({"decision_thresholds": bad}, ["a", "b"], several=False)
    with pytest.raises(UserError, match='a label of this model is called "unsure"'):
        Decision(("unsure", "b"), thresholds={"unsure": 0.5, "b": 0.5})


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A run on texts one word of which tells the label four times in five, trained for a precision."""
    folder = tmp_path_factory.mktemp("decided")
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER])}
    BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(folder / "checkpoint")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=32, **sizes)).save_pretrained(
        folder / "checkpoint"
    )
    draw = np.random.default_rng(0)
    words = [draw.choice(FILLER, 6) for _ in range(1500)]
    shares = [1 / (1 + np.exp(-2 * ((row == "good").sum() - (row == "bad").sum()))) for row in words]
    with (folder / "rows.csv").open("w", newline="") as file:
        lines = [[" ".join(row), "pos" if draw.random() < p else "neg"] for row, p in zip(words, shares, strict=True)]
        csv.writer(file).writerows([["text", "label"], *lines])
    flags = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 32,
        "learning_rate": 5e-3,
        "warmup_steps": 0,
        "bf16": False,
    }
    flags |= {"validation_fraction": 0.2, "test_fraction": 0.2, "target_precision": 0.85}
    flags |= {"model": folder / "checkpoint", "dataset": folder / "rows.csv", "output_dir": folder / "run"}
    classify_bert.main([word for key, value in flags.items() for word in (f"--{key}", str(value))])
    return folder / "run"


def state(run, split="test"):
    config, record, report = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "run", "report"))
    with (run / f"predictions-{split}.csv").open(newline="") as file:
        return config, record, report, list(csv.DictReader(file))


def test_a_run_decides_by_its_target_everywhere_and_can_be_decided_otherwise(noisy, tmp_path, capsys):
    run = shutil.copytree(noisy, tmp_path / "run")
    config, record, report, rows = state(run)
    (least,) = config["decision_thresholds"].values()
    assert config["decision_thresholds"].keys() == {"pos"}
    assert least > 0.5
    given = [row["predicted"] for row in state(run, "validation")[3]]
    gold = [row["gold"] for row in state(run, "validation")[3]]
    assert np.mean([g == "pos" for g, p in zip(gold, given, strict=True) if p == "pos"]) >= 0.85
    accuracy = np.mean([row["gold"] == row["predicted"] for row in rows])
    assert record["metrics"]["test"]["accuracy"] == pytest.approx(accuracy)
    assert report["headline"]["accuracy"]["value"] == pytest.approx(accuracy)
    assert sum(map(sum, report["confusion"]["counts"])) == len(rows)
    (told,) = (one for one in record["verdict"]["warnings"] if one["kind"] == "decided_target_precision")
    for page in ("report.html", "README.md"):
        assert "thresholds for a precision of 0.850" in (run / page).read_text()
    assert told["target"] == 0.85
    # predict, the table and the Python object decide as the predictions file does
    texts = [row["text"] for row in rows]
    answers = list(Classifier(str(run))(texts))
    assert [one["label"] for one in answers] == [row["predicted"] for row in rows]
    assert any(one["label"] == "neg" and one["probabilities"]["pos"] > 0.5 for one in answers)
    assert all(one["probability"] == one["probabilities"][one["label"]] for one in answers)
    cool = list(Classifier(str(run), temperature=9.0)(texts))
    assert [one["label"] for one in cool] == [row["predicted"] for row in rows]  # shown otherwise, decided alike
    assert list(hf_xfmr.load_run(run).predict(texts)["label"]) == [row["predicted"] for row in rows]
    # otherwise, and back: the same as was trained
    before = {name: (run / name).read_bytes() for name in ("predictions-test.csv", "predictions-validation.csv")}
    decide(run, likeliest=True)
    plain_config, plain, _, plain_rows = state(run)
    assert plain_config["decision_thresholds"] is None
    assert plain["decision"] is None
    assert not [one for one in plain["verdict"]["warnings"] if one["kind"].startswith("decided_")]
    assert all((float(row["p_pos"]) >= 0.5) == (row["predicted"] == "pos") for row in plain_rows)
    decide(run, target_precision=0.85)
    assert state(run)[0]["decision_thresholds"]["pos"] == pytest.approx(least, abs=1e-5)
    assert before == {name: (run / name).read_bytes() for name in before}
    assert state(run)[1]["metrics"]["test"]["accuracy"] == pytest.approx(accuracy)
    with pytest.raises(UserError, match="out of reach"):
        decide(run, target_precision=1.0)
    assert before == {name: (run / name).read_bytes() for name in before}


def test_unsure_has_the_share_and_accuracy_that_the_report_promised(noisy, tmp_path, capsys):
    run = shutil.copytree(noisy, tmp_path / "run")
    decide(run, target_precision=0.85, decision_labels="neg,pos")
    _, _, report, rows = state(run)
    sure = [row for row in rows if row["predicted"] != "unsure"]
    assert 0 < len(sure) < len(rows)
    assert report["rows"] == len(sure) == report["decision"]["answered"] == report["coverage"]["answered"][0]
    right = [row["gold"] == row["predicted"] for row in sure]
    assert report["headline"]["accuracy"]["value"] == pytest.approx(np.mean(right))
    assert f"{len(sure):,} of {len(rows):,} test rows that have an answer" in (run / "report.html").read_text()
    decide(run, likeliest=True)
    report = state(run)[2]
    texts = [row["text"] for row in rows]
    capsys.readouterr()
    step = next(n for n, answered in enumerate(report["coverage"]["answered"]) if answered < 0.7 * len(rows))
    limit = step / 100
    answers = list(predict(str(run), texts, abstain_below=limit))
    said = capsys.readouterr().err.splitlines()[-1]
    kept = [(one, row) for one, row in zip(answers, rows, strict=True) if one["label"] != "unsure"]
    assert all(one["probability"] >= limit for one, _ in kept)
    assert all(one["probability"] < limit for one in answers if one["label"] == "unsure")
    assert report["coverage"]["answered"][step] == len(kept)
    assert report["coverage"]["right"][step] == sum(one["label"] == row["gold"] for one, row in kept)
    unsure = len(rows) - len(kept)
    share = f"{100 * report['coverage']['right'][step] / len(kept):.1f} %"
    assert said == (
        f"unsure: {unsure} of {len(rows)} rows ({100 * unsure / len(rows):.1f} %); of the test rows "
        f"{100 * unsure / len(rows):.1f} % were, and of the other {len(kept)} {share} right"
    )
    out = tmp_path / "out.csv"
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(texts))
    list(predict(str(run), file=file, out=out, abstain_below=limit))
    assert capsys.readouterr().err.splitlines()[-1] == said
    with out.open(newline="") as table:
        assert [row["label"] for row in csv.DictReader(table)] == [one["label"] for one in answers]
    for words, wrong in {"at most 1": {"abstain_below": 1.5}, "leave one of them out": {"temperature": 2.0}}.items():
        with pytest.raises(UserError, match=words):
            list(predict(str(run), texts, **{"abstain_below": limit, **wrong}))
