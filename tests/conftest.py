"""Nothing in a test reaches beyond loopback: any other connection is refused, at once and by name."""

import gc
import ipaddress
import os
import socket
import sys
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # inherited by processes that tests start; read when huggingface_hub is imported
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process that tests start would compile the package anew


def _is_loopback(address) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    connect = socket.socket.connect

    def guarded(self, address):
        if not _is_loopback(address):
            raise ConnectionRefusedError(f"tests reach loopback only, not {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="module")
def little_to_look_through():
    """Each training has Python look for objects that nothing uses. What is there by now, libraries for the most part,
    is left out of that: half a million objects otherwise, a third of a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    """What one test has torch.compile make of a model's code counts towards the limit of the next one."""
    yield
    reset = getattr(sys.modules.get("torch._dynamo"), "reset", None)
    if reset is not None:
        reset()


@pytest.fixture(params=[True, False], ids=["a Chinese font", "no Chinese font"])
def chinese_font(request, tmp_path_factory, monkeypatch):
    """Whether there is a font with Chinese characters beside matplotlib's own: each in turn, whatever is installed."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", [font for font in manager.ttflist if font.name.startswith("DejaVu")])
    if request.param:
        manager.addfont(_font_of_boxes(tmp_path_factory.mktemp("fonts") / "boxes.ttf", "Noto Sans SC", 0x4E00, 0x9FFF))
    manager._findfont_cached.cache_clear()
    yield request.param
    monkeypatch.undo()
    manager._findfont_cached.cache_clear()


def _font_of_boxes(path: Path, family: str, first: int, last: int) -> Path:
    """A font in which each of these characters is a box."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap(dict.fromkeys(range(first, last + 1), "box"))
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "box": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "box": (1000, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path
