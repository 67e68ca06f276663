"""The page that explains the architectures: what it shows is the package's own code and real passes."""

import ast
import inspect
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tokenize
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from places import ROOT
from transformers import BertTokenizer

from hf_xfmr.__main__ import run as command
from hf_xfmr.errors import UserError
from hf_xfmr.explain import antecedents, code, diagram, formulas, page, pictures, reading, small, tables
from hf_xfmr.explain.outline import CHAPTERS, SIDE_BY_SIDE
from hf_xfmr.explain.passes import Passes
from hf_xfmr.explain.trace import shape
from hf_xfmr.models import blocks

PARTS = {part.name: part for chapter in CHAPTERS.values() for part in chapter}
REFERENCES = sorted(
    {reference for part in PARTS.values() for reference in part.code} | set(sum(SIDE_BY_SIDE.values(), ()))
)
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FEW = {"transformer": 2, "bert": 2, "gpt2": 60}


@pytest.fixture(scope="module", params=page.LANGUAGES)
def passes(request) -> Passes:
    return Passes(page.texts(request.param)["examples"], steps=FEW)


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_code_that_is_named_is_there(reference):
    piece = code.find(reference)
    lines = (ROOT / piece.file).read_text(encoding="utf-8").splitlines()
    first = piece.text.splitlines()[0]
    assert lines[piece.line - 1].strip() == first.strip()
    plain = [re.sub(r"<[^>]+>", "", line) for line in code.coloured(piece.text)]
    assert [str(code.escape(line)) for line in piece.text.splitlines()] == plain


def test_the_code_is_found_under_any_link(tmp_path):
    """A link above the package, as in a home or a temporary folder, and a link for each file, as uv can install."""
    (tmp_path / "linked").symlink_to(tmp_path / "links")
    for file in (ROOT / "hf_xfmr").rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            link = tmp_path / "links" / file.relative_to(ROOT)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    ask = "from hf_xfmr.explain import code; print(code.__file__, code.find('models.blocks:Attention.forward').file)"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "linked")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "linked/hf_xfmr/explain/code.py"), "hf_xfmr/models/blocks.py"]


def test_code_that_is_gone_is_an_error(monkeypatch):
    with pytest.raises(ValueError, match=r"no statement of models.blocks:FeedForward.forward holds 'cross'"):
        code.find("models.blocks:FeedForward.forward@cross")
    monkeypatch.delattr(blocks.Attention, "heads")
    with pytest.raises(AttributeError, match="heads"):
        code.find("models.blocks:Attention.heads")


