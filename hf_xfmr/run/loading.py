"""Checkpoints by name: a folder, a `sample:`, or a name on the Hub."""

from pathlib import Path

from .. import samples
from ..errors import UserError


def checkpoint(name: str) -> str:
    """A checkpoint's name or folder as `from_pretrained` takes it; `sample:` names are fetched and cached."""
    if samples.is_sample(name):
        return str(samples.checkpoint(name))
    if not Path(name).exists() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise UserError(f"model: there is no folder {name}")
    return name


def from_pretrained(auto_class, name: str, **kwargs):
    """`auto_class.from_pretrained` of a folder, a `sample:` or a Hub name, with one clear error if it can't be had."""
    try:
        return auto_class.from_pretrained(checkpoint(name), **kwargs)
    except OSError as error:
        if Path(name).exists():
            reason = " ".join(str(error).split())
            raise UserError(f"model: {name} can't be loaded as {auto_class.__name__}: {reason}") from error
        raise UserError(
            f"model: '{name}' is no folder here and can't be had from the Hub (no network, no such model, or no "
            "access): give a local folder, or connect first"
        ) from error
