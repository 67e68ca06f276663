"""The bytes of a file, unpacked if it is compressed: by what it begins with, whatever it is called."""

import bz2
import gzip
import io
import lzma
import mmap
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ...errors import UserError
from ..regular import check_regular
from ..wording import listed

Bytes = bytes | mmap.mmap
CHUNK = 2**18
# A packed file may unpack to SURE bytes, or RATIO times its own: texts shrink to a fifth, tables of few words to 3 %.
SURE, RATIO = 256 * 2**20, 60

SUFFIXES = (".gz", ".bz2", ".zst", ".lz4", ".xz", ".zip")
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
MAGIC |= {b"\xfd7zXZ\x00": "xz"}
WORKBOOKS = ("[Content_Types].xml", "mimetype")  # members of zip archives that are no archives to a user
FAULTS = (OSError, EOFError, pa.ArrowException, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
FAULTS += (NotImplementedError, RuntimeError)  # type: ignore[assignment]  # zip: a method unknown, a password


def bare(path: Path) -> Path:
    """The path without the ending that says how the file is compressed."""
    return path.with_suffix("") if path.suffix.lower() in SUFFIXES else path


def compression_of(path: Path) -> str | None:
    """gzip, bz2, zstd, lz4, xz, zip (an archive that is no workbook), or None."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    if head.startswith(b"PK\x03\x04") and path.suffix.lower() not in (".xlsx", ".ods", ".xlsm", ".xlsb"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except FAULTS:
            return "zip"
        return None if any(name in WORKBOOKS for name in names) else "zip"
    return None


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], str | None, str]]:
    """The unpacked bytes as a stream, how they were packed, and the name of what was packed.

    Raises UserError for an archive without exactly one table in it, and for a damaged one, also while it is read.
    """
    check_regular(path, "file")
    try:
        packing = compression_of(path)
        if packing is None:
            with path.open("rb") as file:
                yield file, None, path.name
        elif packing == "zip":
            with zipfile.ZipFile(path) as archive:
                member = _member(path, archive)
                with archive.open(member) as file:
                    yield _bounded(path, file), packing, Path(member).name
        else:
            with _stream(path, packing) as file:
                yield _bounded(path, file), packing, bare(path).name
    except UserError:
        raise
    except FAULTS as error:
        words = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read ({words}); check the file, its path and its permissions") from None


@contextmanager
def _stream(path: Path, packing: str) -> Iterator[IO[bytes]]:
    if packing in ("gzip", "bz2", "xz"):
        opener = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}[packing]
        with opener(path, "rb") as file:  # type: ignore[operator]
            yield file
    else:
        with pa.CompressedInputStream(pa.OSFile(str(path)), packing) as packed:
            yield packed


def _bounded(path: Path, stream: Any) -> IO[bytes]:
    return io.BufferedReader(_Raw(path, stream), CHUNK)  # type: ignore[return-value,arg-type]


class _Raw(io.RawIOBase):
    """What is unpacked, as a stream of Python's that can be buffered. Raises `UserError` where it becomes so much more
    than the file that no table is in it: it was made to fill memory."""

    def __init__(self, path: Path, stream: Any):
        self.path, self.stream, self.read_so_far = path, stream, 0
        self.most = max(SURE, RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        got = self.stream.read(len(buffer))
        buffer[: len(got)] = got
        self.read_so_far += len(got)
        if self.read_so_far > self.most:
            raise _too_much(self.path, self.read_so_far)
        return len(got)


def _too_much(path: Path, size: int) -> UserError:
    return UserError(
        f"{path}: {path.stat().st_size / 1e6:,.1f} MB unpack to more than {size / 1e6:,.0f} MB, which no table does; "
        "if it is one, unpack it and give the file"
    )


def check_archive(path: Path) -> None:
    """Raises `UserError` for a workbook whose parts say that they unpack to more than any table does."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(one.file_size for one in archive.infolist())
    except FAULTS:
        return  # its reader tells what is wrong with it
    if size > max(SURE, RATIO * path.stat().st_size):
        raise _too_much(path, size)


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [one.filename for one in archive.infolist() if not one.is_dir()]
    names = [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]
    if not names:
        raise UserError(f"{path}: the archive has no file in it; give one that holds a table")
    if len(names) > 1:
        tables = [n for n in names if Path(n).suffix.lower() in (".csv", ".tsv", ".tab", ".json", ".jsonl", ".parquet")]
        if len(tables) != 1:
            raise UserError(
                f"{path}: the archive holds {listed(names)}, and which is meant is not known; unpack it, and give the "
                "file, or the folder with its train and test files"
            )
        names = tables
    return names[0]


def contents(path: Path) -> tuple[Bytes, str | None, str]:
    """All unpacked bytes, how they were packed, and the name of what was packed. Raises UserError as `opened`."""
    with opened(path) as (file, packing, name):
        return all_of(path, file, packing), packing, name


def all_of(path: Path, file: IO[bytes], packing: str | None) -> Bytes:
    """All bytes of an opened file: a file that is not packed is mapped into memory, not copied."""
    if packing is None and path.stat().st_size:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return file.read()
