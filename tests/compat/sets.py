"""The two ends of the window in pyproject.toml, and an environment for each."""

import datetime
import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".compat"  # the environments; git ignores it, `make clean` removes it
SETS = ("oldest", "newest")
EXTRAS = ("lora", "neighbours", "tensorboard")  # what the chosen tests import beside the dependencies


class Failed(Exception):
    """A step of the way to an environment or through its tests, in one line."""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def listed() -> list[Requirement]:
    """The dependencies and those of `EXTRAS`, without this package's own extras in them."""
    said = project()
    lines = [*said["dependencies"], *(line for extra in EXTRAS for line in said["optional-dependencies"][extra])]
    return [one for one in map(Requirement, lines) if canonicalize_name(one.name) != "hf-xfmr"]


def lower_bound(requirement: Requirement) -> str:
    """The oldest version that a requirement admits. Raises ValueError if it names none."""
    bounds = [one.version for one in requirement.specifier if one.operator in (">=", "==")]
    if len(bounds) != 1:
        raise ValueError(f"{requirement} must name the oldest version that it admits, once")
    return bounds[0]


def constraints(name: str, torch: str | None = None) -> list[str]:
    """A line for each package that a set pins: in the oldest all, at their lower bounds; in the newest none."""
    pins = {canonicalize_name(one.name): lower_bound(one) for one in listed()} if name == "oldest" else {}
    if torch is not None:
        pins["torch"] = torch
    return [f"{package}=={version}" for package, version in pins.items()]


def tools() -> list[str]:
    """pytest and its plugins, of the extra `dev`."""
    return [one for one in project()["optional-dependencies"]["dev"] if Requirement(one).name.startswith("pytest")]


def environment(name: str, python: str, torch: str | None, step: Callable[..., str]) -> Path:
    """The interpreter of an environment with a set: one that was made today of the same words, for what is newest
    changes by the day, or a new one. `step` runs a command and raises `Failed`. uv installs, where it is on the PATH;
    pip where it is not, or fails, as where only pip knows the mirror."""
    version = step(python, "-c", "import platform; print(platform.python_version())")
    folder = HOME / "-".join([name, version, *([f"torch{torch}"] if torch else [])])
    pinned = constraints(name, torch)
    asked = [str(datetime.date.today()), *pinned, *map(str, listed()), *tools()]
    its, made = folder / "venv/bin/python", folder / "made.json"
    if made.exists() and json.loads(made.read_text(encoding="utf-8")) == asked:
        return its
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pins = folder / "constraints.txt"
    pins.write_text("".join(f"{line}\n" for line in pinned), encoding="utf-8")
    wanted = ["-c", pins, "-e", f".[{','.join(EXTRAS)}]", *tools()]
    if shutil.which("uv"):
        try:
            step("uv", "venv", "--quiet", "--python", python, folder / "venv")
            step("uv", "pip", "install", "--quiet", "--python", its, *wanted)
        except Failed:
            shutil.rmtree(folder / "venv", ignore_errors=True)
    if not its.exists():
        step(python, "-m", "venv", folder / "venv")
        step(its, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
    made.write_text(json.dumps(asked), encoding="utf-8")
    return its
