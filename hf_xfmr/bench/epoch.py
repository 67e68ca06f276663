"""A whole epoch of fine-tuning as its user waits for it: data, checkpoint and training, ours beside stock's two ways.

Ours is what `make finetune` does. Stock's is the training of transformers' own text-classification script: its
tokenizer over the rows by `map`, its model and Trainer, with each batch padded to its longest row (the script's
`pad_to_max_length=False`), and with every row padded to `max_length` (its default). Same rows, checkpoint, batch,
learning rate and optimizer, in turns in one process; nothing is evaluated or saved.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import datasets
import torch
import transformers
import yaml
from datasets import DatasetDict

from .. import samples
from ..errors import UserError
from ..run import recipes
from ..run.console import say
from ..tasks.classification import data, run
from ..tasks.classification.settings import ClassificationSettings
from ..training import XfmrTrainingArguments, fast_bf16
from ..writing import folder, place, scratch, whole
from .machine import describe, device

CONFIG = "classify/movie-reviews"
ROWS = {True: 96, False: None}  # with --quick and without; None: all 8,009
WARM = 32  # rows that each trains on first, which does not count
SECONDS = 450.0  # after which no further turn begins
OURS, DYNAMIC, PADDED = "ours", "stock", "stock, padded to 128"
TURNS = 3  # at most: of the whole epoch a turn takes minutes
GOALS = {DYNAMIC: 3.0, PADDED: 5.0}  # in float32, by which the record says whether they are met


@dataclass(kw_only=True)
class _Settings(run.ModelSettings, ClassificationSettings):
    """What the recipe's user may say."""


class Epoch:
    """What is trained, once for each turn: `rows` of the sample, in this precision, in a folder that is thrown away."""

    def __init__(self, rows: int | None, bf16: bool, out: Path):
        told = yaml.safe_load(recipes.configs("classify")[CONFIG].read_text(encoding="utf-8"))
        self.model, self.dataset = told.pop("model"), told.pop("dataset")
        told["learning_rate"] = float(told["learning_rate"])  # a text, to YAML
        self.max_length, self.label = told.pop("max_length"), told.pop("label_column")
        shared = {**told, "output_dir": str(out), "eval_strategy": "no", "save_strategy": "no", "report_to": "none"}
        self.arguments = {**shared, "disable_tqdm": True, "bf16": bf16, "use_cpu": device().type == "cpu", "seed": 0}
        self.rows = rows

    def loaded(self) -> DatasetDict:
        splits = samples.load(self.dataset)
        return splits if self.rows is None else DatasetDict({"train": splits["train"].select(range(self.rows))})

    def ours(self) -> tuple[Any, float]:
        """The trainer, and the seconds until it was ready."""
        begun = time.perf_counter()
        settings = _Settings(
            model=self.model, label_column=self.label, max_length=self.max_length, keep_tokenized=False,
            validation_fraction=0, test_fraction=0,
        )  # fmt: skip
        config, tokenizer = run.load_parts(settings)
        rows = DatasetDict({"train": self.loaded()["train"]})
        corpus = data.classification(
            rows, tokenizer, settings, max_positions=config.longest_row, vocab_size=config.vocab_size
        )
        model = run.build_model(settings, config, corpus)
        trainer, _ = run.make_trainer(settings, XfmrTrainingArguments(**self.arguments), model, corpus)
        return trainer, time.perf_counter() - begun

    def stock(self, *, pad_to_max: bool) -> tuple[Any, float]:
        """The same by transformers alone."""
        begun = time.perf_counter()
        rows, place = self.loaded()["train"], samples.checkpoint(self.model)
        names = sorted(set(rows[self.label]))
        config = transformers.AutoConfig.from_pretrained(place, num_labels=len(names))
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(place, config=config)

        def encode(batch: dict) -> dict:
            padding = "max_length" if pad_to_max else False
            found = tokenizer(batch["text"], padding=padding, max_length=self.max_length, truncation=True)
            return {**found, "label": [names.index(one) for one in batch[self.label]]}

        encoded = rows.map(encode, batched=True, load_from_cache_file=False, keep_in_memory=True)
        collate = transformers.default_data_collator if pad_to_max else transformers.DataCollatorWithPadding(tokenizer)
        arguments = transformers.TrainingArguments(**self.arguments)
        trainer = transformers.Trainer(
            model, arguments, train_dataset=encoded, data_collator=collate, processing_class=tokenizer
        )
        trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
        return trainer, time.perf_counter() - begun


