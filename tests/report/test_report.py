"""The run report, read back with a plain HTML parser."""

import base64
import csv
import hashlib
import itertools
import json
import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats
from scipy.special import expit, softmax
from sklearn import metrics

from hf_xfmr import report
from hf_xfmr.errors import UserError
from hf_xfmr.report.comparison import figure
from hf_xfmr.report.verdict import judge, words
from hf_xfmr.tasks.classification.report import evaluate

NASTY = (
    '<script>document.title="x"</script><img src=x onerror=alert(1)> & "q" \'s\' </style></svg>{{ 7*7 }}{% raw %} $x$'
)
VOID = {"meta", "img", "br", "path", "use", "rect", "image"}


class Page(HTMLParser):
    """Elements in order, visible text, and whether every tag is closed by its own."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ""
        self.html = html
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]

    def words(self) -> str:
        return " ".join(self.text.split())


def write_run(folder, predictions=None, **run):
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    for split, rows in (predictions or {}).items():
        with (folder / f"predictions-{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder


def written(folder) -> tuple[Page, dict]:
    path = report.write(folder, evaluate)
    assert path == folder / "report.html"
    figures = json.loads((folder / "report.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    return Page(path.read_text(encoding="utf-8")), figures


def single_label(rows, labels, *, seed=0, sharpness=2.0, text="text {}") -> list[dict]:
    """Predictions of a model that is right more often than not and `sharpness` times too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, len(labels))) * 1.5
    gold = (softmax(logits, axis=1).cumsum(1) < rng.random((rows, 1))).sum(1)
    shares = softmax(logits * sharpness, axis=1)
    return [
        {
            "id": f"r{i}",
            "text": text.format(i),
            "gold": labels[gold[i]],
            "predicted": labels[shares[i].argmax()],
            "cut": i % 5 == 0,
            "tokens": int(rng.integers(3, 200)),
        }
        | {f"p_{label}": f"{p:.6f}" for label, p in zip(labels, shares[i], strict=True)}
        for i in range(rows)
    ]


def multi_label(rows, labels, *, seed=0) -> list[dict]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, len(labels))) * 2 - 1
    gold, shares = rng.random(logits.shape) < expit(logits), expit(2 * logits)

    def named(row):
        return "|".join(name for name, yes in zip(labels, row, strict=True) if yes)

    return [
        {
            "id": i,
            "text": f"t{i}",
            "gold": named(gold[i]),
            "predicted": named(shares[i] >= 0.5),
            "cut": False,
            "tokens": 9,
        }
        | {f"p_{label}": f"{p:.6f}" for label, p in zip(labels, shares[i], strict=True)}
        for i in range(rows)
    ]


