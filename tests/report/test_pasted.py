"""Commands on a page: whole words on a line, and nothing else than what is to be copied."""

import re
from html import unescape

import pytest

from hf_xfmr.report import pasted

COMMAND = "hf_xfmr train classify --config movie-reviews --model_config '{a: 1,  b: \"<2>\"}' --lr=1e-5\n  --folds 5"


@pytest.mark.parametrize("shown", [pasted.command, pasted.prose])
def test_what_is_copied_is_what_was_given(shown):
    assert unescape(re.sub(r"</?span[^>]*>", "", shown(COMMAND))) == COMMAND


def test_no_line_ends_within_a_word_of_a_command_nor_within_a_flag_of_a_sentence():
    whole = re.findall(r'<span class="unbroken">(.*?)</span>', pasted.command(COMMAND))
    assert whole == ["--config", "movie-reviews", "--model_config", "--lr=1e-5", "--folds"]
    said = pasted.prose("next: the same again with --max_steps 300 --resume false, 或 --folds（再试）: well-known <b>")
    assert re.findall(r'<span class="unbroken">(.*?)</span>', said) == ["--max_steps", "--resume", "--folds"]
    assert "&lt;b&gt;" in said
