"""Pages in Chinese: nothing that a template or a picture says is left in English."""

import ast
import json
import re
from pathlib import Path

import pytest
import test_report as rows
from places import ROOT

from hf_xfmr import report
from hf_xfmr.errors import UserError
from hf_xfmr.report import header, language, names
from hf_xfmr.report.page import LEVELS
from hf_xfmr.tasks.classification.report import evaluate
from hf_xfmr.tasks.rewrite import rewrite

REPORT, HUB, SEARCH = ROOT / "hf_xfmr/report", ROOT / "hf_xfmr/hub", ROOT / "hf_xfmr/search"
CODE = [
    *sorted(REPORT.glob("*.py")),
    *sorted(HUB.glob("*card*.py")),
    *sorted(SEARCH.glob("p*.py")),
    *sorted((ROOT / "hf_xfmr/learning_curve").glob("[ps]a*.py")),
]
ROOMS = ("search", "learning_curve")  # with pages of their own
TEMPLATES = [*sorted((REPORT / "parts").glob("*.html")), HUB / "card_template.md"]
TEMPLATES += [one for room in ROOMS for one in sorted((ROOT / "hf_xfmr" / room).glob("*.html"))]


def said(file: Path) -> set[str]:
    """The English of a file that `say` is asked for."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        calls = re.findall(r'\b_h?\(\s*((?:"[^"]*"|\'[^\']*\')(?:\s+if [^"]*?else\s+"[^"]*")?)', text)
        return {quoted[1:-1] for call in calls for quoted in re.findall(r'"[^"]*"|^\'[^\']*\'', call)}
    asked = [
        node.args[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("say", "say_html")
    ]
    constants = [one for argument in asked if not isinstance(argument, ast.Call) for one in ast.walk(argument)]
    return {one.value for one in constants if isinstance(one, ast.Constant) and isinstance(one.value, str)}


@pytest.mark.parametrize("file", [*CODE, *TEMPLATES], ids=lambda file: file.name)
def test_all_that_is_said_has_its_chinese(file):
    assert said(file) <= set(language.words("zh"))


def test_what_tables_hold_has_its_chinese_too_and_places_are_the_same():
    words = language.words("zh")
    assert {*names.NAMES.values(), *header.TASKS.values(), *LEVELS.values()} <= set(words)
    for english, chinese in words.items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese)), english


def test_a_report_is_written_anew_in_chinese_and_back(tmp_path):
    folder = rows.write_run(
        tmp_path / "run",
        {"test": rows.single_label(100, rows.LABELS)},
        **rows.SINGLE,
        recipe="classify_bert",
        log_history=rows.HISTORY,
    )
    english = report.write(folder, evaluate).read_text(encoding="utf-8")
    (path,) = rewrite(folder, language="zh")
    page = rows.Page(path.read_text(encoding="utf-8"))
    assert page.all("html") == [{"lang": "zh-Hans"}]
    for word in ("最严重的错误", "准确率", "学习率", "混淆矩阵"):
        assert word in page.words() + page.html
    assert "Worst errors" not in page.words()
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["language"] == "zh"
    rewrite(folder, language="en")
    assert path.read_text(encoding="utf-8") == english
    with pytest.raises(UserError, match="pages can be in en or zh: --language zh"):
        rewrite(folder, language="fr")
