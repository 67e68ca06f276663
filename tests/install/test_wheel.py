"""What is installed is whole: the wheel and the sdist, in a fresh environment, from a folder that is no clone."""

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from places import ROOT

ROWS = [
    (f"a {('good', 'bad')[row % 2]} {('film', 'book', 'play')[row % 3]} number {row}", row % 2) for row in range(80)
]
SMALL = "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16}"


def build(project: Path, to: Path, *targets: str) -> None:
    words = [word for target in targets for word in ("-t", target)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(to), *words], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel and the sdist of the clone."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("built")
    build(ROOT, folder, "wheel", "sdist")
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def elsewhere(built, tmp_path_factory) -> dict:
    """How to run the unpacked wheel from an empty folder: nothing of the clone is on the path."""
    unpacked, folder = tmp_path_factory.mktemp("unpacked"), tmp_path_factory.mktemp("a folder of mine")
    zipfile.ZipFile(built[0]).extractall(unpacked)
    return {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(unpacked)}, "capture_output": True, "text": True}


def run(elsewhere: dict, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "hf_xfmr", *words], timeout=300, **elsewhere)


def test_the_wheel_holds_the_recipes_once_and_the_sdist_makes_the_same_wheel(built, tmp_path):
    wheel, sdist = built
    names = zipfile.ZipFile(wheel).namelist()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    of_package = {name for name in tracked if name.startswith("hf_xfmr/")}
    recipes = {f"hf_xfmr/{name}" for name in tracked if name.startswith("recipes/")}
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == of_package | recipes
    assert "hf_xfmr/py.typed" in inside
    with tarfile.open(sdist) as tar:
        tar.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    build(project, tmp_path / "again", "wheel")
    (again,) = (tmp_path / "again").glob("*.whl")
    assert zipfile.ZipFile(again).namelist() == names


def test_what_the_wheel_says_of_itself(built):
    said = {
        name.rpartition("/")[2]: zipfile.ZipFile(built[0]).read(name).decode()
        for name in zipfile.ZipFile(built[0]).namelist()
        if ".dist-info/" in name
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "hf_xfmr = hf_xfmr.__main__:main" in said["entry_points.txt"]
    assert f"Requires-Python: {project['requires-python']}" in said["METADATA"]
    assert "Classifier: Typing :: Typed" in said["METADATA"]
    assert said["LICENSE"].lstrip().startswith("Apache License")


def test_one_version_of_python_is_promised_everywhere():
    least = re.search(r'requires-python = ">=(3\.\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
    places = {
        "Makefile": rf"needs Python {least} or newer",
        "README.md": rf"Python {least} or newer",
        "README.zh.md": rf"Python {least} 以上",
        "pyproject.toml": f'target-version = "py{least.replace(".", "")}"',
    }
    for file, words in places.items():
        assert re.search(words, (ROOT / file).read_text(encoding="utf-8")), file
    assert f"sys.version_info < ({least.replace('.', ', ')})" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_commands_work_without_a_clone(elsewhere):
    listed = run(elsewhere, "configs").stdout
    assert "classify/movie-reviews" in listed
    assert run(elsewhere, "configs", "copy", "movie-reviews").stdout.startswith("written: movie-reviews.yaml")
    first = (elsewhere["cwd"] / "movie-reviews.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# hf_xfmr train classify --config movie-reviews.yaml"
    helped = run(elsewhere, "train", "tag", "--help")
    assert helped.stdout.startswith("usage: python -m hf_xfmr train tag [--config CONFIG]")
    wrong = run(elsewhere, "train", "classify", "--config", "movie-revews")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        "error: 'movie-revews' is no file and no ready configuration; did you mean 'movie-reviews'?\n"
    )


@pytest.mark.slow
def test_an_installed_package_trains_on_a_table_and_predicts(built, tmp_path):
    """In a fresh environment, by pip, with the command; torch and others are this environment's."""
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    library = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")})
    Path(library, "peers.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(scripts), environment["PATH"]])
    mine = tmp_path / "my data"
    mine.mkdir()

    def call(*words: str) -> str:
        done = subprocess.run(words, cwd=mine, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    python = str(scripts / "python")
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(built[0]))
    assert Path(call(python, "-c", "import hf_xfmr; print(hf_xfmr.__file__)").strip()).is_relative_to(tmp_path / "env")
    (mine / "mine.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS))
    pasted = shlex.split(call("hf_xfmr", "check", "mine.csv").splitlines()[-1])
    assert pasted[:5] == ["hf_xfmr", "train", "classify", "--dataset", "mine.csv"]
    few = ("--model_config", SMALL, "--max_steps", "2", "--report_to", "none", "--disable_tqdm", "true")
    said = call("hf_xfmr", "train", "classify", "--dataset", "mine.csv", *few)
    assert "try it: hf_xfmr predict runs/mine" in said
    assert (mine / "runs/mine/report.html").exists()
    record = json.loads((mine / "runs/mine/run.json").read_text(encoding="utf-8"))
    assert record["recipe"] == "classify_bert"
    assert record["command"].startswith("hf_xfmr train classify --dataset mine.csv")
    (answer,) = call("hf_xfmr", "predict", "runs/mine", "a good film").splitlines()
    assert json.loads(answer)["label"] in ("0", "1", 0, 1)
