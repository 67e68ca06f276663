"""What stands around the code says the same as the code."""

import importlib.util
import re
import tomllib

import pytest
import yaml
from places import ROOT

import hf_xfmr
from hf_xfmr import machine

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_there_is_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {hf_xfmr.__version__, citation["version"], newest[1]} == {PROJECT["version"]}
    assert citation["license"] == PROJECT["license"]


def test_the_workflow_calls_targets_of_the_makefile_alone():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    for job in workflow["jobs"].values():
        assert [step["run"] for step in job["steps"] if "run" in step] == ["make ${{ matrix.target }}"]
        assert {"check", "test", "docs"} <= set(job["strategy"]["matrix"]["target"]) <= targets()


def test_a_report_of_a_fault_asks_for_what_env_says():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text(encoding="utf-8"))
    assert any("env" in str(field["attributes"].get("label")) for field in form["body"])
    said = machine.environment()
    assert said["torch"].startswith(__import__("torch").__version__.partition("+")[0])
    assert {"hf_xfmr", "transformers", "python", "platform", "processor", "threads", "memory", "devices"} <= set(said)
    assert all(isinstance(value, str) and value and "\n" not in value for value in said.values())


@pytest.fixture(scope="module")
def for_index():
    pytest.importorskip("hatchling", reason="hatchling builds the package, and is not installed here")
    specification = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.for_index


def test_the_readmes_links_hold_on_a_package_index(for_index):
    shown = for_index(README, "https://git.example.org/us/hf_xfmr/")
    leads = re.findall(r"\]\(([^)]+)\)", shown)
    assert len(leads) == len(re.findall(r"\]\(([^)]+)\)", README)) > 20
    assert [one for one in leads if not one.startswith("https://git.example.org/us/hf_xfmr/")] == []
    assert "(https://git.example.org/us/hf_xfmr/raw/main/docs/gallery/report-top.png)" in shown
    assert "(https://git.example.org/us/hf_xfmr/blob/main/CHANGELOG.md)" in shown


def test_without_an_address_no_link_leads_nowhere(for_index):
    shown = for_index(README, "")
    assert re.findall(r"\]\((?!https?:)[^)]+\)", shown) == []
    assert "why no padding" in shown
    assert "The report of a run" not in shown


def test_the_readme_decides_in_two_minutes():
    assert len(README.splitlines()) < 120
