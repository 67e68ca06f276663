"""What a run trains on, in which order: recorded in its checkpoints, compared on resuming, and looked up by step."""

import hashlib
import json
from collections.abc import Iterator, Sized
from itertools import islice
from typing import Any

import torch
from transformers import Trainer

from ..data.row_hash import hash_of
from ..errors import UserError

MAYBE = ("evaluated",)  # not of a run without evaluations, which may have them from now on
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
        facts["rows"] = len(trainer.train_dataset)  # type: ignore[arg-type]
        facts["all_rows"] = _hash_of_rows(trainer.train_dataset)
        with torch.random.fork_rng(devices=[]):
            facts["order"] = _hash(islice(batches(trainer, 0), BATCHES))
    evaluated: Any = trainer.eval_dataset
    if isinstance(evaluated, dict):
        facts["evaluated"] = {str(name): _hash_of_rows(rows) for name, rows in evaluated.items()}
    elif evaluated is not None and _numbered(evaluated):
        facts["evaluated"] = _hash_of_rows(evaluated)
    held_out: dict = getattr(trainer, "held_out", {})
    facts["held_out"] = {split: _hash_of_rows(rows) for split, rows in held_out.items()}
    return facts


def _hash_of_rows(rows: Any) -> str | None:
    """The hash of all of them; None for a stream, which ends who knows when."""
    if not _numbered(rows):
        return None
    with torch.random.fork_rng(devices=[]):
        return hash_of(rows.with_format(None) if hasattr(rows, "with_format") else rows)  # no transforms at random


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
    splits = before["held_out"], now["held_out"]
    for split in sorted({*splits[0], *splits[1]}):
        was, found = (one.get(split, "not there") for one in splits)
        if was != found:
            raise not_the_same(checkpoint, f"the {split} rows (a hash of all of them)", was, found)


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
