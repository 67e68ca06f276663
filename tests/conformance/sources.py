"""Tests of other libraries, at the version that is installed: out of the sdist, where it carries them, or out of git.

They are kept in the Hugging Face cache. A checkout that is named is taken in their place, whatever its version.
"""

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import huggingface_hub

from hf_xfmr.errors import UserError
from hf_xfmr.samples.package import Package, fetch

HOME = Path(huggingface_hub.constants.HF_HOME, "hf_xfmr")


def of_sdist(package: Package) -> Path:
    """A folder with the tests that the pinned sdist carries, fetched the first time."""
    if version(package.name) != package.version:
        raise UserError(
            f"{package.name} {version(package.name)} is installed, and {package.version} pinned: pin its sdist"
        )
    cache = HOME / f"{package.name}-{package.version}-{package.sha256[:8]}"
    if not cache.is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, ignore_cleanup_errors=True) as aside:
            archive = fetch(package, Path(aside), wanted=f"the tests of {package.name}")
            new = Path(aside, "new", "tests")
            new.mkdir(parents=True)
            with tarfile.open(fileobj=io.BytesIO(archive)) as members:
                for member in members:
                    path = Path(member.name)
                    if path.match(f"{package.name}-*/tests/*.py"):
                        (new / path.name).write_bytes(members.extractfile(member).read())
            new.parent.rename(cache)
    return cache


def of_git(name: str, repository: str, folders: Sequence[str]) -> Path:
    """`folders` of a repository on GitHub at the tag of the version that is installed, cloned the first time."""
    tag = f"v{version(name)}"
    cache = HOME / f"{name}-{tag[1:]}-git"
    if not cache.is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, ignore_cleanup_errors=True) as aside:
            new, url = Path(aside, "new"), f"https://github.com/{repository}"
            clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", tag, "--filter=blob:none", "--sparse"]
            done = subprocess.run([*clone, url, new], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                chosen = ["git", "-C", new, "sparse-checkout", "set", *folders]
                done = subprocess.run(chosen, capture_output=True, text=True, check=False)
            if done.returncode:
                fault = done.stderr.strip().splitlines()[-1:] or [f"git ended with {done.returncode}"]
                raise UserError(
                    f"{tag} of {url} could not be cloned ({fault[0]}): name a folder with a checkout of it, "
                    f"make conformance ARGS={name}=FOLDER"
                )
            shutil.rmtree(new / ".git")
            new.rename(cache)
    return cache


def version_of(checkout: Path) -> str:
    """The version that a checkout says it is, or what it is not known to be."""
    places = ["VERSION", "pyproject.toml", "setup.py", "src/*/__init__.py", "*/__init__.py"]
    for file in (file for place in places for file in sorted(checkout.glob(place))):
        said = re.search(r"""^(?:__version__|VERSION|version) *= *["'](\d[^"']*)["']""", file.read_text(), re.MULTILINE)
        if said or file.name == "VERSION":
            return said[1] if said else file.read_text().strip()
    return "unknown version"