LABELS = ["bad", "fair", "good"]
SINGLE = {"problem_type": "single_label_classification", "label_names": LABELS}
HISTORY = [
    {"step": 10, "loss": 0.9, "learning_rate": 1e-4, "tokens_per_second": 900.0},
    {"step": 20, "loss": 0.5, "learning_rate": 0.0, "tokens_per_second": 1100.0},
    {"step": 20, "eval_loss": 0.6, "eval_accuracy": 0.8},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classification run: its page, its figures and its test predictions."""
    rows = {"validation": single_label(600, LABELS, seed=1), "test": single_label(500, LABELS)}
    folder = write_run(
        tmp_path_factory.mktemp("run"),
        rows,
        **SINGLE,
        title="movies",
        recipe="classify_bert",
        command="python recipes/classify_bert.py x.yaml",
        settings={"model": "sample:minilm", "max_length": 128},
        arguments={"learning_rate": 1e-4},
        data=["train 8,041 rows"],
        metrics={"validation": {"accuracy": 0.7}, "test": {"accuracy": 0.7, "roc_auc": 0.81, "runtime": 7.77}},
        baseline={"name": "TF-IDF + logistic regression", "test": {"accuracy": 0.611}},
        log_history=HISTORY,
        environment={"torch": "2.13.0"},
        seconds=125.0,
    )
    return *written(folder), rows["test"]


def test_the_page_stands_alone(run):
    page, _, _ = run
    assert page.html.startswith("<!doctype html>")
    assert len(page.all("script")) == 1
    script = re.search(r"<script>(.*?)</script>", page.html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.html  # and no other runs
    for tag in ("link", "iframe", "object", "base"):
        assert not page.all(tag)
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
        assert not [name for name in attributes if name.startswith("on")]
    assert "@import" not in page.html
    assert "default-src 'none'" in page.html
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in page.all("a")}
    assert targets
    assert targets <= set(ids)


def test_the_page_is_accessible(run):
    page, _, _ = run
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("h1")) == len(page.all("main")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    pictures = [attributes for attributes in page.all("div") if attributes.get("role") == "img"]
    assert len(pictures) == len(page.all("svg")) == 4
    assert all(picture["aria-label"] for picture in pictures)
    assert all("scope" in attributes for attributes in page.all("th"))


def test_the_page_says_what_was_run(run):
    words = run[0].words()
    for said in (
        "movies",
        "test 500",
        "2 min 5 s",
        "1,000 tokens a second",
        "baseline 0.611",
        "TF-IDF + logistic regression",
        "ROC-AUC–0.810–",
        "train 8,041 rows",
        "sample:minilm",
        "2.13.0",
        "python recipes/classify_bert.py x.yaml",
    ):
        assert said in words
    assert "7.77" not in words  # a metric of time, not of quality


def test_figures_are_scikit_learns_and_lie_in_their_intervals(run):
    _, figures, rows = run
    gold, predicted = [row["gold"] for row in rows], [row["predicted"] for row in rows]
    headline = figures["headline"]
    assert {name: estimate["value"] for name, estimate in headline.items()} == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(gold, predicted),
            "f1_macro": metrics.f1_score(gold, predicted, average="macro"),
            "f1_weighted": metrics.f1_score(gold, predicted, average="weighted"),
            "mcc": metrics.matthews_corrcoef(gold, predicted),
        }
    )
    precision, recall, f1, support = metrics.precision_recall_fscore_support(gold, predicted, labels=LABELS)
    for k, row in enumerate(figures["per_label"]):
        assert row["label"] == LABELS[k]
        assert row["rows"] == support[k]
        values = [row[name]["value"] for name in ("precision", "recall", "f1")]
        assert values == pytest.approx([precision[k], recall[k], f1[k]])
        headline |= {f"{name} {k}": row[name] for name in ("precision", "recall", "f1")}
    for estimate in headline.values():
        assert estimate["low"] < estimate["value"] < estimate["high"]
        assert estimate["high"] - estimate["low"] < 0.2
    accuracy = headline["accuracy"]
    se = np.sqrt(accuracy["value"] * (1 - accuracy["value"]) / 500)
    assert accuracy["high"] - accuracy["low"] == pytest.approx(2 * 1.96 * se, rel=0.1)
    matrix = metrics.confusion_matrix(gold, predicted, labels=LABELS)
    assert figures["confusion"] == {"labels": LABELS, "counts": matrix.tolist()}


def test_the_temperature_is_recorded_and_calibrates(run):
    page, figures, _ = run
    assert figures["temperature"] == pytest.approx(2.0, rel=0.2)
    before, after = (figures["calibration"][k]["expected_calibration_error"] for k in ("before", "after"))
    assert after < before / 2
    assert f"{before:.3f}" in page.words()
    assert f"{after:.3f}" in page.words()
    assert sum(figures["calibration"]["before"]["bins"]["rows"]) == 500


def test_slices_are_those_of_the_rows(run):
    _, figures, rows = run
    whole, cut = figures["slices"]["truncation"]
    members = [row["gold"] == row["predicted"] for row in rows if row["cut"]]
    assert (cut["slice"], cut["rows"]) == ("cut", len(members))
    assert cut["figure"]["value"] == pytest.approx(np.mean(members))
    assert whole["rows"] == 500 - len(members)
    quarters = figures["slices"]["length"]
    assert sum(quarter["rows"] for quarter in quarters) == 500
    assert all(100 < quarter["rows"] < 150 for quarter in quarters)
    first, last = (int(n) for n in quarters[1]["slice"].removesuffix(" tokens").split("–"))
    inside = [row["gold"] == row["predicted"] for row in rows if first <= row["tokens"] <= last]
    assert quarters[1]["rows"] == len(inside)
    assert quarters[1]["figure"]["value"] == pytest.approx(np.mean(inside))


def test_the_worst_errors_are_the_surest_wrong_ones(run):
    page, figures, rows = run
    wrong = [row for row in rows if row["gold"] != row["predicted"]]
    wrong.sort(key=lambda row: -float(row["p_" + row["predicted"]]))
    assert [row["id"] for row in figures["worst"]] == [row["id"] for row in wrong[:50]]
    assert figures["wrong_rows"] == len(wrong)
    assert all(row["text"] in page.words() for row in figures["worst"])


def test_everything_from_data_is_shown_as_text(tmp_path):
    labels = ["<u>line</u>", "</svg><script>alert(2)</script>"]
    rows = single_label(80, labels, text=NASTY.replace("{", "{{").replace("}", "}}"))
    rows = [row | {"id": NASTY, "text_pair": NASTY + " pair"} for row in rows]
    folder = write_run(
        tmp_path / "run",
        {"validation": rows, "test": rows},
        problem_type="single_label_classification",
        label_names=labels,
        title=NASTY,
        recipe=NASTY,
        command=NASTY,
        settings={NASTY: NASTY},
        arguments={NASTY: [NASTY]},
        environment={NASTY: NASTY},
        data=[NASTY],
        metrics={NASTY: {NASTY: 0.5}},
        baseline={"name": NASTY, "test": {"accuracy": 0.5}},
        log_history=[{"step": 1, "loss": 0.5}, {"step": 1, f"eval_{NASTY}": 0.5}],
        samples=[{"step": 1, "prompt": NASTY, "sample": NASTY}],
        worst_sentences=[{"id": NASTY, "text": NASTY, "missed": [{"type": NASTY, "text": NASTY, "at": [0, 8]}]}],
        translations=[{"source": NASTY, "reference": NASTY, "translation": NASTY}],
    )
    Figure().savefig(folder / "attention-<u>.svg")
    page, figures = written(folder)
    assert len(page.all("script")) == 1  # ours
    assert not page.all("u")
    assert len(page.all("style")) == 1
    assert [image["src"][:26] for image in page.all("img")] == ["data:image/svg+xml;base64,"]
    assert page.words().count(NASTY) > 20 + 2 * len(figures["worst"])
    assert page.words().count(labels[1]) > 3
    assert "49{%" not in page.html


def test_long_texts_are_folded_but_whole(tmp_path):
    long = " ".join(f"word{i}" for i in range(10_000))
    rows = single_label(60, LABELS)
    for row in rows:
        row["text"] = f"{row['id']} {long}" if row["gold"] != row["predicted"] else row["text"]
    page, figures = written(write_run(tmp_path / "run", {"test": rows}, **SINGLE))
    folded = [one for one in page.all("details") if one["class"].startswith("text")]
    assert len(folded) == len(figures["worst"]) > 5
    unmarked = Page(page.html.replace('<span class="more">', "<style>").replace("characters</span>", "</style>"))
    assert unmarked.text.count(long) == len(figures["worst"])


def test_two_labels_have_a_threshold_chosen_on_validation(tmp_path):
    labels = ["no", "yes"]
    rows = {"validation": single_label(400, labels, seed=3), "test": single_label(300, labels)}
    _, figures = written(write_run(tmp_path / "run", rows, problem_type=SINGLE["problem_type"]))
    table = figures["thresholds"]
    assert [row["label"] for row in table] == ["yes"] * 10
    assert [row["threshold"] for row in table] == sorted(row["threshold"] for row in table)
    (chosen,) = (row for row in table if row["chosen"])

    def scaled(split):
        odds = [np.log(float(row["p_yes"]) / float(row["p_no"])) / figures["temperature"] for row in rows[split]]
        return expit(np.array(odds)), np.array([row["gold"] == "yes" for row in rows[split]])

    probability, gold = scaled("validation")
    best = max(metrics.f1_score(gold, probability >= t) for t in np.unique(probability))
    assert metrics.f1_score(gold, probability >= chosen["threshold"]) == pytest.approx(best)
    probability, gold = scaled("test")
    assert chosen["f1"] == pytest.approx(metrics.f1_score(gold, probability >= chosen["threshold"]))


def test_several_labels_a_row(tmp_path):
    labels = ["comedy", "drama", "never"]
    rows = {"validation": multi_label(800, labels, seed=5), "test": multi_label(700, labels)}
    for split in rows.values():
        for row in split:
            row["gold"] = row["gold"].replace("|never", "").replace("never", "")
    page, figures = written(write_run(tmp_path / "run", rows, problem_type="multi_label_classification"))
    gold, predicted = (
        np.array([[label in row[key].split("|") for label in labels] for row in rows["test"]])
        for key in ("gold", "predicted")
    )
    headline = {name: estimate["value"] for name, estimate in figures["headline"].items()}
    assert headline == pytest.approx(
        {
            "f1_micro": metrics.f1_score(gold, predicted, average="micro"),
            "f1_macro": metrics.f1_score(gold, predicted, average="macro", zero_division=0),
            "subset_accuracy": metrics.accuracy_score(gold, predicted),
        }
    )
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(gold, predicted, zero_division=0)
    row = figures["per_label"][1]
    assert [row[k]["value"] for k in ("precision", "recall", "f1")] == pytest.approx([precision[1], recall[1], f1[1]])
    assert figures["per_label"][2]["recall"]["value"] is None  # no row bears it
    assert [(row["label"], row["chosen"]) for row in figures["thresholds"]] == [
        ("comedy", False),
        ("comedy", True),
        ("drama", False),
        ("drama", True),
        ("never", False),
    ]
    assert "confusion" not in figures
    calibration = figures["calibration"]
    assert calibration["after"]["expected_calibration_error"] < calibration["before"]["expected_calibration_error"]
    assert "all labels right" in page.words()
    assert "none" in {row["gold"] for row in figures["worst"]} | {row["predicted"] for row in figures["worst"]}


def test_regression(tmp_path):
    rng = np.random.default_rng(0)
    gold = rng.normal(size=400).round(1)
    predicted = gold + rng.normal(size=400)
    rows = [
        {"id": i, "text": f"t{i}", "gold": g, "predicted": p, "cut": False, "tokens": i}
        for i, (g, p) in enumerate(zip(gold, predicted, strict=True))
    ]
    page, figures = written(
        write_run(tmp_path / "run", {"test": rows}, problem_type="regression", label_names=["score"])
    )
    error = np.abs(gold - predicted)
    values = {name: estimate["value"] for name, estimate in figures["headline"].items()}
    assert values == pytest.approx(
        {
            "pearson": stats.pearsonr(gold, predicted).statistic,
            "spearman": stats.spearmanr(gold, predicted).statistic,
            "r2": 1 - (error**2).mean() / gold.var(),
            "rmse": (error**2).mean() ** 0.5,
            "mae": error.mean(),
        }
    )
    low, high = (np.tanh(np.arctanh(values["pearson"]) + z / np.sqrt(397)) for z in (-1.96, 1.96))
    assert figures["headline"]["pearson"]["low"] == pytest.approx(low, abs=0.03)
    assert figures["headline"]["pearson"]["high"] == pytest.approx(high, abs=0.03)
    assert [row["id"] for row in figures["worst"]] == [str(i) for i in np.argsort(-error)[:50]]
    assert figures["temperature"] is None
    assert "truncation" not in figures["slices"]
    assert next(a["aria-label"] for a in page.all("div") if a.get("role") == "img").startswith("Scatter plot")
    assert "mean absolute error" in page.words()


def test_language_models(tmp_path):
    folder = write_run(
        tmp_path / "run",
        recipe="finetune_gpt2",
        metrics={"test": {"loss": 2.0, "epoch": 3.0}},
        samples=[{"step": 5, "prompt": "Once upon", "sample": "\na time <|endoftext|>"}],
        loss_by_position=[5.0, 4.0, None, 3.5],
        log_history=HISTORY,
    )
    page, figures = written(folder)
    assert figures["metrics"]["test"]["perplexity"] == pytest.approx(np.exp(2))
    assert "perplexity 7.389" in page.words()
    assert "Once upon\na time <|endoftext|>" in page.text
    assert any("each position" in a.get("aria-label", "") for a in page.all("div"))


def test_translations(tmp_path):
    folder = write_run(
        tmp_path / "run",
        metrics={"test": {"loss": 1.2, "bleu": 41.23, "length_ratio": 0.982}},
        translations=[{"source": "I have a cold.", "reference": "J'ai un rhume.", "translation": "J'ai froid."}],
    )
    Figure(figsize=(1, 1)).savefig(folder / "attention-layer 1.svg")
    page, _ = written(folder)
    assert page.words().index("BLEU 41.2") < page.words().index("loss 1.200")
    for said in ("length ratio 0.982", "I have a cold.", "J'ai un rhume.", "J'ai froid."):
        assert said in page.words()
    assert [image["alt"] for image in page.all("img")] == ["Attention map layer 1"]


def test_what_is_missing_is_left_out(tmp_path):
    page, figures = written(write_run(tmp_path / "empty"))
    assert figures["temperature"] is None
    assert [tag for tag, _ in page.elements if tag in ("h2", "svg", "table")] == ["h2"]
    bare = [{k: row[k] for k in ("text", "gold", "predicted")} for row in single_label(60, LABELS)]
    page, figures = written(write_run(tmp_path / "bare", {"test": bare}, problem_type=SINGLE["problem_type"]))
    assert figures["calibration"] is figures["thresholds"] is figures["temperature"] is None
    assert figures["confusion"]["labels"] == LABELS
    assert figures["slices"] == {}
    assert len(page.all("svg")) == 1


def test_without_test_rows_validation_is_shown_and_nothing_is_fitted_on_it(tmp_path):
    page, figures = written(write_run(tmp_path / "run", {"validation": single_label(100, LABELS)}, **SINGLE))
    assert figures["temperature"] is None
    assert "validation 100" in page.words()
    assert "No temperature was fitted" in page.words()
    assert "predictions-validation.csv" in page.words()


def broken(change, *, number=7):
    rows = single_label(20, LABELS)
    rows[number - 1] |= change
    return {"test": rows}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (broken({"gold": "excellent"}), "predictions-test.csv, row 7: gold can't be 'excellent'"),
        (broken({"p_fair": "nan"}), "predictions-test.csv, row 7: p_fair can't be 'nan'"),
        (broken({"p_fair": "1.5"}), "row 7: p_fair can't be '1.5'"),
        (broken({"tokens": "many"}), "row 7: tokens can't be 'many'"),
        (broken({"cut": "perhaps"}), "row 7: cut can't be 'perhaps'"),
        ({"test": [{"text": "a", "gold": "bad"}]}, "has no column 'predicted'"),
        ({"test": single_label(9, LABELS), "validation": single_label(9, LABELS[::-1])}, "p_<label> .* differ"),
    ],
)
def test_predictions_that_cannot_be_read_are_named(tmp_path, rows, said):
    with pytest.raises(UserError, match=said):
        report.write(write_run(tmp_path / "run", rows, **SINGLE), evaluate)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no run\.json"):
        report.write(tmp_path, evaluate)
    folder = write_run(tmp_path / "run", {"test": single_label(9, LABELS)}, **SINGLE)
    predictions = folder / "predictions-test.csv"
    for content, said in (
        (b"", "is no table in UTF-8"),
        (b"text,gold,predicted\n", "has no rows"),
        (b"text,gold,predicted\na,bad\n", "row 1: 2 fields where the header has 3"),
        ("text,gold,predicted\nträge,bad,bad\n".encode("latin-1"), "is no table in UTF-8"),
    ):
        predictions.write_bytes(content)
        with pytest.raises(UserError, match=said):
            report.write(folder, evaluate)
    (folder / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json is not JSON"):
        report.write(folder, evaluate)
    with pytest.raises(UserError, match="the problem type 'None' is none of"):
        report.write(write_run(folder, {"test": single_label(9, LABELS)}), evaluate)


def test_ten_thousand_predictions_take_seconds(tmp_path):
    labels = [f"label {i}" for i in range(10)]
    rows = {"validation": single_label(10_000, labels, seed=1), "test": single_label(10_000, labels)}
    folder = write_run(tmp_path / "run", rows, problem_type=SINGLE["problem_type"], log_history=HISTORY)
    begin = time.process_time()
    path = report.write(folder, evaluate)
    assert time.process_time() - begin < 5
    assert path.stat().st_size < 1_000_000


def test_a_verdict_stands_first_with_its_warnings_and_what_to_paste(tmp_path):
    rivals = [
        figure("accuracy", (0.4, 0.5), np.array([0.1]), 0.001, "mcnemar") | {"kind": "majority", "answer": "<b>good"},
        figure("accuracy", (0.8, 0.5), np.array([-0.3]), 0.001, "mcnemar") | {"kind": "tfidf"},
    ]
    heeded = [
        {"kind": "few_steps", "steps": 30, "try": "--num_train_epochs 3"},
        {"kind": "one_label", "split": "test"},
    ]
    verdict = judge("accuracy", 0.5, rivals, rows=100, unit="rows", split="test", warnings=heeded)
    folder = write_run(tmp_path / "run", metrics={"test": {"accuracy": 0.5}}, log_history=HISTORY)
    path = report.write(folder, lambda folder, run: report.Evaluation({"verdict": verdict}, {}, {}))
    page = Page(path.read_text(encoding="utf-8"))
    said = page.words()
    assert said.index("Worse than a simple model") < said.index(verdict["sentence"]) < said.index("accuracy 0.500")
    assert 'only 30 steps of training <code><span class="unbroken">--num_train_epochs</span> 3</code>' in page.html
    assert page.html.count("<code>") == 1
    assert "&lt;b&gt;good" in page.html
    again = report.write(folder, lambda *_: report.Evaluation({"verdict": verdict}, {}, {}), language="zh")
    chinese = Page(again.read_text("utf-8"))
    assert verdict["sentence"] not in chinese.words()
    assert words(verdict, "zh")["sentence"] in chinese.words()
    assert any(attributes.get("class") == "verdict worse" for attributes in page.all("div"))


def test_no_two_tiles_are_one_number(run):
    page, _, _ = run
    (begin, end) = (page.html.index('<dl class="tiles">'), page.html.index("<nav"))
    values = re.findall(r'<dd class="value">([\d.]+)</dd>', page.html[begin:end])
    assert len(values) >= 3
    assert len(set(values)) == len(values)


def test_a_run_too_short_for_a_curve_says_so(tmp_path):
    once = [{"step": 3, "loss": 0.7, "learning_rate": 1e-4}, {"step": 3, "eval_loss": 0.69}]
    page, _ = written(write_run(tmp_path / "run", log_history=once))
    assert "Logged too seldom for a curve, in 3 steps. The loss of training was 0.700." in page.words()
    assert not page.all("svg")
