"""Reports of every task in a real browser: what axe finds, what is cut off on a phone, what filters and what prints.

Needs `pip install 'hf_xfmr[browser]'` and an installed Chromium: on the PATH, or named by HF_XFMR_CHROMIUM.
"""

import os
import shutil

import numpy as np
import pytest
import test_report as rows

from hf_xfmr import report
from hf_xfmr.tasks.classification.report import evaluate

pytestmark = pytest.mark.slow
CHROMIUM = os.environ.get("HF_XFMR_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PHONE, LAPTOP = 390, 1280
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
HISTORY = [{"step": i, "loss": 1 / i, "learning_rate": 1e-4 / i, "tokens_per_second": 900.0 + i} for i in range(1, 21)]
ABOUT = {
    "title": "A run with a rather long name, by which nothing should be pushed out of the page",
    "command": "hf_xfmr train classify --dataset /a/long/path/without/any/space/in/it/reviews-of-restaurants.csv",
    "settings": {
        "model": "sample:minilm",
        "dataset": "reviews.csv",
        "model_config": {"a_long_name_of_a_field": 12_345},
    },
    "arguments": {"learning_rate": 1e-4, "include_num_input_tokens_seen": "non_padding"},
    "environment": {"device": "A processor of some name, 2 cores", "precision": "float32"},
    "data": ["splits: train 800, validation 100, test 100"],
    "finished": "2026-01-02T03:04+00:00",
    "seconds": 125.0,
    "log_history": [*HISTORY, {"step": 10, "eval_loss": 0.7}, {"step": 20, "eval_loss": 0.6}],
    "checks": {
        "looked_at": "800 of 800 train",
        "rows": {"train": 800, "validation": 100, "test": 100},
        "findings": [{"level": "warning", "message": "1 of 800 train rows repeats another", "advice": "keep one"}],
        "costs": ["time: 20 s"],
        "lengths": {"edges": [0, 5, 10, 15], "rows": [3, 9, 4], "longest": 15},
        "length_limit": 10,
        "balance": {"train": {"bad": 300, "good": 500}, "test": {"bad": 40, "good": 60}},
        "coverage": {},
    },
}
SINGLE = "single_label_classification"


def classified(labels: list[str], count: int) -> dict:
    both = {split: rows.single_label(count, labels, seed=seed) for seed, split in enumerate(("validation", "test"))}
    words = "A sentence of some length, as people write them about what they ate, number {}."
    for one in both.values():
        for number, row in enumerate(one):
            row["text"] = words.format(number)
    scores = {"accuracy": 0.7, "f1_macro": 0.6, "roc_auc": 0.8}
    baseline = {"name": "TF-IDF + logistic regression", "test": {"accuracy": 0.6}}
    metrics = {"validation": scores, "test": scores}
    return {
        "predictions": both,
        "problem_type": SINGLE,
        "label_names": labels,
        "metrics": metrics,
        "baseline": baseline,
    }


def rated() -> dict:
    draw = np.random.default_rng(0)
    gold = draw.normal(size=200).round(1)
    test = [{"id": i, "text": f"t{i}", "gold": g, "predicted": g + draw.normal(), "cut": False, "tokens": i}
            for i, g in enumerate(gold)]  # fmt: skip
    return {"predictions": {"test": test}, "problem_type": "regression", "metrics": {"test": {"pearson": 0.7}}}


def tagged() -> dict:
    text = "Anna Meyer moved from Oslo to Bergen."
    anna, oslo = {"type": "PER", "text": "Anna Meyer", "at": [0, 10]}, {"type": "LOC", "text": "Oslo", "at": [22, 26]}
    figures = {"entities": 12, "found": 9, "precision": 0.8, "recall": 0.75, "f1": 0.77, "baseline_f1": 0.5}
    return {
        "recipe": "tag_bert",
        "metrics": {"test": {"f1": 0.77, "precision": 0.8, "recall": 0.75}},
        "entity_types": [{"type": kind, **figures} for kind in ("PER", "LOC")],
        "worst_sentences": [{"id": i, "text": text, "missed": [anna], "wrong": [oslo]} for i in range(15)],
    }


def translated() -> dict:
    pair = {"source": "I have a cold.", "reference": "J'ai un rhume.", "translation": "J'ai froid."}
    return {"recipe": "translate", "metrics": {"test": {"bleu": 41.2, "chrf": 60.1}}, "translations": [pair] * 12}


def written() -> dict:
    sample = {"step": 20, "prompt": "Once upon", "sample": " a time\nthere was a bear,\nand it slept."}
    return {
        "recipe": "finetune_gpt2",
        "metrics": {"validation": {"loss": 2.0}},
        "samples": [sample],
        "loss_by_position": [3.0, 2.5, 2.2],
    }


def pretrained() -> dict:
    return {"recipe": "pretrain_bert", "metrics": {"test": {"mlm_loss": 5.1, "mlm_accuracy": 0.2, "masked": 812}}}


def tiny() -> dict:
    one = [{"step": 3, "loss": 0.7}, {"step": 3, "eval_loss": 0.69, "eval_accuracy": 0.5}]
    return {**classified(["no", "yes"], 5), "log_history": one}


RUNS = {
    "two labels": lambda: classified(["bad", "good"], 300),
    "many labels": lambda: classified([f"a label of number {i}" for i in range(60)], 400),
    "several labels": lambda: {"predictions": {"test": rows.multi_label(300, ["comedy", "drama", "war"])},
                               "problem_type": "multi_label_classification", "metrics": {"test": {"f1_micro": 0.6}}},
    "ratings": rated,
    "tagging": tagged,
    "translation": translated,
    "language model": written,
    "pre-training": pretrained,
    "a tiny run": tiny,
}  # fmt: skip


def page_of(folder, run: dict, language: str = "en"):
    run = {**ABOUT, "recipe": "classify_bert", **run}
    rows.write_run(folder, run.pop("predictions", None), **run)
    return report.write(folder, evaluate, language=language)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install 'hf_xfmr[browser]'")
    pytest.importorskip("axe_playwright_python", reason="pip install 'hf_xfmr[browser]'")
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH, and HF_XFMR_CHROMIUM names none")
    with sync_api.sync_playwright() as started:
        running = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield running
        running.close()


def opened(browser, path, *, width=LAPTOP, scheme="light", script=True):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script, bypass_csp=True
    )
    page = context.new_page()
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize(("kind", "language"), [*((kind, "en") for kind in RUNS), ("two labels", "zh")])
def test_axe_finds_nothing_and_nothing_is_cut_off(browser, tmp_path, kind, language):
    from axe_playwright_python.sync_playwright import Axe

    path = page_of(tmp_path / "run", RUNS[kind](), language)
    for width, scheme in ((PHONE, "light"), (LAPTOP, "dark"), (LAPTOP, "light"), (PHONE, "dark")):
        page = opened(browser, path, width=width, scheme=scheme)
        found = Axe().run(page, options=RULES).response
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]
        assert not told, (width, scheme)
        assert any(one["id"] == "color-contrast" for one in found["passes"])
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # What is wider than the page lies in a frame that scrolls.
        beyond = page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right >
            innerWidth + 1 && !one.closest(".scroll, .plot")).map(one => one.outerHTML.slice(0, 200))"""
        )
        assert not beyond
        page.context.close()


def test_errors_are_filtered_by_label_and_sorted(browser, tmp_path):
    page = opened(browser, page_of(tmp_path / "run", RUNS["two labels"]()))
    shown = "#errors .errors > li:visible"
    assert page.locator(shown).count() == 10
    page.select_option("#errors [name=gold]", "good")
    golds = page.locator(shown).evaluate_all("all => all.map(one => one.dataset.gold)")
    assert len(golds) > 0
    assert set(golds) == {"good"}
    assert page.locator("#errors output").inner_text().startswith(f"{len(golds)} of ")
    page.select_option("#errors [name=gold]", "")
    page.select_option("#errors [name=order]", "long")
    lengths = page.locator(shown).evaluate_all("all => all.map(one => Number(one.dataset.tokens))")
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 50


def test_all_is_there_without_a_script(browser, tmp_path):
    path = page_of(tmp_path / "run", RUNS["two labels"]())
    page = opened(browser, path, script=False)
    assert page.locator("#errors .controls").is_hidden()
    assert page.locator("#errors li").count() == 50


def test_paper_holds_the_worst_ten(browser, tmp_path):
    page = opened(browser, page_of(tmp_path / "run", RUNS["two labels"]()))
    page.emulate_media(media="print")
    assert page.locator("#errors li:visible").count() == 10
    assert page.locator("#errors .controls").is_hidden()
    assert page.locator("nav").is_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_page_runs_no_script_but_its_own(browser, tmp_path):
    run = RUNS["two labels"]()
    path = page_of(tmp_path / "run", run)
    attack = "<script>document.title = 'taken'</script>"
    html = path.read_text(encoding="utf-8").replace("<main>", f"<main>{attack}")
    path.write_text(html, encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.title() != "taken"
    assert page.locator("#errors .controls").is_visible()  # which ours shows
