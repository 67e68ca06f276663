"""What a run trains on, in which order: recorded in its checkpoints, compared on resuming, and looked up by step."""

import hashlib
import json
from collections.abc import Iterator, Sized
from itertools import islice
from typing import Any

import datasets
import torch
from transformers import Trainer

from ..errors import UserError
from .row_hash import hash_of

MAYBE = ("all_rows", "evaluated")  # what an older checkpoint does not know, or a run without evaluations
BATCHES = 100  # whose row numbers are recorded
WORDS = {
    "seed": "seed",
    "data_seed": "data_seed",
    "batch_size": "per_device_train_batch_size",
    "tokens_per_batch": "tokens_per_batch",
    "accumulation": "gradient_accumulation_steps",
    "processes": "the number of processes",
    "rows": "the number of train rows",
    "all_rows": "the train rows (a hash of all of them)",
    "evaluated": "the rows it is evaluated on (a hash of all of them)",
    "order": "the order of the train rows (a hash)",
}


def describe(trainer: Trainer) -> dict:
    """The facts of `WORDS`, of this process's batches. Leaves torch's random numbers as they were."""
    args = trainer.args
    facts = {
        "seed": args.seed,
        "data_seed": args.data_seed,
        "batch_size": args.per_device_train_batch_size,
        "tokens_per_batch": getattr(args, "tokens_per_batch", None),
        "accumulation": args.gradient_accumulation_steps,
        "processes": args.world_size,
    }
    if facts["tokens_per_batch"] is not None:
        facts["batch_size"] = None
    if _numbered(trainer.train_dataset):
        rows: Any = trainer.train_dataset
        rows = rows.with_format(None) if isinstance(rows, datasets.Dataset) else rows  # without transforms at random
        facts["rows"] = len(rows)
        with torch.random.fork_rng(devices=[]):
            facts["all_rows"] = hash_of(rows)
            facts["order"] = _hash(islice(batches(trainer, 0), BATCHES))
    held_out: Any = trainer.eval_dataset
    if held_out is not None and not isinstance(held_out, dict) and _numbered(held_out):
        with torch.random.fork_rng(devices=[]):
            facts["evaluated"] = hash_of(held_out.with_format(None) if hasattr(held_out, "with_format") else held_out)
    return facts


def _numbered(rows) -> bool:
    return isinstance(rows, Sized) and not isinstance(rows, torch.utils.data.IterableDataset)


def _hash(items) -> str:
    sha = hashlib.sha256()
    for item in items:
        sha.update(json.dumps(item, sort_keys=True, default=str).encode())
    return sha.hexdigest()[:16]


def compare(before: dict, now: dict, checkpoint) -> None:
    """Raises `UserError` if a run described by `now` is not the one that wrote the checkpoint."""
    for name, words in WORDS.items():
        both = name in before and name in now
        if before.get(name) != now.get(name) and (both or name not in MAYBE):
            raise not_the_same(checkpoint, words, before.get(name), now.get(name))


def not_the_same(checkpoint, what: str, before, now) -> UserError:
    """What is said of a run that is not the one that wrote the checkpoint."""
    return UserError(
        f"{checkpoint} can't be resumed: {what} was {before} and is now {now}; go back to what it was, or add --resume "
        "false to train from the beginning, or --weights_only to begin a new run from its weights"
    )


def batches(trainer: Trainer, epoch: int) -> Iterator[list[int]]:
    """The row numbers of each batch of an epoch, of this process."""
    loader: Any = trainer.get_train_dataloader()
    sampler: Any = getattr(loader, "batch_sampler", None)
    for one in (loader, sampler, getattr(sampler, "batch_sampler", None)):  # as Trainer's loop does
        getattr(one, "set_epoch", lambda _: None)(epoch)
    return iter(sampler or ())


def rows_of_step(trainer: Trainer, count: int) -> list[list[int]]:
    """The row numbers of the `count` batches of the step after the last finished one; [] for a stream."""
    if not _numbered(trainer.train_dataset):
        return []
    done = trainer.state.epoch or 0.0
    first = round((done - int(done)) * len(trainer.get_train_dataloader()))
    with torch.random.fork_rng(devices=[]):
        return [list(batch) for batch in islice(batches(trainer, int(done)), first, first + count)]