def bench_epoch(
    *, quick: bool = False, turns: int = TURNS, precision: list[str] | None = None, out: str | Path = "runs/bench"
) -> dict:
    """Time whole epochs in turns, print the ratios to ours, and write epoch.json into `out`; returns what that holds.
    `quick` takes 96 rows of 8,009, in one precision. Raises `UserError` for no turn."""
    if turns < 1:
        raise UserError(f"--turns is {turns}; it must be at least 1")
    turns = 1 if quick else min(turns, TURNS)
    out = folder(place(out, "--out"), instead="give another --out")  # known before the minutes that follow
    machine = describe(device())
    say("  ".join(f"{key}: {value}" for key, value in machine.items()))
    given = precision or (["float32"] if quick or not fast_bf16() else ["float32", "bfloat16"])
    with _quiet():
        results = [_contest(kind, ROWS[quick], turns) for kind in given]
    record = {"machine": machine, "results": results}
    with whole(out / "epoch.json") as aside:
        aside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    say(f"written: {out / 'epoch.json'}")
    return record


@contextmanager
def _quiet() -> Iterator[None]:
    """Without stock's table of the tensors that are new, and its bars."""
    before, silent = transformers.utils.logging.get_verbosity(), datasets.are_progress_bars_disabled()
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(before)
        if not silent:
            datasets.enable_progress_bars()


def _contest(kind: str, rows: int | None, turns: int) -> dict:
    with scratch("epoch-") as aside:
        for one in _contestants(Epoch(WARM, kind == "bfloat16", aside)).values():
            _trained(one)
        made, begun = _contestants(Epoch(rows, kind == "bfloat16", aside)), time.perf_counter()
        taken: dict[str, list[dict[str, float]]] = {who: [] for who in made}
        for turn in range(turns):
            if turn and time.perf_counter() - begun > SECONDS:
                break
            for who in list(made)[:: 1 if turn % 2 else -1]:
                taken[who].append(_trained(made[who]))
        loading = _loading(made[OURS])
    return _result(kind, taken, loading)


def _contestants(epoch: Epoch) -> dict[str, Callable]:
    stock = {DYNAMIC: partial(epoch.stock, pad_to_max=False), PADDED: partial(epoch.stock, pad_to_max=True)}
    return {OURS: epoch.ours, **stock}


def _trained(make: Callable) -> dict[str, float]:
    """`cpu` are the seconds of this process, in which other programs do not count."""
    cpu = time.process_time()
    trainer, prepared = make()
    begun = time.perf_counter()
    loss = trainer.train().training_loss
    training = time.perf_counter() - begun
    figures = {"rows": len(trainer.train_dataset), "prepare": prepared, "train": training}
    return {**figures, "epoch": prepared + training, "cpu": time.process_time() - cpu, "loss": loss}


def _loading(make: Callable) -> float:
    """Seconds of an epoch in which our rows are read and made into batches, were nothing else done."""
    trainer, _ = make()
    batches = trainer.get_train_dataloader()
    begun = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - begun


def _result(kind: str, taken: Mapping[str, list[dict[str, float]]], loading: float) -> dict:
    seconds = {who: {name: median(one[name] for one in them) for name in them[0]} for who, them in taken.items()}
    turns = len(taken[OURS])
    ratios = {who: _ratio(taken, who, "epoch") for who in GOALS}
    of_cpu = {who: _ratio(taken, who, "cpu") for who in GOALS}
    rows = int(seconds[OURS]["rows"])
    share = loading / seconds[OURS]["train"]
    say(f"an epoch of {rows:,} movie reviews in {kind}, {torch.get_num_threads()} threads; median of {turns}")
    for who, one in seconds.items():
        more = f"; {ratios[who]:.2f} times ours" if who in ratios else f"; loss {one['loss']:.3f}"
        say(f"  {who:<21}{one['epoch']:7.1f} s, {one['prepare']:.1f} to prepare, CPU {one['cpu']:.1f} s{more}")
    say(f"  of ours {loading:.2f} s are loading and collating ({share:.1%} of the training)")
    goals = {who: {"goal": goal, "met": ratios[who] >= goal} for who, goal in GOALS.items()}
    figures = {
        "rows": rows,
        "turns": turns,
        "seconds": seconds,
        "ratios": ratios,
        "cpu_ratios": of_cpu,
        "loading": loading,
    }
    return {"precision": kind, **figures} | ({"goals": goals} if kind == "float32" else {})


def _ratio(taken: Mapping[str, list[dict[str, float]]], who: str, name: str) -> float:
    return median(a[name] / b[name] for a, b in zip(taken[who], taken[OURS], strict=True))
