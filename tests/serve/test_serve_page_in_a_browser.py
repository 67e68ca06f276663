"""The page at / in a real browser, for every kind of model: what it shows, what axe finds, what is cut off on a phone.

Needs `pip install 'hf_xfmr[browser]'` and an installed Chromium: on the PATH, or named by HF_XFMR_CHROMIUM.
"""

import os
import shutil

import pytest
from serving import in_thread
from small_checkpoints import make

pytestmark = pytest.mark.slow
CHROMIUM = os.environ.get("HF_XFMR_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PHONE, LAPTOP = 390, 1280
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
TYPED = "good film <b>bad</b> 😀 good"
CONTEXT = "a bad film 😀 and a good one"
MODELS = {
    "classifier": TYPED,
    "tagger": TYPED,
    "questions": "a good film",
    "masked": "good [MASK]",
    "transformer": "good film",
    "gpt2": "good film",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield one
        one.close()


def opened(browser, server, *, width=LAPTOP, scheme="light", query="", asked=None):
    """The page, and into `asked` every address that it asks for."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    if asked is not None:
        page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://127.0.0.1:{server.port}/{query}")
    page.locator("#about:not(:empty), #keys:not([hidden])").first.wait_for()
    return page


def ask(page, text: str) -> None:
    page.fill("#text", text)
    if page.locator("#pair").is_visible():
        page.fill("#pair", CONTEXT)
    page.click("#ask")
    page.locator("#ask:enabled").wait_for()
    assert page.faults == []


def shows(kind: str, page, answer: dict | None) -> None:
    if kind == "classifier":
        meters = page.locator("#shown meter").evaluate_all("all => all.map(one => one.value)")
        assert meters == pytest.approx(sorted(answer["probabilities"].values(), reverse=True), abs=1e-5)
        assert page.locator("#shown .written").inner_text() == answer["label"]
        assert page.locator("#marked").inner_text() == TYPED, "the text as it was typed, tags and all"
        assert page.locator("#marked mark").count() == 6
        assert page.locator("#marked mark[title^='+'], #marked mark[title^='−']").count() == 6
        assert answer["label"] in page.locator("#why-hint").inner_text()
    elif kind == "tagger":
        marks = page.locator("#shown mark").evaluate_all("all => all.map(one => one.firstChild.data)")
        assert marks == [entity["text"] for entity in answer["entities"]]
    elif kind == "questions":
        assert page.locator("#shown .written").inner_text() == answer["answer"]
        assert page.locator("#shown mark").inner_text() == answer["answer"]
        assert page.locator("#shown meter").count() == 3
    elif kind == "masked":
        assert page.locator("#shown .written").inner_text() == answer["filled"]
        assert page.locator("#shown meter").count() == 5
    elif kind == "gpt2":
        assert page.locator("#shown .written").inner_text().startswith("good film")
        assert len(page.locator("#shown .written").inner_text()) > len("good film")
    else:
        assert page.locator("#shown .written").inner_text().strip() == answer["translation_text"].strip()


PATHS = {
    "classifier": "/classify",
    "tagger": "/tag",
    "questions": "/answer",
    "masked": "/fill",
    "transformer": "/translate",
}


def asked_of(kind: str):
    return {"question": MODELS[kind], "context": CONTEXT} if kind == "questions" else MODELS[kind]


@pytest.mark.parametrize("kind", MODELS)
def test_the_page_shows_what_the_model_says(browser, models, kind):
    from axe_playwright_python.sync_playwright import Axe

    text = MODELS[kind]
    with in_thread(models / kind) as server:
        answer = server.ask(PATHS[kind], {"inputs": asked_of(kind)})[1] if kind in PATHS else None
        for width, scheme, query in ((PHONE, "light", ""), (LAPTOP, "dark", ""), (PHONE, "dark", "?language=zh")):
            asked: list[str] = []
            page = opened(browser, server, width=width, scheme=scheme, query=query, asked=asked)
            ask(page, text)
            assert page.locator("#fault").is_hidden()
            shows(kind, page, answer)
            found = Axe().run(page, options=RULES).response
            told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]
            assert not told, (width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate("document.documentElement.lang") == ("zh-Hans" if query else "en")
            assert all(url.startswith((f"http://127.0.0.1:{server.port}/", "data:")) for url in asked), asked
            page.context.close()


def test_errors_the_key_and_the_language_of_the_server(browser, models):
    with in_thread(models / "classifier", key="s3cret", language="zh") as server:
        page = opened(browser, server)
        assert page.locator("#ask").inner_text() == "提交"
        assert page.locator("#keys").is_visible()
        page.fill("#key", "wrong")
        ask(page, "good film")
        assert "Authorization" in page.locator("#fault").inner_text()
        page.fill("#key", "s3cret")
        ask(page, "good film")
        assert page.locator("#shown meter").count() == 2
        page.click("nav a >> nth=0")
        page.locator("html[lang=en]").wait_for()
        ask(page, "   ")
        assert "a text is empty" in page.locator("#fault").inner_text()


def test_another_script_does_not_run(browser, models, tmp_path):
    odd = tmp_path / "<img src=x onerror=document.title='taken'>"
    shutil.copytree(models / "classifier", odd)
    with in_thread(odd) as server:
        page = opened(browser, server)
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.taken = 1'}))"
        )
        assert page.evaluate("window.taken") is None
        assert "taken" not in page.title() or page.title().startswith("<img")
        assert page.locator("h1").inner_text() == odd.name
