"""How the pages are built: `make docs`, warnings as errors."""

import re
import sys
import tomllib
from pathlib import Path

import hf_xfmr

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "hf_xfmr"
author = copyright = "the hf_xfmr authors"
version = release = hf_xfmr.__version__

sys.path.insert(0, str(ROOT / "docs"))
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "exercise_pages"]
exclude_patterns = ["_build", "examples"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"hf_xfmr {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "source_repository": PROJECT.get("urls", {}).get("Repository", ""),
    "source_branch": "main",
    "source_directory": "docs/",
}

autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "code"

_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)


def _as_restructured_text(app, what, name, obj, options, lines: list[str]) -> None:
    """Our docstrings are plain sentences with `code` in backticks: what reStructuredText would take for its own marks
    outside of these is escaped."""
    if not str(getattr(obj, "__module__", "")).startswith("hf_xfmr"):
        return
    text, done, at = "\n".join(lines), [], 0
    for code in _CODE.finditer(text):
        done += [_escaped(text[at : code.start()]), f"``{code[2]}``"]
        at = code.end()
    lines[:] = "".join([*done, _escaped(text[at:])]).split("\n")


def _escaped(text: str) -> str:
    return re.sub(r"(?<=\w)_(?=\W|$)|[*|]", lambda mark: f"\\{mark[0]}", text)


def setup(app) -> None:
    app.connect("autodoc-process-docstring", _as_restructured_text)
