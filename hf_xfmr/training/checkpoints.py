"""Folders that are whole or not there: written aside, synced, sealed by a manifest, then renamed; and found again."""

import errno
import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..writing import NEW, away, folder, sync, telling, unlink_link
from .facts import odd_fact

MANIFEST = "manifest.json"
ASIDE = "tmp-"  # how the name of what is being written or deleted begins
READY = "ready-model"  # a final model that is whole, beside another one that may stand in its place
MOVING = "moving-model"  # what of it has not yet moved there
WEIGHTS = (".safetensors", ".bin", ".index.json")


class Damaged(Exception):
    """A checkpoint is not what was written. The message says how."""


def digest(path: Path) -> dict:
    """The size and SHA-256 of a file, and the file synced."""
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(file)
        os.fsync(file.fileno())
        return {"bytes": file.tell(), "sha256": sha}


def _sha256(file) -> str:  # Python 3.10
    sha = hashlib.sha256()
    while block := file.read(2**20):
        sha.update(block)
    return sha.hexdigest()


def seal(folder: Path, facts: dict, *, after: int = 0) -> None:
    """Sync all files of a folder, and write its manifest: `facts`, every file's size and hash, and when it was saved,
    later than `after` even if the clock was set back. Raises `OSError` for a file that is cut off."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        _readable(path)
    digests = {str(path.relative_to(folder)): digest(path) for path in files}
    body = {**facts, "saved": max(time.time_ns(), after + 1), "files": digests}
    text = json.dumps({**body, "sha256": _seal_of(body)}, indent=1, allow_nan=False)
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for inner in [path for path in folder.rglob("*") if path.is_dir()]:
        sync(inner)
    sync(folder)


def _readable(path: Path) -> None:
    """Tell a short write that its writer did not: these formats know how long they are."""
    cut_off = OSError(errno.EIO, f"{path.name} was cut off", str(path))
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt"):
                pass
        except SafetensorError:
            raise cut_off from None
    elif path.suffix in (".pt", ".pth", ".bin") and not zipfile.is_zipfile(path):
        raise cut_off


def _seal_of(body: dict) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def last_saved(run: Path) -> int:
    """When the newest checkpoint of a folder says that it was saved, in nanoseconds; 0 without one."""
    return max((manifest["saved"] for manifest in sealed(run).values()), default=0)


def replace(source: Path, target: Path) -> None:
    """Rename a folder to a name that may be taken: the name stands for the old one, for none, then for the new one."""
    if os.path.lexists(target):
        remove(target)
    source.rename(target)
    sync(target.parent)


def remove(folder: Path) -> None:
    """Delete a folder such that its name never stands for a part of it."""
    doomed = folder.with_name(f"{ASIDE}delete-{folder.name}")
    away(doomed)
    folder.rename(doomed)
    away(doomed)


def clean(run: Path) -> None:
    """Do away with what a killed run left half-written, and put in place a final model it left whole."""
    with telling(run, kind="the output folder"):
        for kind in (f"{ASIDE}checkpoint-*", f"{ASIDE}delete-checkpoint-*", f"{ASIDE}model", f"{NEW}*"):
            for path in run.glob(kind):
                if path.is_dir():
                    away(path)
                else:
                    path.unlink(missing_ok=True)
        _move_in(run)


def read(folder: Path) -> dict:
    """The manifest. Raises `Damaged` without one that holds in itself."""
    try:
        if os.path.lexists(folder / MANIFEST) and not os.path.isfile(folder / MANIFEST):
            raise ValueError  # a pipe would be waited for
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"), parse_constant=_refused)
        body = {name: value for name, value in manifest.items() if name != "sha256"}
        if _seal_of(body) != manifest["sha256"]:
            raise ValueError
        if odd := odd_fact(body):
            raise Damaged(f"its {MANIFEST} {odd}")
        return body
    except FileNotFoundError:
        raise Damaged(f"it has no {MANIFEST}, so it was not written to its end, or not by XfmrTrainer") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, OSError):
        raise Damaged(f"its {MANIFEST} is damaged") from None


def _refused(word: str):
    raise ValueError(f"{word} is not JSON")


def check(folder: Path, *, only: Callable[[str], bool] = lambda name: True) -> dict:
    """The manifest of a folder all of whose files (those with a name that `only` takes) are as written. Raises
    `Damaged`."""
    manifest = read(folder)
    for name, expected in manifest["files"].items():
        if not only(name):
            continue
        try:
            if os.path.lexists(folder / name) and not os.path.isfile(folder / name):
                raise Damaged(f"{name} is no file")
            actual = digest(folder / name)
        except FileNotFoundError:
            raise Damaged(f"{name} is missing") from None
        except OSError as error:
            raise Damaged(f"{name} can't be read ({error.strerror})") from None
        if actual["bytes"] != expected["bytes"]:
            raise Damaged(f"{name} has {actual['bytes']:,} bytes in place of {expected['bytes']:,}")
        if actual["sha256"] != expected["sha256"]:
            raise Damaged(f"{name} is not what was written")
    return manifest


def found(run: str | Path) -> list[Path]:
    """The checkpoints in a run's folder, whole or not, in the order they were saved."""
    manifests = sealed(run)
    every = [path for path in Path(run).glob("checkpoint-*") if path.name[11:].isdigit()]
    return sorted(every, key=lambda path: manifests[path]["saved"] if path in manifests else path.lstat().st_mtime_ns)


