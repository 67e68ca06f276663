"""What computes a model's numbers: PyTorch, ONNX Runtime or CTranslate2. Predictors ask one of these, and know none.

| engine        | reads                                                         | computes                            |
|---------------|---------------------------------------------------------------|-------------------------------------|
| `torch`       | a run's folder, a stock checkpoint, an adapter, a Hub name     | all                                 |
| `onnx`        | a folder of `export --to onnx`                                 | rows: predict, fill                 |
| `ctranslate2` | a folder of `export --to ctranslate2`                          | texts: generate, translate          |

A folder that was exported says which engine it is for in its manifest.json (see `manifest.py`). The last two import
neither torch nor transformers.
"""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import UserError
from . import manifest
from .config import labels, positions
from .manifest import ENGINES, Manifest

if TYPE_CHECKING:
    import numpy as np

    from .drawing import Drawing

__all__ = ["ENGINES", "Place", "Rows", "Writer", "find", "labels", "positions", "rows", "seed", "tokenizer", "writer"]
_MODULES = {"torch": "pytorch", "onnx": "onnx", "ctranslate2": "ctranslate2"}


class Rows(Protocol):
    """A model that reads rows of token ids; what is made of its numbers is no concern of its own."""

    engine: str
    config: dict[str, Any]  # what config.json says
    tokenizer: Any  # transformers', or `tokens.Tokenizer`, which answers the same calls

    def __call__(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> "np.ndarray":
        """The logits of a batch, float32: [B, C] of its rows, or [B, T, C] of their tokens (of answers to questions
        C is 2, start and end), where T is the longest
        row's number of them, and what stands behind a shorter row's last one means nothing. `ids` are rows with their
        special tokens, none empty, `types` their token types (None: all 0)."""
        ...


class Writer(Protocol):
    """A model that writes: continuations of prompts, or translations."""

    config: dict[str, Any]

    def __call__(
        self,
        rows: Sequence[Sequence[int]],
        options: Mapping[str, Any],
        told: Callable[[int, int], bool] | None = None,
    ) -> list[list[int]]:
        """The ids that are written for each row of ids, none of which is padded; special tokens may be among them.

        `options` are called as `model.generate` calls them: `max_new_tokens`, or `max_length` of a translation with its
        start; `do_sample` with `temperature`, `top_k` (0: all) and `top_p`; `num_beams`. Without beams `told` hears
        each id as it is written, (row, id), and says whether the row ends with it; not of rows that have ended. Raises
        `run.finite.NotFinite` where the model's numbers are not finite.
        """
        ...

    def running(self) -> "Running | None":
        """An empty batch of texts that others may join while they are written; None where the engine or what the
        model's generation config asks for knows whole batches only."""
        ...


class Running(Protocol):
    """Texts that are written together; see `joining.py`."""

    ends: set[int]  # tokens with which a text ends

    def join(self, prompts: Sequence[Sequence[int]], drawings: "Sequence[Drawing]") -> None: ...
    def draw(self) -> list[int | None]: ...
    def go_on(self, tokens: Sequence[int]) -> None: ...
    def leave(self, rows: Sequence[int]) -> None: ...


class Place(NamedTuple):
    """Which engine reads a model, and where: the folder or Hub name, and its manifest where it was exported."""

    engine: str
    model: str
    manifest: Manifest | None


def find(model: str, engine: str | None = None) -> Place:
    """The place of a model in a folder or on the Hub; `engine` None: what the folder is for. A run's folder asked for
    another engine is its export beside it, FOLDER-onnx.

    Raises `UserError` for an unknown engine, an export for another one, a run that was not exported, or trained again
    since it was; and for a manifest that can't be read.
    """
    if engine is not None and engine not in ENGINES:
        raise UserError(f"engine is '{engine}'; it can be {', '.join(ENGINES)}")
    found = manifest.read(model) if os.path.isdir(model) else None
    own = "torch" if found is None else found.engine
    if engine in (None, own):
        return Place(own, model, found)
    if found is not None and own != "torch":
        raise UserError(
            f"{model} was exported for the engine {own}, and {engine} is asked for: leave --engine out, or give the "
            "run's folder"
        )
    assert engine is not None
    beside = f"{Path(model)}-{engine}"
    if not os.path.isdir(beside):
        where = "" if os.path.isdir(model) else ", once it is a folder here,"
        raise UserError(
            f"{model} is not there for the engine {engine}: write it{where} with hf_xfmr export {model} --to {engine}"
        )
    found = manifest.read(beside)
    if found is None or found.engine != engine:
        raise UserError(
            f"{beside} is beside {model}, but no folder that export --to {engine} wrote: remove it, or give the one "
            "meant by its own name"
        )
    found.check_source(model)
    return Place(engine, beside, found)


def rows(model: str, head: str, engine: str | None = None, *, bf16: bool = False) -> Rows:
    """The model in a folder or on the Hub, ready to read rows; `head` is the Auto class of what is asked of it, as
    AutoModelForSequenceClassification. With `bf16` it is computed in bfloat16, which PyTorch alone does. Raises
    `UserError` as `find`, for an engine that reads no rows, a model with another head, and a folder that is damaged."""
    place = find(model, engine)
    if place.engine == "ctranslate2":
        raise UserError(
            f"{model} is for CTranslate2, which writes texts and reads no rows: use generate or translate, or export "
            "the run with --to onnx"
        )
    module = _module(place, head)
    if not bf16:
        return module.Rows(place.model, head)
    if place.engine != "torch":
        raise UserError(
            f"{place.model} was exported for the engine {place.engine}, and bf16 is PyTorch's: leave it out"
        )
    return module.Rows(place.model, head, bf16=True)


def writer(model: str, head: str, engine: str | None = None) -> Writer:
    """The model in a folder or on the Hub, ready to write; `head` is AutoModelForCausalLM or AutoModelForSeq2SeqLM.
    Raises `UserError` as `rows`, and for an engine that writes no texts."""
    place = find(model, engine)
    if place.engine == "onnx":
        raise UserError(
            f"{model} is an ONNX graph, which computes all words anew for each word: to write texts, export the run "
            "with --to ctranslate2"
        )
    return _module(place, head).writer(place.model, head)


def _module(place: Place, head: str) -> Any:
    """What reads the place, once its manifest has been held against its files and the `head`."""
    if place.manifest is not None:
        place.manifest.check(head)
    return importlib.import_module(f".{_MODULES[place.engine]}", __name__)


def tokenizer(place: Place) -> Any:
    """The tokenizer of a model, as `Rows` has it."""
    if place.engine != "torch":
        from . import tokens

        return tokens.load(place.model)
    from transformers import AutoTokenizer

    from ..run import adapted

    return adapted.from_pretrained(AutoTokenizer, place.model)


def seed(number: int, engine: str) -> None:
    """What is drawn from here on is the same for the same number."""
    if engine == "ctranslate2":
        import ctranslate2

        ctranslate2.set_random_seed(number)
    else:
        from transformers import set_seed

        set_seed(number)
