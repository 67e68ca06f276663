"""Where Python enters a recipe: its errors are exceptions, and nothing of a run is left behind in the process."""

import dataclasses
import gc
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pandas as pd

from ..check import Checked
from ..errors import UserError
from ..run import beginnings, faults, kinds, recipes
from ..run.call import Call
from ..training import lock
from ..training.interrupts import Interrupted
from ..training.trainer import XfmrTrainingArguments
from . import process
from .runs import load
from .trained_tokenizer import TrainedTokenizer

_one_at_a_time = threading.Lock()  # random numbers, the device and what is undone belong to the whole process


def train(function: str, dataset: Any, config: Any, settings: dict[str, Any]) -> Any:
    """Call a recipe and return its run; see `hf_xfmr.api` for all of it."""
    with entered():
        call = Call(function, config, _with(dataset, settings))
        try:
            recipe(function).main(call)
        except Checked as checked:
            beginnings.undo()
            return pd.DataFrame(
                (checked.found or {}).get("findings", []), columns=["level", "message", "advice", "rows"]
            )
    gc.collect()  # a trainer refers to itself, and would stay beside the model that is loaded next
    assert call.went_to is not None
    return load(call.went_to)


def train_tokenizer(dataset: Any, config: Any, settings: dict[str, Any]) -> TrainedTokenizer:
    """See `hf_xfmr.api.train_tokenizer`."""
    with entered():
        call = Call("train_tokenizer", config, _with(dataset, settings))
        figures = recipe("tokenizer").main(call)
    assert call.went_to is not None
    return TrainedTokenizer(call.went_to, figures)


def _with(dataset: Any, settings: dict[str, Any]) -> dict[str, Any]:
    return settings if dataset is None else {"dataset": dataset, **settings}


@contextmanager
def entered() -> Iterator[None]:
    """A run of this process, the only one. What a user can put right is raised as `UserError`, and what has been begun
    is undone; what is a fault of hf_xfmr comes as it is, with a note that says so."""
    if not _one_at_a_time.acquire(blocking=False):
        raise UserError("another run of this process has not ended: wait for it, or start a process for each")
    held, ended = lock.held(), False
    try:
        with process.as_it_was():
            yield
        ended = True
    except Interrupted as stopped:
        ended = True
        if stopped.code != 128 + signal.SIGINT:
            raise
        raise KeyboardInterrupt("stopped, and saved: the same call goes on from there") from None
    except Exception as error:
        if (sentence := faults.known(error)) is not None:
            traceback.clear_frames(error.__traceback__)  # which a notebook keeps, and with them model and trainer
            if isinstance(error, UserError):
                raise
            raise UserError(sentence) from error
        error.add_note("this is a fault of hf_xfmr, not yours: please report it with this traceback")
        raise
    finally:
        (beginnings.keep if ended else beginnings.undo)()
        for folder in lock.held() - held:
            lock.release(folder)
        _one_at_a_time.release()


def recipe(function: str) -> ModuleType:
    """The module of a recipe's script. Raises `UserError` for a name that is none."""
    return recipes.module(recipes.script(function))


def table_of_settings(function: str) -> pd.DataFrame:
    """See `hf_xfmr.api.settings`."""
    module = recipe(function)
    classes = (module.Settings, vars(module).get("Arguments", XfmrTrainingArguments))
    taken, rows = kinds.of(*classes), {}
    for field in (field for one in classes for field in dataclasses.fields(one) if field.init):
        make = field.default_factory
        default = field.default if make is dataclasses.MISSING else make()  # type: ignore[operator]
        rows[field.name] = {
            "type": kinds.words(taken[field.name]),
            "default": None if default is dataclasses.MISSING else default,
            "help": " ".join(str(field.metadata.get("help", "")).split()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")
