"""Checkpoints by name: a folder, a `sample:`, or a name on the Hub."""

import os
from pathlib import Path

from .. import samples
from ..errors import UserError
from ..hub import folder
from ..models.stock import CheckpointError


def checkpoint(name: str) -> str:
    """A checkpoint's name or folder as `from_pretrained` takes it; `sample:` names are fetched and cached."""
    if not name:
        raise UserError("model: no name is given: give a folder, a sample: or a name on the Hub")
    if samples.is_sample(name):
        return str(samples.checkpoint(name))
    if not os.path.lexists(name) and (len(name) > 200 or name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise UserError(f"model: there is no folder {name}")
    return name


def _reason(error: Exception) -> str:
    """A library's words on one line, without advice that no command here can follow, and not the whole list of what it
    knows."""
    words = " ".join(str(error).split()) or type(error).__name__
    if "trust_remote_code" in words:
        return "it needs code of its own, which is never run here; give a BERT, a GPT-2 or a Marian"
    if "Unrecognized configuration class" in words or "Model type should be one of" in words:
        return "its model is of another kind; give one that was trained for this"
    return words if len(words) < 400 else f"{words[:400]}…"


def from_pretrained(auto_class, name: str, **kwargs):
    """`auto_class.from_pretrained` of a folder, a `sample:` or a Hub name, with one clear error if it can't be had."""
    reads_words = "Tokenizer" in auto_class.__name__
    try:
        where = checkpoint(name)
        folder.check_folder(where)
        if not reads_words:
            return auto_class.from_pretrained(where, **kwargs)
        folder.check_tokenizer(where)
        read = auto_class.from_pretrained(where, **kwargs)
        folder.check_ids(where, getattr(read, "source", read), getattr(read, "target", None))
        return read
    except (UserError, CheckpointError, MemoryError):
        raise
    except Exception as error:  # each library and each kind of damage has its own
        if isinstance(error, ImportError) or (not isinstance(error, OSError) and not Path(name).exists()):
            raise
        if Path(name).exists():
            raise UserError(f"model: {name} can't be loaded as {auto_class.__name__}: {_reason(error)}") from error
        raise UserError(
            f"model: '{name}' is no folder here and can't be had from the Hub (no network, no such model, or no "
            "access): give a local folder, or connect first"
        ) from error
