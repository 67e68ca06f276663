"""The process that a run borrows: afterwards its random numbers, its environment and its libraries' switches are as
before."""

import importlib
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def module(name: str) -> ModuleType:
    """A module of this room, imported when it is first asked for. Programs end an error with a line and an exit code,
    and a module of theirs sets sys.excepthook for that as it is imported: whoever calls from Python keeps the own."""
    hook = sys.excepthook
    try:
        return importlib.import_module(f".{name}", __package__)
    finally:
        sys.excepthook = hook


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """What is drawn after it is what would have been drawn without it, whatever is seeded within."""
    import numpy as np
    import torch

    own, of_numpy, of_torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    of_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(of_numpy)
        torch.set_rng_state(of_torch)
        if of_gpus is not None:
            torch.cuda.set_rng_state_all(of_gpus)


@contextmanager
def as_it_was() -> Iterator[None]:
    """Puts back what a run's settings set for the whole process: `seed`, `hub_token` (as HF_TOKEN), `torch_compile`,
    `full_determinism`, `log_level`; and progress bars of files, which are off in it (training keeps its own)."""
    import torch
    from transformers.utils import logging

    environment, bars, verbosity = dict(os.environ), logging.is_progress_bar_enabled(), logging.get_verbosity()
    exact = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    logging.disable_progress_bar()
    try:
        with random_numbers_kept():
            yield
    finally:
        if bars:
            logging.enable_progress_bar()
        logging.set_verbosity(verbosity)
        torch.use_deterministic_algorithms(exact[0], warn_only=exact[1])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        os.environ.update(environment)
        for name in set(os.environ) - set(environment):
            del os.environ[name]
