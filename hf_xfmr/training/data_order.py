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

SAMPLE = 200  # rows, spread evenly over the dataset, whose contents are recorded
BATCHES = 100  # whose row numbers are recorded
WORDS = {
    "seed": "seed",
    "data_seed": "data_seed",
    "batch_size": "per_device_train_batch_size",
    "tokens_per_batch": "tokens_per_batch",
    "accumulation": "gradient_accumulation_steps",
    "processes": "the number of processes",
    "rows": "the number of train rows",
    "contents": "the train rows (a hash of a sample of them)",
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
        places = range(0, len(rows), max(1, len(rows) // SAMPLE))
        with torch.random.fork_rng(devices=[]):
            if _hash(rows[place] for place in places[:10]) == _hash(rows[place] for place in places[:10]):
                facts["contents"] = _hash(rows[place] for place in places)
            facts["order"] = _hash(islice(batches(trainer, 0), BATCHES))
    return facts


def _numbered(rows) -> bool:
    return isinstance(rows, Sized) and not isinstance(rows, torch.utils.data.IterableDataset)


def _hash(items) -> str:
    sha = hashlib.sha256()
    for item in items:
        sha.update(json.dumps(item, sort_keys=True, default=_plain).encode())
    return sha.hexdigest()[:16]


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else type(value).__name__


def compare(before: dict, now: dict, checkpoint) -> None:
    """Raises `UserError` if a run described by `now` is not the one that wrote the checkpoint."""
    changed = [name for name in WORDS if before.get(name) != now.get(name)]
    if changed:
        name = changed[0]
        raise UserError(
            f"{checkpoint} can't be resumed: {WORDS[name]} was {before.get(name)} and is now {now.get(name)}; go back "
            "to what it was, or add --resume false to train from the beginning, or --weights_only to begin a new run "
            "from its weights"
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
