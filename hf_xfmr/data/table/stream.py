"""A file of text read a part at a time, however it is packed and in whatever encoding."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import UserError
from .encoding import SAMPLE, encoding_of, name_of
from .packed import opened
from .reading import Reading
from .settings import TableSettings

CHUNK = 1 << 20


@contextmanager
def text_of(
    path: Path, settings: TableSettings | None = None, reading: Reading | None = None, *, newline: str = ""
) -> Iterator[io.TextIOBase]:
    """The text as a stream whose line ends are as they stand (`newline`: as of `open`); how it was packed
    and written is put into `reading`.

    Raises UserError for what can't be unpacked, for bytes that are not of the encoding, and where it is not sure.
    """
    told = settings.encoding if settings else None
    with opened(path) as (file, compression, _):
        beginning = file.read(SAMPLE)
        telling, whole = _telling(beginning, file)
    encoding, mark = encoding_of(path, telling, told, whole=whole)
    if reading is not None:
        reading.compression, reading.encoding = compression, name_of(encoding)
    with opened(path) as (file, _, _):
        file.read(mark)
        try:
            with io.TextIOWrapper(file, encoding, newline=newline) as text:
                yield text
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}: is not {name_of(encoding)} throughout (byte {error.object[error.start]:#04x}); say the "
                "right encoding with --encoding, as in --encoding gb18030"
            ) from None


def _telling(beginning: bytes, file) -> tuple[bytes, bool]:
    """The part of a file from the first byte on that is not plain ASCII (from the start of its line), and whether
    nothing follows it."""
    part, whole = beginning, len(beginning) < SAMPLE
    while not whole and part.isascii() and b"\0" not in part and b"\x1b" not in part:
        line = part[part.rfind(b"\n") + 1 :][-SAMPLE:]
        more = file.read(CHUNK)
        part, whole = line + more, len(more) < CHUNK
    return part, whole