def sealed(run: str | Path) -> dict[Path, dict]:
    """The manifests of the checkpoints in a run's folder that have one, in the order they were saved."""
    manifests = {}
    for path in Path(run).glob("checkpoint-*"):
        with suppress(Damaged):
            manifests[path] = read(path)
    return dict(sorted(manifests.items(), key=lambda item: item[1]["saved"]))


def rotate(run: Path, limit: int | None, protected: set[str]) -> None:
    """Delete the oldest checkpoints beyond `limit`, and those saved for an interruption only, but no protected name."""
    manifests = sealed(run)
    others = [path for path in found(run) if path.name not in protected]
    extra = [path for path in others if path in manifests and not manifests[path]["scheduled"]]
    regular = [path for path in others if path not in extra]
    surplus = max(0, len(regular) + len(protected) - limit) if limit and limit > 0 else 0
    for path in extra + regular[:surplus]:
        remove(path)


@contextmanager
def model_folder(run: Path, what: str = "the model") -> Iterator[Path]:
    """A folder to write a final model (or `what`) to, which then takes its place in `run` file by file.

    Until then what stood there is untouched. While files move (a matter of milliseconds) there are no weights, so that
    a mixture can't be loaded; whoever is killed there leaves what `clean` needs to go on. Raises `UserError` for what
    the system says of a full or closed disk.
    """
    folder(run)
    kept = next(reversed(sealed(run)), None)
    way_on = f"the same command goes on from {kept}" if kept else "then give the same command again"
    aside = run / f"{ASIDE}model"
    with telling(run, what, way_on=way_on):
        away(aside)
        aside.mkdir()
        try:
            yield aside
            for path in aside.rglob("*"):
                if path.is_file():
                    _readable(path)
                sync(path)
            unlink_link(run / READY)
            aside.rename(run / READY)
            sync(run)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        _move_in(run)


def _move_in(run: Path) -> None:
    """Put a model that is whole in its place, or what is left of it to move there."""
    ready, moving = run / READY, run / MOVING
    unlink_link(moving)
    if ready.is_dir() and not ready.is_symlink():
        if _weights_last(ready)[-1].name.endswith(WEIGHTS):
            for old in run.iterdir():
                if old.name.endswith(WEIGHTS):
                    old.unlink()
        ready.rename(moving)
        sync(run)
    if moving.is_dir():
        for path in _weights_last(moving):
            target = run / path.relative_to(moving)
            for inner in list(path.relative_to(moving).parents)[-2::-1]:
                unlink_link(run / inner)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        sync(run)
        shutil.rmtree(moving)


def _weights_last(folder: Path) -> list[Path]:
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name.endswith(WEIGHTS))
