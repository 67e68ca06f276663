"""More labels than anyone reads: what a run prints, writes and keeps is bounded, and its figures are the same."""

import csv
import json
import time

import classify_bert
import numpy as np
import pytest
import torch

from hf_xfmr import predict
from hf_xfmr.errors import UserError
from hf_xfmr.report import bootstrap
from hf_xfmr.tasks.classification import metrics
from hf_xfmr.tasks.classification.classifier import Classifier
from hf_xfmr.tasks.classification.kinds import kind_of, of_labels
from hf_xfmr.tasks.classification.many_multi import ManyMultiLabel
from hf_xfmr.tasks.classification.many_single import ManySingleLabel
from hf_xfmr.tasks.classification.most_likely import ids_of
from hf_xfmr.tasks.compare import compare

TINY = (
    "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16, vocab_size: 3000, "
    "max_position_embeddings: 64}"
)
NAMES = [f"label {number}" for number in range(7)]


def rows_of(path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def draw(several: bool):
    random = np.random.default_rng(0)
    logits = random.normal(size=(60, 7)).astype(np.float32) * 2
    gold = random.integers(0, 6, 60)  # nothing bears the last label
    logits[np.arange(60), gold] += 2
    if not several:
        return logits, gold
    return logits, (random.random((60, 7)) < 0.3) & (np.arange(7) < 6)


def test_one_label_of_many_has_the_figures_it_has_with_few():
    logits, gold = draw(several=False)
    few, many = kind_of("single_label_classification")(NAMES), ManySingleLabel(NAMES)
    outputs, predicted = many.of_logits(logits), logits.argmax(1)
    expected = few.figures(logits, gold)
    assert many.figures(outputs, gold) == pytest.approx(expected)
    assert many.predicted(outputs) == few.predicted(logits)
    weights = next(iter(bootstrap.weights(60)))
    for drawn in (np.ones((1, 60)), weights):
        again = few.headline_of_weights(gold, predicted, drawn)
        assert many.headline_of_weights(gold, predicted, drawn) == pytest.approx(again)
    values, resampled = many.headline(gold, predicted)
    expected, others = few.headline(gold, predicted)
    assert values == pytest.approx(expected)
    for ours, theirs in zip(bootstrap.interval(resampled), bootstrap.interval(others), strict=True):
        assert ours == pytest.approx(theirs, abs=0.02)
    by_label = few.counts_by_label(gold, predicted)
    for one, other in zip(by_label, many.counts_by_label(gold, predicted), strict=True):
        assert one.tolist() == other.tolist()
    rows = by_label[2][list(many.shown_labels(gold))].tolist()
    assert rows == sorted(rows, reverse=True)
    counts = few.confusion(gold, predicted)
    found = many.confused(gold, predicted)
    order = [NAMES.index(name) for name in found["labels"][:-1]]
    assert found["counts"][:-1, :-1].tolist() == counts[np.ix_(order, order)].tolist()
    assert (found["right"], found["rows"], found["of"]) == (np.trace(counts), 60, 7)
    most = counts - np.diag(np.diag(counts))
    assert found["pairs"][0]["rows"] == most.max()
    assert found["different_pairs"] == (most > 0).sum()


def test_several_labels_of_many_have_the_figures_they_have_with_few():
    logits, gold = draw(several=True)
    few, many = kind_of("multi_label_classification")(NAMES), ManyMultiLabel(NAMES)
    outputs, predicted = many.of_logits(logits), logits > 0
    ids = many.encode(few.named(gold))
    ours, said = many.array(ids), many.array(outputs.answers)
    expected = few.figures(logits, gold.astype(np.float32))
    expected.pop("roc_auc", None)
    assert many.figures(outputs, ids) == pytest.approx(expected)
    assert (ours.toarray() == gold).all()
    assert (said.toarray() == predicted).all()
    assert many.predicted(outputs) == few.predicted(logits)
    assert many.gold(ids) == few.gold(gold)
    assert many.stack([many.parse(text) for text in many.gold(ids)]).toarray().tolist() == gold.tolist()
    for drawn in (np.ones((1, 60)), next(iter(bootstrap.weights(60)))):
        again = few.headline_of_weights(gold, predicted, drawn)
        assert many.headline_of_weights(ours, said, drawn) == pytest.approx(again)
    for one, other in zip(few.counts_by_label(gold, predicted), many.counts_by_label(ours, said), strict=True):
        assert one.tolist() == other.tolist()
    kind, answer, always = few.unread(gold.astype(float).tolist(), 60)
    assert many.unread(ids, 60)[:2] == (kind, answer)
    assert many.unread(ids, 60)[2].toarray().tolist() == always.tolist()
    assert many.contest("f1_micro", ours, many.unread(ids, 60)[2], said) == few.contest(
        "f1_micro", gold, always, predicted
    )
    assert many.row_figure(ours, said).tolist() == few.row_figure(gold, predicted).tolist()
    assert many.balance_line(ids) == few.balance_line(gold.astype(float).tolist())


def test_which_labels_hold_as_ids():
    holds = torch.tensor([[False, True, True], [False, False, False], [True, False, False]])
    assert ids_of(holds).tolist() == [[1, 2], [-100, -100], [0, -100]]
    assert ids_of(holds[1:2]).tolist() == [[-100]]


def test_what_occurs_is_counted_and_nothing_of_all_labels_by_all_labels():
    random = np.random.default_rng(0)
    gold, predicted = random.integers(0, 100_000, (2, 5000))
    began = time.process_time()
    problem = of_labels(kind_of("single_label_classification"), [str(number) for number in range(100_000)])
    assert isinstance(problem, ManySingleLabel)
    values, drawn = problem.headline(gold, predicted)
    found = problem.confused(gold, predicted)
    assert (values.shape, drawn.shape) == ((4,), (bootstrap.RESAMPLES, 4))
    assert found["counts"].shape == (25, 25)
    assert found["counts"].sum() == 5000
    assert metrics.matthews_of_many(gold, gold, 100_000) == {"mcc": pytest.approx(1)}
    assert time.process_time() - began < 60


def single(path, labels: int, rows: int) -> str:
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(rows):
            words = " ".join(f"word{one}" for one in random.integers(0, 500, 6))
            writer.writerow([f"name{number % labels % 997} {words} {number}", f"intent_{number % labels}"])
    return str(path)


def several(path, labels: int, rows: int) -> str:
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            names = {number % labels, int(random.integers(labels)), int(random.integers(20))}
            words = " ".join(f"word{one}" for one in random.integers(0, 500, 6))
            file.write(
                json.dumps({"text": f"{words} {number}", "label": [f"tag_{one}" for one in sorted(names)]}) + "\n"
            )
    return str(path)


def train(dataset: str, out, *more: str):
    arguments = ["--model_config", TINY, "--max_steps", "3", "--eval_strategy", "no", "--report_to", "none"]
    return classify_bert.main(["--dataset", dataset, "--output_dir", str(out), *arguments, *more])


def check_bounded(folder, printed: str, labels: int) -> None:
    assert len(printed.splitlines()) < 100
    assert max(map(len, printed.splitlines())) < 1000
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    assert sizes["report.html"] < 400_000
    assert sizes["report.json"] < 100_000
    assert sizes["README.md"] < 20_000
    assert sizes["run.json"] < 150_000 + 60 * labels  # their names
    figures = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert len(figures["per_label"]) == 30
    assert figures["labels_left_out"]["labels"] == labels - 30
    more = f"and {labels - 30:,} more labels of at most"
    assert more in printed
    assert more in (folder / "report.html").read_text(encoding="utf-8")
    assert more in (folder / "README.md").read_text(encoding="utf-8")
    table, predictions = rows_of(folder / "labels.csv"), rows_of(folder / "predictions-test.csv")
    assert len(table) == labels
    given = [name for row in predictions for name in row["gold"].split("|")]
    assert {row["label"]: int(row["rows"]) for row in table if int(row["rows"])} == {n: given.count(n) for n in given}
    assert len(predictions[0]) < 30
    first = [float(row["top1_probability"]) for row in predictions]
    assert all(float(row["top10_probability"]) <= most for row, most in zip(predictions, first, strict=True))


def test_a_run_with_1200_labels_is_a_screenful_and_the_rest_is_in_files(tmp_path, capsys):
    out = tmp_path / "out"
    train(single(tmp_path / "rows.csv", 1200, 2600), out, "--per_device_train_batch_size", "8")
    printed = capsys.readouterr().out
    check_bounded(out, printed, 1200)
    assert "all are in labels.csv" in printed
    assert "every one is in confusions.csv" in printed
    assert "the nearest text of train" in printed
    predictions = rows_of(out / "predictions-test.csv")
    wrong = sum(row["gold"] != row["predicted"] for row in predictions)
    assert sum(int(row["rows"]) for row in rows_of(out / "confusions.csv")) == wrong
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Of 1,200 labels the 24 most often confused" in page
    assert len(json.loads((out / "run.json").read_text(encoding="utf-8"))["checks"]["findings"]) <= 102

    text = predictions[0]["text"]
    (answer,) = predict.predict(str(out), [text])
    assert answer["label"] == predictions[0]["predicted"] == next(iter(answer["probabilities"]))
    assert (len(answer["probabilities"]), answer["other_labels"]) == (10, 1190)
    assert answer["probability"] == pytest.approx(float(predictions[0]["top1_probability"]), abs=1e-4)
    (whole,) = predict.predict(str(out), [text], all_probabilities=True)
    assert len(whole["probabilities"]) == 1200
    assert sum(whole["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    answers = tmp_path / "answers.csv"
    list(predict.predict(str(out), file=out / "predictions-test.csv", text_column="text", out=answers))
    again = rows_of(answers)
    assert [row["label"] for row in again] == [row["top1"] for row in again]
    assert [row["label"] for row in again] == [row["predicted"] for row in predictions]
    figures = compare(out, out)["figures"]
    assert all(figure["difference"] == 0 for figure in figures)


def test_a_run_with_300_labels_several_a_row_is_as_short(tmp_path, capsys):
    out = tmp_path / "out"
    more = ("--per_device_train_batch_size", "8", "--learning_rate", "0.05", "--max_steps", "30", "--baseline", "false")
    train(several(tmp_path / "rows.jsonl", 300, 900), out, *more)
    check_bounded(out, capsys.readouterr().out, 300)
    predictions = rows_of(out / "predictions-test.csv")
    (answer,) = predict.predict(str(out), [predictions[0]["text"]])
    assert (answer["label"], answer["other_labels"]) == (predictions[0]["predicted"], 290)
    assert all(figure["difference"] == 0 for figure in compare(out, out)["figures"])
    assert len(Classifier(str(out), all_probabilities=True).columns) == 301


def test_a_hundred_thousand_labels_most_of_which_occur_once_are_none(tmp_path):
    with pytest.raises(UserError, match="has 100,000 different labels in 120,000 rows, most of them once"):
        train(single(tmp_path / "rows.csv", 100_000, 120_000), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(("write", "labels", "rows"), [(single, 20_000, 40_000), (several, 20_000, 30_000)])
def test_labels_without_end(tmp_path, capsys, write, labels, rows):
    out = tmp_path / "out"
    name = "rows.csv" if write is single else "rows.jsonl"
    # A model of several labels that has learned nothing answers half of all: it takes some steps until it answers few.
    train(write(tmp_path / name, labels, rows), out, "--learning_rate", "0.05", "--max_steps", "30")
    check_bounded(out, capsys.readouterr().out, labels)
