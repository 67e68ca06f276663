"""CTranslate2's model.bin: its variables by name, as its C++ reads them and `ModelSpec.save` writes them."""

import struct
from pathlib import Path

import numpy as np

from ..errors import UserError

VERSION = 6
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}  # 5, bfloat16, is not written here


def variables(path: Path) -> dict[str, np.ndarray]:
    """All arrays, those that stand there once under two names under both. Raises `UserError` for a file of another
    version."""
    data, place = path.read_bytes(), 0

    def number(kind: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{kind}", data, place)
        place += struct.calcsize(kind)
        return value

    def text() -> str:
        nonlocal place
        length = number("H")
        place += length
        return data[place - length : place - 1].decode()

    if (version := number("I")) != VERSION:
        raise UserError(
            f"{path.name} is of version {version} and not {VERSION}: install the ctranslate2 of hf_xfmr[export]"
        )
    text()
    number("I")
    found: dict[str, np.ndarray] = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = TYPES[number("B")], number("I")
        found[name] = np.frombuffer(data, kind, size // np.dtype(kind).itemsize, place).reshape(shape)
        place += size
    for _ in range(number("I")):
        alias = text()
        found[alias] = found[text()]
    return found
