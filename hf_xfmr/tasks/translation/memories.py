"""Translation memories: the .tmx file, or those of a folder, that a name stands for."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from datasets import DatasetDict

from ...data.sources import local_path, split_files
from ...data.table.packed import bare, opened
from ...data.table.reading import Reading
from ...data.table.settings import TableSettings
from ...data.wording import listed
from ...errors import UserError
from . import tmx


def found(
    name: str, source: str | None, target: str | None, table: TableSettings | None, readings: list[Reading]
) -> tuple[DatasetDict, str, str] | None:
    """The pairs of a .tmx file (however packed), or of those of a folder by split; None if there is none."""
    path = local_path(name) if name else Path()
    if name and os.path.isdir(path):
        files = split_files(path, (".tmx",))
        if "train" not in files:
            memories = [one for one in sorted(path.iterdir()) if bare(one).suffix.lower() == ".tmx"]
            if len(memories) > 1:
                raise UserError(f"{name} holds {listed(one.name for one in memories)}: give one, or call it train.tmx")
            files = {"train": memories[0]} if memories else {}
    else:
        files = {"train": path} if name and _is_memory(path) else {}
    loaded = {}
    for split, file in files.items():
        reading = Reading(str(file))
        with _unpacked(file, reading) as stream:
            encoding = table.encoding if table else None
            loaded[split], source, target = tmx.read(file, stream, source, target, encoding, reading)
        readings.append(reading)
    return (DatasetDict(loaded), str(source), str(target)) if loaded else None


def _is_memory(path: Path) -> bool:
    if bare(path).suffix.lower() == ".tmx":
        return True
    return (
        path.suffix.lower() == ".zip"
        and os.path.isfile(path)
        and zipfile.is_zipfile(path)
        and len(_memories(path)) == 1
    )


def _memories(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [one for one in archive.namelist() if one.lower().endswith(".tmx")]


@contextmanager
def _unpacked(path: Path, reading: Reading) -> Iterator[IO[bytes]]:
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path) and len(_memories(path)) == 1:
        reading.compression = "zip"  # beside a licence, as OPUS has it
        with zipfile.ZipFile(path) as archive, archive.open(_memories(path)[0]) as file:
            yield file
    else:
        with opened(path) as (file, reading.compression, _):
            yield file
