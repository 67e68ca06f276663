"""Texts from elsewhere do nothing: in a terminal, in Markdown."""

import json

import pytest

from hf_xfmr.plain import code, json_line, markdown, printable, printable_lines, some

BAD = ["\x1b[31m", "\x9b31m", "\x07", "\u202eabc", "a\r\nb", "\udcff", "\ud800", "\x00", "\u2028", "\u2066x"]
NAMES = [
    "a`<img src=x onerror=alert(1)>`b",
    "``<script>x</script>",
    "[x](javascript:alert(1))",
    "<svg/onload=x>`",
    "a|b",
    "`",
]


@pytest.mark.parametrize("text", BAD)
def test_nothing_that_a_terminal_obeys_is_left(text):
    for one in (printable(text), printable_lines(text).replace("\n", ""), json_line({"a": text})):
        assert one.isprintable()
        one.encode()
    assert json.loads(json_line({"a": text})) == {"a": text}


def test_words_of_any_script_stay_as_they_are():
    for text in ("很好看的电影。", "naïve café", "a\u200db", "مرحبا", "🙂 ok"):
        assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:geheim@host/d.csv", "https://…@host/d.csv"),
        ("https:/me:geheim@host/d.csv is no file", "https:/…@host/d.csv is no file"),
        ("mail me@host: x", "mail me@host: x"),
    ],
)
def test_passwords_of_addresses_are_left_out(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("name", NAMES)
def test_names_are_words_or_code_in_markdown(name):
    renderer = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"html": True, "linkify": False})
    table = "| a |\n|---|\n| {} |"
    for text in (markdown(name), code(name), f"# {markdown(name)}", f"on {code(name)}.", table.format(markdown(name))):
        html = renderer.render(text)
        for tag in ("<img", "<script", "<svg", "<a "):
            assert tag not in html, (text, html)


def test_of_many_names_some():
    assert some(["a", "b"]) == "a, b"
    assert some(range(100_000)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 99,988 more"
