"""Checkpoints by name: a folder, a `sample:`, or a name on the Hub; and whether one has what a model is made of."""

import functools
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import constants, file_exists, try_to_load_from_cache

from .. import samples
from ..errors import UserError
from ..hub import folder, weight_files
from ..models.stock import CheckpointError, StockModel, stock_name
from ..plain import one_line, printable
from ..processes import is_main
from ..writing import fault_of

NAMED = 3  # tensors that an error names
_CODE = re.compile("trust_remote_code|custom code|remote code")  # in what transformers says of a folder with code


def checkpoint(name: str, *, adapters: bool = False) -> str:
    """A checkpoint's name or folder as `from_pretrained` takes it; `sample:` names are fetched and cached. An adapter's
    is an error, unless `adapters` are meant."""
    if not name:
        raise UserError("model: no name is given: give a folder, a sample: or a name on the Hub")
    if samples.is_sample(name):
        return str(samples.checkpoint(name))
    if not os.path.lexists(name) and (len(name) > 200 or name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise UserError(f"model: there is no folder {name}")
    if adapters:
        return name
    folder.check_no_adapter(name)
    if not os.path.lexists(name) and is_adapter_on_hub(name):
        raise UserError(folder.holds_adapter(name))
    return name


@functools.lru_cache(maxsize=16)
def is_adapter_on_hub(name: str) -> bool:
    """Whether a name on the Hub is an adapter's; not where it can't be had, which loading says."""
    if os.path.lexists(name) or samples.is_sample(name):
        return False
    try:
        if isinstance(try_to_load_from_cache(name, folder.ADAPTER), str):
            return True
        return file_exists(name, folder.ADAPTER)  # once: loading tries again and again
    except Exception:  # each kind of an absence has its own
        return False


def _reason(error: Exception) -> str:
    """A library's words on one line, without advice that no command here can follow, and not the whole list of what it
    knows."""
    words = one_line(error)
    if isinstance(error, KeyError):
        return f"one of its files lacks {words}, or says what is not known: save or copy it again"
    if isinstance(error, AttributeError | TypeError) and "Validation error" not in words:
        return f"one of its files holds a value of another kind than belongs there ({words}): save or copy it again"
    if "automatic conversion of the weights" in words:  # and a table with a traceback for each
        return "a tensor has another number of dimensions than its config.json says: copy the checkpoint again"
    if "Unrecognized configuration class" in words or "Model type should be one of" in words:
        return "its model is of another kind; give one that was trained for this"
    return words if len(words) < 400 else f"{words[:400]}…"


@functools.cache  # once for each checkpoint, however often it is loaded
def _say_if_pickled(name: str) -> None:
    if is_main() and weight_files.is_pickled(name):
        source = shlex.quote(printable(name))
        print(
            f"{printable(name)} has its weights as pytorch_model.bin, a pickle, of which tensors alone were read and "
            f"no code was run; hf_xfmr convert {source} NEW_FOLDER writes them as safetensors",
            file=sys.stderr,
        )


@contextmanager
def _without_report() -> Iterator[None]:
    """Within, stock's table of what does not fit, many lines, is not printed: here that is an error of one."""
    logger = logging.getLogger("transformers.modeling_utils")

    def says_else(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger.addFilter(says_else)
    try:
        yield
    finally:
        logger.removeFilter(says_else)


def from_pretrained(auto_class, name: str, *, grows: bool = False, adapters: bool = False, **kwargs):
    """`auto_class.from_pretrained` of a folder, a `sample:` or a Hub name, with one clear error if it can't be had.
    Code that comes with a checkpoint is never run, nor asked about. A tokenizer may have ids beyond the embedding only
    where that `grows` with it; what lies beside an adapter is read where `adapters` are meant."""
    if auto_class.__name__.startswith("Auto"):
        kwargs.setdefault("trust_remote_code", False)
    reads_words = "Tokenizer" in auto_class.__name__
    try:
        where = checkpoint(name, adapters=adapters)
        folder.check_folder(where, words_only=reads_words, adapters=adapters)
        if not reads_words:
            with _without_report():
                loaded = auto_class.from_pretrained(where, **kwargs)
            if "Config" not in auto_class.__name__:
                _say_if_pickled(where)
            return loaded
        folder.check_tokenizer(where)
        read = auto_class.from_pretrained(where, **kwargs)
        if not grows:
            folder.check_ids(where, getattr(read, "source", read), getattr(read, "target", None))
        return read
    except (UserError, CheckpointError, MemoryError):
        raise
    except Exception as error:  # each library and each kind of damage has its own
        if isinstance(error, ValueError) and _CODE.search(str(error)):
            raise UserError(
                f"model: {name} is run by code of its own, which no recipe and no command of hf_xfmr runs; read that "
                f"code, and if you trust it load it in Python: {auto_class.__name__}.from_pretrained({name!r}, "
                "trust_remote_code=True)"
            ) from error
        if isinstance(error, ImportError) or (not isinstance(error, OSError) and not Path(name).exists()):
            raise
        if Path(name).exists():
            raise UserError(f"model: {name} can't be loaded as {auto_class.__name__}: {_reason(error)}") from error
        if fault := fault_of(error):
            raise UserError(
                f"model: '{name}' could not be put into the cache {constants.HF_HUB_CACHE} ({fault[1]}): free some "
                "space there, or set HF_HOME to a folder that can be written to"
            ) from error
        raise UserError(
            f"model: '{name}' is no folder here and can't be had from the Hub (no network, no such model, or no "
            "access): give a local folder, or connect first"
        ) from error


def to_train(model_class, name: str, *, head: str | None = None, whole: bool = False, **kwargs) -> Any:
    """A model of ours to go on training. Unless it is to be `whole`, its heads may be new, and tensors of `head` have
    other sizes than the checkpoint's, for other labels: then they begin anew, which is said, and is `began_anew` on
    the model. Raises `UserError` for any other tensor that does not fit, and `CheckpointError` for a missing one."""
    model, info = _judged(model_class, name, head, kwargs)
    if whole:
        _refuse_missing(model, name, info)
    new = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    model.began_anew = frozenset(new.difference(getattr(model, "all_tied_weights_keys", {})))
    model.check_loading(name, info, ignore_mismatched_sizes=True)
    return model


def to_use(auto_class, name: str, *, unused: str | None = None, **kwargs) -> Any:
    """A model to answer with, in evaluation mode. Raises `UserError` if any of its tensors, its head's too, is not in
    the checkpoint or has another size there: what stands in for them is random. Those of the part `unused` are not
    asked for."""
    model, info = _judged(auto_class, name, None, kwargs)
    info["missing_keys"] = {key for key in info["missing_keys"] if unused is None or not key.startswith(f"{unused}.")}
    _refuse_missing(model, name, info)
    # One of a layer that the config does not count; heads that another class has may be left over.
    if over := sorted(key for key in info["unexpected_keys"] if re.search(r"\.\d+\.", key)):
        raise UserError(
            f"model: {name} holds {_named([_both(model, key) for key in over])}, for which its config.json has no "
            "layer: use the config.json that was saved with these weights"
        )
    if isinstance(model, StockModel):
        model.check_loading(name, info)
    return model.eval()


def _refuse_missing(model, name: str, info: dict) -> None:
    if missing := sorted(info["missing_keys"]):
        raise UserError(
            f"model: {name} lacks {_named([_both(model, key) for key in missing])} of {type(model).__name__}: it was "
            "not trained for this, or the file is incomplete; give the folder of a run that was, or copy it again"
        )


def _judged(auto_class, name: str, head: str | None, options: dict) -> tuple[Any, dict]:
    model, info = with_info(auto_class, name, **options)
    sizes = sorted(one for one in info["mismatched_keys"] if head is None or not one[0].startswith(f"{head}."))
    if sizes:
        told = [f"{_both(model, key)} is {list(there)} and not {list(here)}" for key, there, here in sizes]
        raise UserError(
            f"model: the tensors of {name} do not have the sizes its config.json says: {_named(told)}; use the "
            "config.json that was saved with these weights, or copy the checkpoint again"
        )
    return model, info


def with_info(auto_class, name: str, **options) -> tuple[Any, dict]:
    """A model, whatever of it is missing or of other sizes; and what is, as transformers says it."""
    return from_pretrained(auto_class, name, output_loading_info=True, ignore_mismatched_sizes=True, **options)


def _both(model, key: str) -> str:
    on_disk = stock_name(model, key) if isinstance(model, StockModel) else key
    return key if on_disk == key else f"{key} (on disk {on_disk})"


def _named(what: list[str]) -> str:
    more = len(what) - NAMED
    return ", ".join(what[:NAMED]) + (f" and {more:,} more tensor{'s' * (more > 1)}" if more > 0 else "")
