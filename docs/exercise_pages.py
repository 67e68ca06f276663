"""The exercises: docs/exercises/*.py as a page of each language and as notebooks, made as the site is built.

A source has cells: the question in English and Chinese (`# %% [en]`, its first line the title), what the learner starts
from (`stub`), what tells right from wrong (`check`), and the answer. In a check `say(english, chinese)` is a sentence
in both; each language's notebook has its own alone.
"""

import ast
import json
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "exercises"
MARK = "<!-- exercises -->"
LANGUAGES = {"en": "exercises", "zh": "zh/exercises"}  # and the page of each
_WORDS = {
    "en": ("Question", "Answer", "Notebook", "Change the next cell, then run the one below it: it says what is wrong."),
    "zh": ("题目", "答案", "笔记本", "修改下一格，再运行它下面的一格：它会说哪里不对。"),
}


@dataclass(frozen=True)
class Exercise:
    """An exercise in one language; the last three are Python."""

    name: str
    title: str
    question: str
    stub: str
    check: str
    answer: str


def exercises(language: str) -> list[Exercise]:
    """All of them, in order."""
    return [read(path, language) for path in sorted(SOURCES.glob("*.py"))]


def read(path: Path, language: str) -> Exercise:
    cells = {}
    for cell in path.read_text(encoding="utf-8").split("# %% ")[1:]:
        head, _, body = cell.partition("\n")
        kind, _, title = head.partition(" ")
        cells[kind] = (title, body.strip())
    title, question = cells[f"[{language}]"]
    question = "\n".join(line.removeprefix("#").strip() for line in question.splitlines())
    check = said(cells["check"][1], language)
    return Exercise(path.stem, title, question, cells["stub"][1], check, cells["answer"][1])


def said(code: str, language: str) -> str:
    """The code with each `say(english, chinese)` as the one sentence."""
    place = list(LANGUAGES).index(language)
    calls = [one for one in ast.walk(ast.parse(code)) if isinstance(one, ast.Call) and ast.unparse(one.func) == "say"]
    for call in sorted(calls, key=lambda one: one.lineno, reverse=True):
        code = code.replace(ast.get_source_segment(code, call), ast.get_source_segment(code, call.args[place]))
    return code


def notebook(exercise: Exercise, language: str) -> str:
    """The exercise as an .ipynb: question, stub, check, and the answer folded."""
    _, answer, _, how = _WORDS[language]
    folded = f"<details><summary>{answer}</summary>\n\n```python\n{exercise.answer}\n```\n\n</details>"
    texts = [("markdown", f"# {exercise.title}\n\n{exercise.question}\n\n{how}")]
    texts += [("code", exercise.stub), ("code", exercise.check), ("markdown", folded)]
    cells = []
    for number, (kind, text) in enumerate(texts):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        cells.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    book = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, ensure_ascii=False, indent=1) + "\n"


def page(language: str, up: str) -> str:
    """All exercises as Markdown; `up` leads from the page to the site's top."""
    _, answer, book, _ = _WORDS[language]
    parts = []
    for number, one in enumerate(exercises(language), 1):
        link = f'<p><a href="{up}exercises/{language}/{one.name}.ipynb" download>{book}: {one.name}.ipynb</a></p>'
        parts += [f"## {number}. {one.title}", one.question, f"```python\n{one.stub}\n```", link]
        parts += [f"<details><summary>{answer}</summary>", f"```python\n{one.answer}\n```", "</details>"]
    return "\n\n".join(parts)


def _fill(app, name: str, source: list[str]) -> None:
    for language, of in LANGUAGES.items():
        if name == of:
            source[0] = source[0].replace(MARK, page(language, "../" * of.count("/")))


def _write(app, error) -> None:
    if error is not None or app.builder.format != "html":
        return
    for language in LANGUAGES:
        folder = Path(app.outdir) / "exercises" / language
        folder.mkdir(parents=True, exist_ok=True)
        for one in exercises(language):
            (folder / f"{one.name}.ipynb").write_text(notebook(one, language), encoding="utf-8")


def setup(app) -> dict:
    app.connect("source-read", _fill)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}
