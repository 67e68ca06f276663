"""manifest.json of an exported folder: which engine it is for, what it was made of, and the hash of each file."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..data.regular import check_regular, read_json
from ..errors import UserError
from ..writing import whole

NAME = "manifest.json"
ENGINES = ("torch", "onnx", "ctranslate2")
WEIGHTS = "*.safetensors"
_KINDS = {"engine": str, "head": str, "class": str, "precision": str, "from": dict, "versions": dict, "files": dict}
ALSO = {"AutoModelForMaskedLM": ("AutoModelForPreTraining",)}  # heads that answer for another
_PACKAGES = ("hf_xfmr", "torch", "transformers", "tokenizers", "onnx", "onnxruntime", "ctranslate2")


@dataclass(frozen=True)
class Manifest:
    """`told` is what manifest.json in `folder` says: `engine`; `head`, the Auto class of the model; its stock `class`;
    `precision`; `columns`, those of the data it was trained on; `from`, the run's folder and the hash of its weights;
    `versions` of the packages that wrote it; and the sha256 of its `files`."""

    folder: Path
    told: dict[str, Any]

    @property
    def engine(self) -> str:
        return self.told["engine"]

    @property
    def columns(self) -> dict[str, str]:
        """`text`, `text_pair` and `label` as they were called in the data of the run; none where it did not say."""
        columns = self.told.get("columns")
        return columns if isinstance(columns, dict) else {}

    def check(self, head: str) -> None:
        """Raises `UserError` for a model with another head, and a file that is missing or another than was written."""
        if self.told["head"] not in (head, *ALSO.get(head, ())):
            raise UserError(
                f"{self.folder} is a {self.told['class']}, and what is asked of it takes an {head}: give the folder of "
                "a run that was trained for this"
            )
        self.check_files()

    def check_files(self) -> None:
        """Raises `UserError` for a file that is missing or another than was written."""
        again = f"copy the folder again, or write it anew with hf_xfmr export {self.told['from'].get('folder', 'RUN')}"
        for name, expected in self.told["files"].items():
            path = self.folder / name
            if not os.path.lexists(path):
                raise UserError(f"{self.folder} lacks {name}, which its {NAME} names: {again} --to {self.engine}")
            check_regular(path, "file of an export")
            if sha256(path) != expected:
                raise UserError(
                    f"{path} is not the file that was exported, by its hash in {NAME}: {again} --to {self.engine}"
                )

    def check_source(self, run: str) -> None:
        """Raises `UserError` if the run's folder has other weights by now than those that were exported."""
        told, now = self.told["from"].get("weights"), weights_hash(Path(run))
        if told and now and told != now:
            raise UserError(
                f"{self.folder} was written from other weights than {run} has now: remove it, and write it anew with "
                f"hf_xfmr export {run} --to {self.engine}"
            )


def read(folder: str | Path) -> Manifest | None:
    """The manifest in a folder; None where it has none of an export. Raises `UserError` for one that is damaged."""
    path = Path(folder) / NAME
    if not os.path.lexists(path):
        return None
    told = read_json(path, "manifest of an export")
    if "engine" not in told and "sha256" in told:  # of a checkpoint
        return None
    if told.get("engine") not in ENGINES:
        what = json.dumps(told.get("engine"))[:40]
        raise UserError(
            f"{path}: engine is {what}; it can be {', '.join(ENGINES)}: copy it again, or export the run anew"
        )
    for name, kind in _KINDS.items():
        if not isinstance(told.get(name), kind):
            raise UserError(
                f"{path}: {name} is {json.dumps(told.get(name))[:40]}, which export does not write: copy it again, or "
                "export the run anew"
            )
    for name, value in told["files"].items():
        if not isinstance(value, str) or os.path.isabs(name) or ".." in Path(name).parts:
            raise UserError(f"{path}: files names {name[:40]!r} with no hash of a file in this folder: copy it again")
    return Manifest(Path(folder), told)


def write(folder: Path, told: dict[str, Any]) -> None:
    """manifest.json of a folder whose other files are written; what is `told` is what `Manifest` says, but for
    `versions` and `files`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    hashes = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
    text = json.dumps({**told, "versions": versions(), "files": hashes}, ensure_ascii=False, indent=2)
    with whole(folder / NAME) as aside:
        aside.write_text(f"{text}\n", encoding="utf-8")


def renew(folder: str | Path) -> None:
    """Hash the files of an export anew, one of which was changed on purpose."""
    found = read(folder)
    if found is not None:
        write(found.folder, found.told)


def sha256(path: Path) -> str:
    """The hash of a file, which is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_hash(folder: Path) -> str | None:
    """One hash of all files of weights in a model's folder; None where it has none."""
    hashes = [sha256(path) for path in sorted(folder.glob(WEIGHTS)) if path.is_file()]
    return hashlib.sha256("".join(hashes).encode()).hexdigest() if hashes else None


def versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
