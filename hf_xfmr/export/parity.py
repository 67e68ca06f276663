"""What a written model must compute: random inputs, and how far its outputs are from ours."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..hub.dual import Kind, read_config
from ..models.stock import CheckpointError, to_own_names
from ..run import loading

TOLERANCE = 1e-4  # of the largest output, or of 1 if that is more: some 1,000 roundings of float32


def load(kind: Kind, folder: Path):
    """Our model in `folder`, float32, in evaluation mode. Raises `UserError` for one that has no counterpart."""
    labels = read_config(folder).get("id2label")
    if isinstance(labels, dict) and len(labels) != 2 and "QuestionAnswering" in kind.own_class:
        raise UserError(
            f"{folder}/config.json gives {len(labels)} labels (id2label) to a {kind.own_class}, and an answer has two "
            "scores a token, of its begin and its end: take id2label, label2id and num_labels out of it, and try again"
        )
    own_class = getattr(sys.modules[kind.config_class.__module__], kind.own_class)
    try:
        return loading.to_use(own_class, str(folder), dtype=torch.float32)
    except CheckpointError as error:
        raise UserError(str(error)) from error


def inputs(model, rows: int, length: int, *, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of `rows` rows of `length` tokens, int64, every second one with padding on the right.

    input_ids and attention_mask [rows, length] ([rows, 2, length] for multiple choice); token_type_ids where there are;
    decoder_input_ids [rows, length + 1] for an encoder-decoder.
    """
    config, draw = model.config, torch.Generator().manual_seed(seed)
    shape = (rows, 2, length) if type(model).__name__.endswith("ForMultipleChoice") else (rows, length)
    padding = 0 if config.pad_token_id is None else config.pad_token_id

    def ids(vocabulary: int, *shape: int) -> Tensor:
        drawn = torch.randint(0, vocabulary - 1, shape, generator=draw)
        return drawn + (drawn >= padding)  # padding stands for nothing else

    given = {"input_ids": ids(config.vocab_size, *shape), "attention_mask": torch.ones(shape, dtype=torch.int64)}
    kept = max(1, length * 2 // 3)
    given["attention_mask"][1::2, ..., kept:] = 0
    given["input_ids"][1::2, ..., kept:] = padding
    if hasattr(config, "type_vocab_size"):
        given["token_type_ids"] = torch.randint(0, config.type_vocab_size, shape, generator=draw)
    if config.is_encoder_decoder:
        given["decoder_input_ids"] = ids(config.decoder_vocab_size, rows, length + 1)
    return given


def longest(model) -> int:
    """The tokens of a row that has all positions; a target has one token more than its source here."""
    return model.config.longest_row - bool(model.config.is_encoder_decoder)


def same_tensors(what: str, theirs, ours) -> int:
    """How many tensors the two models have in common. Raises `UserError` for one that differs in a bit, or one of our
    parameters that the other has not."""
    found = to_own_names(ours, theirs.state_dict())
    own = {name: one for name, one in ours.state_dict().items() if name in found}
    lost = [name for name, _ in ours.named_parameters() if name not in own]
    differ = [name for name, one in own.items() if not _same(one, found[name])]
    if lost or differ:
        name = (lost or differ)[0]
        how = "is not in it" if lost else "is another"
        raise UserError(f"{what} does not hold what our model does: {name} {how}; nothing was written")
    return len(own)


def _same(a: Tensor, b: Tensor) -> bool:
    b = b.to(a.dtype)
    return a.shape == b.shape and bool((a == b).logical_or(a.isnan() & b.isnan()).all())


@torch.inference_mode()
def outputs(model, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors a model returns for inputs, without a cache."""
    generates = model.config.is_encoder_decoder or model.config.model_type in ("gpt2", "xfmr_gpt2")
    options = {"use_cache": False} if generates else {}
    return {name: value for name, value in model(**given, **options).items() if isinstance(value, Tensor)}


def difference(
    what: str, theirs: Mapping[str, Tensor | np.ndarray], ours: Mapping[str, Tensor], given: dict[str, Tensor]
) -> float:
    """The largest difference of two models at real tokens. Raises `UserError` if it is more than rounding."""
    largest = 0.0
    for name, expected in ours.items():
        found = torch.as_tensor(theirs[name])
        if found.shape != expected.shape:
            raise UserError(f"{what} is wrong: its {name} is {list(found.shape)}, not {list(expected.shape)}")
        mask = given["attention_mask"].bool()
        per_token = expected.dim() > mask.dim() or name in ("start_logits", "end_logits")
        if per_token and expected.shape[: mask.dim()] == mask.shape:
            found, expected = found[mask], expected[mask]
        apart = float((found - expected).abs().max())
        if not apart <= TOLERANCE * max(1.0, float(expected.abs().max())):
            raise UserError(
                f"{what} does not compute what our model does: {name} differs by {apart:.2g}; nothing was written"
            )
        largest = max(largest, apart)
    return largest
