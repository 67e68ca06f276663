"""In which encoding a text is written: by its marks and bytes where these say it, else by which letters make sense."""

import codecs
import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import UserError
from ..wording import short
from . import letters
from .packed import Bytes

MARKS = [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")]
MARKS += [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (b"\x84\x31\x95\x33", "gb18030")]
NAMES = {"utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32-le": "UTF-32", "utf-32-be": "UTF-32"}
NAMES |= {"cp1252": "windows-1252", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp1253": "windows-1253"}
NAMES |= {"cp1254": "windows-1254", "cp1255": "windows-1255", "cp1256": "windows-1256", "cp1257": "windows-1257"}
NAMES |= {"cp932": "shift_jis", "cp950": "big5", "cp949": "euc_kr", "big5hkscs": "big5", "iso2022_jp": "iso-2022-jp"}
NAMES |= {"koi8_r": "koi8-r", "koi8_u": "koi8-u", "euc_jp": "euc-jp", "mac_roman": "macintosh"}
SAMPLE = 1 << 16  # bytes around which the guess is made


def name_of(encoding: str) -> str:
    """An encoding as it is called in a report and after --encoding."""
    return NAMES.get(encoding, encoding.replace("_", "-") if encoding.startswith("iso8859") else encoding)


def check_told(told: str) -> str:
    """Python's name of the encoding a user named. Raises UserError if there is none."""
    try:
        found = codecs.lookup(told)
        if not found._is_text_encoding:  # type: ignore[attr-defined]
            raise LookupError
        return found.name
    except (LookupError, ValueError):
        raise UserError(
            f"--encoding: there is no encoding '{short(told)}'; say one as utf-8, utf-16, windows-1252, gb18030, big5 "
            "or shift_jis"
        ) from None


def is_utf8(data) -> bool:
    """Whether the bytes are UTF-8; not one is copied."""
    ends = pa.py_buffer(np.array([0, len(data)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowException:
        return False
    return True


def encoding_of(path: Path, data: Bytes, told: str | None, *, whole: bool = True) -> tuple[str, int]:
    """The encoding of a text, and how many bytes of a mark it begins with.

    `whole` says that `data` is all of it; else it may end within a character. Raises UserError, which asks for
    --encoding, where several fit and give other texts.
    """
    head = data[: 4 * SAMPLE]
    mark, marked = next(((len(m), e) for m, e in MARKS if head.startswith(m)), (0, None))
    if told is not None:
        name = check_told(told)
        if name in ("utf-8-sig", "utf-16", "utf-32") and marked:
            return marked, mark
        name = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)
        return name, mark if marked == name else 0
    if marked:
        return marked, mark
    if b"\0" in head and (wide := _wide(data)):
        return wide, 0
    if is_utf8(data if whole else _without_last(data)):
        if data.find(b"\x1b") >= 0 and b"\x1b$" in data[:] and _decodes(data[:], "iso2022_jp"):
            return "iso2022_jp", 0
        return "utf-8", 0
    return _legacy(path, data[:] if whole else _without_last(data)), 0


def _without_last(data: Bytes) -> bytes:
    """The bytes up to the last line that ends, so that no character is cut."""
    end = data.rfind(b"\n")
    return data[: end + 1] if end >= 0 else data[:]


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeError, ValueError):
        return False
    return True


def _wide(data: Bytes) -> str | None:
    """UTF-16 without a mark: the high bytes of line ends, spaces and delimiters are NULs, all on one side."""
    head = data[: SAMPLE - SAMPLE % 2]
    zeros = np.flatnonzero(np.frombuffer(head, np.uint8) == 0)
    odd = int((zeros % 2).sum())
    for encoding, side in (("utf-16-le", odd), ("utf-16-be", len(zeros) - odd)):
        if side < 2 or side < 0.95 * len(zeros) or len(data) % 2:
            continue
        text = head.decode(encoding, "replace")
        controls = sum(one < " " and one not in "\t\r\n" for one in text)
        if "\n" in text and not controls and "\ufffd" not in text[:-1]:
            return encoding
    return None


def _legacy(path: Path, data: bytes) -> str:
    lines = [line for line in data.split(b"\n") if not line.isascii()] if len(data) < 1 << 24 else []
    if 2 * sum(map(is_utf8, lines)) >= max(len(lines), 1):  # UTF-8 but for a few bytes
        raise _none(path, data)
    sample = _telling(data)
    if data.count(b"\0"):
        raise _none(path, data)
    found = letters.ranked(sample)
    # What can't be decoded to its end is not the encoding, however well it begins.
    fitting: list[letters.Guess] = []
    for one in found:
        if (not fitting or one.score >= fitting[0].score - letters.MARGIN) and _decodes(data, one.encoding):
            fitting.append(one)
    if not fitting or fitting[0].score < letters.LEAST:
        raise _none(path, data)
    if any(one.text != fitting[0].text for one in fitting):
        texts = [one.text for one in fitting]
        shown = [one for place, one in enumerate(fitting) if one.text not in texts[:place]][:4]
        how = " or ".join(f'{name_of(one.encoding)} ("{_difference(one.text, shown)}")' for one in shown)
        raise UserError(
            f"{path}: is not UTF-8, and several encodings fit: {how}; say which with "
            f"{' or '.join(f'--encoding {name_of(one.encoding)}' for one in shown)}"
        )
    return fitting[0].encoding


def _telling(data: bytes) -> bytes:
    """The lines with bytes above ASCII, as many as a guess needs: the first such line may be far from the beginning."""
    lines, size = [], 0
    for line in re.finditer(rb"[^\r\n]*[\x80-\xff][^\r\n]*[\r\n]*", data):
        lines.append(line[0])
        size += len(line[0])
        if size > SAMPLE:
            break
    if size < SAMPLE // 16:  # few: the words of the others tell the language
        lines += [line for line in data[: SAMPLE // 16].splitlines(keepends=True) if line.isascii()]
    return b"".join(lines)


def _difference(text: str, shown: list) -> str:
    """The word of a text that the others read otherwise."""
    words = [one.text.split() for one in shown]
    ours = text.split()
    for place, word in enumerate(ours):
        if any(place >= len(other) or other[place] != word for other in words):
            return short(word, 24)
    return short(text, 24)


def _none(path: Path, data: bytes) -> UserError:
    try:
        data.decode("utf-8")
        where = 0
    except UnicodeDecodeError as error:
        where = error.start
    line = data.count(b"\n", 0, where) + 1
    return UserError(
        f"{path}: byte {where} (line {line}) is not UTF-8, and no other encoding makes sense of the whole; say "
        "which it is in with --encoding, as in --encoding gb18030 or --encoding windows-1252"
    )


def as_utf8(path: Path, data: Bytes, told: str | None) -> tuple[memoryview | Bytes, str]:
    """All of a text as UTF-8 without a mark, and the name of the encoding it was in. Raises UserError for bytes that
    are not of the encoding told, or of none that is sure."""
    encoding, mark = encoding_of(path, data, told)
    if encoding == "utf-8":
        if told is not None and not is_utf8(data):
            raise _not_of(path, data[:], encoding)
        return (memoryview(data)[mark:] if mark else data), name_of(encoding)
    try:
        return data[mark:].decode(encoding).removeprefix("\ufeff").encode("utf-8"), name_of(encoding)
    except UnicodeError:
        raise _not_of(path, data[:], encoding) from None


def _not_of(path: Path, data: bytes, encoding: str) -> UserError:
    try:
        data.decode(encoding)
        where = 0  # half a character, which decoding lets through and UTF-8 does not
    except UnicodeDecodeError as error:
        where = error.start
    except UnicodeError:
        where = 0
    line = data.count(b"\n", 0, where) + 1
    return UserError(
        f"{path}: byte {where} (line {line}) is not {name_of(encoding)}; say the right one with --encoding, or leave "
        "--encoding out to have it found"
    )