def keys(value):
    """The keys of a nest of mappings, and how long its lists are; texts count alike."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    return len(value) if isinstance(value, list) else None


def test_both_languages_say_the_same_things():
    english, chinese = (page.texts(language) for language in ("en", "zh"))
    assert keys(english) == keys(chinese)
    assert set(english["parts"]) == set(PARTS)
    assert set(english["chapters"]) == set(CHAPTERS)
    shown = {name for part in PARTS.values() for name in part.pictures}
    assert set(english["pictures"]) == shown == set(pictures.PICTURES) | set(tables.TABLES)
    for name in english["parts"]:  # the same sections of the papers
        numbers = [re.findall(r"[0-9.]*[0-9]", said["parts"][name]["paper"]) for said in (english, chinese)]
        assert numbers[0] == numbers[1], name


@pytest.mark.parametrize("language", page.LANGUAGES)
def test_names_in_the_text_stand_in_the_code_beside_it(language):
    for name, said in page.texts(language)["parts"].items():
        beside = "\n".join(code.find(reference).text for reference in PARTS[name].code)
        for one in re.findall(r"`([^`]+)`", said["text"]):
            assert re.search(rf"(?<!\w){re.escape(one)}(?!\w)", beside), f"{name}: {one}"


def test_the_masks_are_those_the_blocks_received(passes):
    figure = pictures.masks(passes, page.texts("en")["words"])
    full, padding, causal, cross = (axes.images[0].get_array() > 0 for axes in figure.axes)  # blue may be seen
    real = passes.batch["attention_mask"][1].bool().numpy()
    assert full.all()
    assert (padding == real).all()
    assert 0 < real.sum() < len(real)
    assert (causal == np.tri(len(causal), dtype=bool)).all()
    assert (cross == real).all()


def test_a_word_s_weights_computed_by_hand_are_those_of_the_pass(passes):
    table = tables.attention_by_hand(passes, page.texts("en")["words"])
    tokens = passes.shown(passes.batch["input_ids"][0])
    at = tokens.index(passes.examples["word"])
    weights = passes.transformer_pass.out.encoder_attentions[0][0, 0, at]
    assert [float(row[2]) for row in table.rows] == pytest.approx(weights.tolist(), abs=6e-4)


def test_the_shapes_are_those_of_the_pass(passes):
    trace = passes.transformer_pass
    batch, length = passes.batch["input_ids"].shape
    step = trace.steps["model.encoder.blocks.0.feed_forward.up"]
    assert [shape(one) for one in (*step.reads, *step.gives)] == [
        f"{batch} × {length} × 64",
        f"{batch} × {length} × 128",
    ]
    assert step.parameters == 64 * 128 + 128
    assert torch.equal(trace.steps["model.encoder.blocks.1"].gives[0], trace.out.encoder_last_hidden_state)


def test_what_gpt2_writes_with_its_cache_is_what_it_generates(passes):
    rows = tables.continuation(passes, page.texts("en")["words"]).rows
    prompt = passes.bytes(passes.examples["prompt"], add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[passes.bytes.eos_token_id, *prompt]])
    longer = passes.gpt2.model.generate(ids, do_sample=False, max_new_tokens=len(rows) - 1)[0]
    assert rows[-1][0] == passes.bytes.decode(longer, skip_special_tokens=True)
    assert rows[0][1] == f"1 × {ids.shape[1]}"
    assert {row[1] for row in rows[1:]} == {"1 × 1"}  # the rest is in the cache


def words_of_code(text: str) -> list[str]:
    """The tokens of code, without comments and layout."""
    lines = io.StringIO(f"if True:\n{textwrap.indent(text, ' ')}\n").readline
    return [
        token.string for token in tokenize.generate_tokens(lines) if token.string.strip() and token.string[0] != "#"
    ]


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_first_reading_shows_nothing_that_is_not_in_the_source(reference):
    """Token by token and in order, comments too; what is left is Python."""
    whole = code.find(reference).text
    read = reading.first(whole)
    ast.parse(read)
    source = iter(words_of_code(whole))
    assert [word for word in words_of_code(read) if word not in source] == []
    known = {line.partition("# ")[2] for line in whole.splitlines()}
    assert {line.partition("# ")[2] for line in read.splitlines()} - {"…"} <= known


def test_a_first_reading_of_attention_has_no_cache():
    read = reading.first(code.find("models.blocks:Attention.forward").text)
    assert not re.search(
        r"\bcache\b|Spans|copies|packed_attention|paged_attention", read.replace("paged attention", "")
    )
    assert "source = x if memory is None else memory" in read
    assert read.count(reading.MARK) == 3


def test_figure_1_bears_the_names_of_the_modules(passes):
    """Each box is a module of the model, every part of a block has a box, and a renamed one is an error."""
    model, words = passes.transformer.model, page.texts("en")["words"]
    svg = str(diagram.draw(model, words))
    for box in diagram.BOXES:
        assert box.module.rpartition(".")[2] in svg
        assert type(model.get_submodule(box.module)).__name__ in svg or box.kind == "words"
    drawn = {box.module for box in diagram.BOXES}
    for block in (diagram.ENCODER, diagram.DECODER):
        parts = {f"{block}.{name}" for name, _ in model.get_submodule(block).named_children()} - {f"{block}.dropout"}
        assert parts == {name for name in drawn if name.startswith(block)}
    renamed = torch.nn.ModuleDict({"model": torch.nn.Linear(1, 1)})
    with pytest.raises(AttributeError):
        diagram.draw(renamed, words)


def test_the_head_that_is_drawn_is_the_one_that_was_measured():
    """Of a model of which one head looks where the answer is: that head comes first, with all sentences right."""

    class Model:
        config = type("Config", (), {"max_position_embeddings": 64, "_attn_implementation": "eager"})()
        training = False
        eval = train = set_attn_implementation = lambda self, *_: None

        def __call__(self, ids, output_attentions):
            weights = torch.full((1, 3, ids.shape[1], ids.shape[1]), 0.01)
            weights[0, 2, 4, 1] = 0.9  # "it" of the sentence below to "cat"
            return type("Out", (), {"attentions": [torch.full_like(weights, 0.1), weights]})()

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "slept", "because", "it", "dreamt"]
    tokenizer = BertTokenizer(vocab={word: place for place, word in enumerate(words)})
    cases = {"first": [("cat slept because it dreamt", "it", "cat")], "second": [("dog barked", "it", "dog")]}
    found, asked = antecedents.measure(Model(), tokenizer, cases)
    assert asked == {"first": 1, "second": 0}  # the words of the other are not known
    assert (found[0].layer, found[0].head, found[0].hits) == (2, 3, 1)
    assert found[0].among_words == 1
    assert found[0].share == pytest.approx(0.9)


def test_formulas_are_of_parts_and_well_formed():
    assert set(formulas.FORMULAS) <= set(PARTS)
    for one in itertools.chain(*formulas.FORMULAS.values()):
        ElementTree.fromstring(str(one))


def test_no_text_is_unknown_to_the_bytes(passes):
    rows = tables.pieces(passes, page.texts("en")["words"]).rows
    for (text, length, count, _), given in zip(
        rows, [passes.examples["prompt"], *passes.examples["unseen"]], strict=True
    ):
        ids = passes.bytes(text)["input_ids"]
        assert passes.bytes.decode(ids) == text == given
        assert (int(length), int(count)) == (len(text.encode()), len(ids))


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no chromium to print with")
@pytest.mark.parametrize("language", page.LANGUAGES)
def test_the_page_prints_on_twelve_sheets(language, tmp_path):
    html = page.render(list(CHAPTERS), language, steps=dict.fromkeys(FEW, 2))
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--print-to-pdf=page.pdf"]
    subprocess.run([BROWSER, *flags, "page.html"], cwd=tmp_path, capture_output=True, timeout=300, check=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert 0 < pages <= 12


class Tags(HTMLParser):
    """Checks that every element is closed, and collects what a browser would fetch."""

    VOID = {"meta", "br", "img", "link", "input", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids, self.targets = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.fetched += [
            v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith(("#", "data:"))
        ]
        self.targets += [v[1:] for k, v in attrs if k == "href" and tag == "a" and v.startswith("#")]
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", page.LANGUAGES)
def test_the_page_is_whole_and_fetches_nothing(language):
    html = page.render(list(CHAPTERS), language, steps=dict.fromkeys(FEW, 2))
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert tags.fetched == []
    assert len(set(tags.ids)) == len(tags.ids)
    assert set(tags.targets) == set(PARTS)
    assert "%(" not in html
    assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", html)
    for line in inspect.getsource(blocks.sinusoids).splitlines():
        assert re.sub(r"<[^>]+>", "", str(code.escape(line))) in re.sub(r"</?(span|mark)[^>]*>", "", html)
    for said in page.texts(language)["parts"].values():
        assert str(code.escape(said["title"])) in html


def test_the_command_writes_a_chapter(tmp_path, monkeypatch, capsys):
    for name in FEW:
        monkeypatch.setitem(small.STEPS, name, 5)
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "explain", "gpt2", "--language", "zh", "--out", str(tmp_path / "new")])
    command()
    assert re.fullmatch(r".*explain-zh.html: 5 parts in \d+ seconds\n", capsys.readouterr().out)
    html = (tmp_path / "new" / "explain-zh.html").read_text(encoding="utf-8")
    assert "python -m hf_xfmr explain gpt2 --language zh" in re.sub(r"</?span[^>]*>", "", html)
    assert 'id="gpt2"' in html
    assert 'id="bert"' not in html
    assert "酒店" in html


def test_a_chapter_that_is_none_is_one_sentence(monkeypatch):
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "explain", "gpt3"])
    with pytest.raises(UserError, match="there is no chapter 'gpt3': the page has transformer, bert, gpt2, together"):
        command()
