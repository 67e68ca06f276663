"""Figure 1 of the 2017 paper as a block diagram, with the names and classes that the model itself gives its parts.

A box stands for a module: `Box.module` is its name in `XfmrForConditionalGeneration`, and the box bears the last part
of it and the class that is found there. So a renamed module is an error, and never a wrong picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape
from torch import nn

ENCODER, DECODER = "model.encoder.blocks.0", "model.decoder.blocks.0"
WIDE, HIGH, STEP = 210, 34, 58  # of a box, and from one to the next, in pixels
LEFT, RIGHT = 70, 400
_FLOOR = 600  # where the inputs enter


@dataclass(frozen=True)
class Box:
    """A module, where it stands (column and step from below), and its kind, for its colour."""

    module: str
    x: int
    step: float
    kind: str

    @property
    def y(self) -> float:
        """The upper edge."""
        return _FLOOR - 40 - HIGH - self.step * STEP


BOXES = (
    Box("model.encoder.embeddings", LEFT, 0, "words"),
    Box(f"{ENCODER}.attention", LEFT, 1.5, "attention"),
    Box(f"{ENCODER}.attention_norm", LEFT, 2.5, "norm"),
    Box(f"{ENCODER}.feed_forward", LEFT, 3.7, "feed"),
    Box(f"{ENCODER}.feed_forward_norm", LEFT, 4.7, "norm"),
    Box("model.decoder.embeddings", RIGHT, 0, "words"),
    Box(f"{DECODER}.attention", RIGHT, 1.5, "attention"),
    Box(f"{DECODER}.attention_norm", RIGHT, 2.5, "norm"),
    Box(f"{DECODER}.cross_attention", RIGHT, 3.7, "attention"),
    Box(f"{DECODER}.cross_attention_norm", RIGHT, 4.7, "norm"),
    Box(f"{DECODER}.feed_forward", RIGHT, 5.9, "feed"),
    Box(f"{DECODER}.feed_forward_norm", RIGHT, 6.9, "norm"),
    Box("lm_head", RIGHT, 8.3, "words"),
)
_FRAMES = (("model.encoder.blocks", LEFT, 1.5, 4.7), ("model.decoder.blocks", RIGHT, 1.5, 6.9))


def draw(model: nn.Module, words: Mapping[str, str]) -> Markup:
    """The diagram as an `<svg>` element. Raises AttributeError where the model has no module of a box's name."""
    pieces = [_frame(model, *frame) for frame in _FRAMES]
    for column in (LEFT, RIGHT):
        boxes = [box for box in BOXES if box.x == column]
        middle = column + WIDE / 2
        pieces.append(_arrow([(middle, _FLOOR), (middle, boxes[0].y + HIGH)]))
        for before, box in pairwise(boxes):
            pieces.append(_arrow([(middle, before.y), (middle, box.y + HIGH)]))
            if box.kind == "norm":  # what the sublayer read goes round it
                low, side = before.y + HIGH + 9, column - 16
                high = box.y + HIGH / 2
                pieces.append(_arrow([(middle, low), (side, low), (side, high), (column, high)]))
        pieces += [_box(model, box) for box in boxes]
    out = BOXES[4]
    cross = next(box for box in BOXES if box.module.endswith(".cross_attention"))
    top, between = out.y - 24, (LEFT + WIDE + RIGHT) / 2
    entry = cross.y + HIGH / 2
    pieces.append(
        _arrow([(LEFT + WIDE / 2, out.y), (LEFT + WIDE / 2, top), (between, top), (between, entry), (RIGHT, entry)])
    )
    pieces.append(_text(LEFT + WIDE / 2 + 8, top - 7, "memory", "mono"))
    last = BOXES[-1]
    pieces.append(_arrow([(RIGHT + WIDE / 2, last.y), (RIGHT + WIDE / 2, last.y - 20)]))
    for x, y, name in (
        (LEFT, _FLOOR + 16, "diagram_source"),
        (RIGHT, _FLOOR + 16, "diagram_target"),
        (RIGHT, last.y - 27, "diagram_scores"),
    ):
        pieces.append(_text(x + WIDE / 2, y, words[name], "mid"))
    high, body = _FLOOR + 26, "\n".join(pieces)
    return Markup(
        f'<svg class="diagram" viewBox="0 0 640 {high}" width="640" height="{high}" xmlns="http://www.w3.org/2000/svg">'
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" class="tip"/></marker></defs>\n{body}</svg>'
    )


def _box(model: nn.Module, box: Box) -> str:
    found = model.get_submodule(box.module)
    name, kind = box.module.rpartition(".")[2], type(found).__name__
    if name == "embeddings":
        name, kind = box.module.partition(".")[2], "word + position"
        assert hasattr(found, "word")
        assert hasattr(found, "position")
    return (
        f'<rect class="box {box.kind}" x="{box.x}" y="{box.y:.0f}" width="{WIDE}" height="{HIGH}" rx="5"/>'
        + _text(box.x + WIDE / 2, box.y + 15, name, "mono mid")
        + _text(box.x + WIDE / 2, box.y + 28, kind, "kind mid")
    )


def _frame(model: nn.Module, module: str, x: int, low: float, high: float) -> str:
    blocks = model.get_submodule(module)
    assert isinstance(blocks, nn.ModuleList)
    bottom = Box("", x, low, "").y + HIGH + 22
    top = Box("", x, high, "").y - 12
    said = f"{type(blocks[0]).__name__} × {len(blocks)}"
    return (
        f'<rect class="frame" x="{x - 28}" y="{top:.0f}" width="{WIDE + 42}" height="{bottom - top:.0f}" rx="9"/>'
        + _text(x - 28, bottom + 14, said, "kind")
    )


def _arrow(points: list[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    return f'<polyline class="line" points="{path}" marker-end="url(#tip)"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'
