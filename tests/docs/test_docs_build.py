"""The site builds from docs/ with warnings as errors."""

import importlib.util
import os
import subprocess
import sys

import pytest
from places import ROOT

NEEDED = ("sphinx", "myst_parser", "furo")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed: pip install 'hf_xfmr[docs]'")
def test_the_pages_build_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(ROOT / "docs"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    models = (tmp_path / "reference" / "api" / "models.html").read_text(encoding="utf-8")
    assert "XfmrBertForSequenceClassification" in models
    assert "window_row (W,) int64 then says" in models  # a docstring's own words
    for html in tmp_path.rglob("*.html"):  # a site that can be read without a network
        page = html.read_text(encoding="utf-8")
        assert 'src="http' not in page, html
        assert '<link rel="stylesheet" type="text/css" href="http' not in page, html
