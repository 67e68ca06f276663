"""The exercises of the pages: each answer is right by its check, each stub is told why not, in both languages."""

import json
import sys

import pytest
from places import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import exercise_pages

NAMES = [path.stem for path in sorted(exercise_pages.SOURCES.glob("*.py"))]
RIGHT = {"en": "Right", "zh": "正确"}
WRONG = {  # what learners do first, by exercise: another answer, and a word of what they are told
    "01_attention": ("def attention(q, k, v):\n    return (q @ k.mT).softmax(-1) @ v", "√D"),
    "02_root_of_d": ("def scores(q, k):\n    return q @ k.T / q.shape[-1]", "too much"),
    "03_causal_mask": ("def causal_mask(n):\n    return torch.full((n, n), float('-inf')).triu(0)", "not a number"),
    "04_padding_mask": ("def padding_mask(m):\n    return (m == 0).float()[:, None, None]", "hides nothing"),
    "05_heads": ("def split(x, heads):\n    return x.reshape(x.shape[0], heads, x.shape[1], -1)", "mixes"),
    "07_labels_shift": ("def next_tokens(ids):\n    return ids.roll(-1, 1)", "last place"),
    "08_tied_embeddings": (
        "def tie(model):\n    model.lm_head.weight = nn.Parameter(model.word.weight.detach().clone())",
        "copy",
    ),
    "10_count_gpt2": ("def count(*_):\n    return 124439808 + 50257 * 768", "twice"),
}


def told(code: list[str], capsys) -> str:
    """What the check's cell prints after those before it, as a notebook runs them."""
    space: dict = {}
    for cell in code:
        exec(compile(cell, "cell", "exec"), space)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("language", exercise_pages.LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_right_and_the_stub_is_told_why_not(name, language, capsys):
    one = exercise_pages.read(exercise_pages.SOURCES / f"{name}.py", language)
    book = json.loads(exercise_pages.notebook(one, language))
    stub, check = ("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
    wrong = told([stub, check], capsys)
    assert wrong
    assert not wrong.startswith(RIGHT[language])
    assert told([stub, one.answer, check], capsys).startswith(RIGHT[language])
    if name in WRONG and language == "en":
        other, word = WRONG[name]
        assert word in told([stub, other, check], capsys)
    assert one.answer in "".join(book["cells"][-1]["source"])
    assert "say(" not in stub + check


@pytest.mark.parametrize("language", exercise_pages.LANGUAGES)
def test_the_page_has_all_ten(language):
    page = exercise_pages.page(language, "")
    assert len(NAMES) == 10
    assert [page.count(f"{name}.ipynb") for name in NAMES] == [2] * 10
    assert ("注意力" in page) == (language == "zh")
