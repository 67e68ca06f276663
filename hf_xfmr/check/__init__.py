"""The check before the first step: what is wrong with the data, the tokenizer and the machine, and what a run costs.

`corpus.report` says what was done to the data; this says what is wrong with it. Large data is sampled.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data.corpus import Corpus
from ..data.part import Part
from ..errors import UserError
from ..processes import once
from ..run.console import say
from ..training.onlookers import is_checked
from . import findings, labels, language, resources, text, timing, tokens
from .findings import Finding, stricter

__all__ = ["Checked", "Finding", "Settings", "before_training", "data_findings", "stricter"]

ROWS = 50_000  # most rows of a split that are looked at


@dataclass(kw_only=True)
class Settings:
    """How a recipe is checked before its first step."""

    strict: bool = field(default=False, metadata={"help": "stop at the check's warnings too, not at its errors alone"})
    check_only: bool = field(
        default=False, metadata={"help": "check all, measure three steps, and stop before training"}
    )


class Checked(SystemExit):
    """The end of a program that was to check alone, with exit code 0. `found`: the main process's `trainer.checks`."""

    def __init__(self, found: dict[str, Any] | None):
        super().__init__(0)
        self.found = found


def before_training(trainer, settings: Any, corpus: Corpus) -> None:
    """Check a run that is ready to train, print what was found, and leave it in `trainer.checks` for run.json.

    `settings` has the fields of `Settings`; `corpus` is what a task made of its data. Raises
    `UserError` for errors (under `strict` for warnings too), and with `check_only` ends the program with exit code 0.
    Of several processes the main one checks, for all. A run that is one of many on the same rows is not checked again.
    """
    if is_checked():
        return
    once(_check)(trainer, settings, corpus)
    if settings.check_only:
        raise Checked(getattr(trainer, "checks", None))


def _check(trainer, settings: Any, corpus: Corpus) -> None:
    parts = corpus.parts(ROWS)
    found, figures = data_findings(corpus, parts, getattr(trainer.model, "config", None))
    looked = ", ".join(f"{len(part):,} of {part.total:,} {split}" if part.total is not None
                       else f"the first {len(part):,} {split}" for split, part in parts.items())  # fmt: skip
    lines = [f"check: looked at {looked} rows"]
    if not any(one.level == "error" for one in found):
        cost, more = _cost(trainer)
        lines, found = [*lines, *cost], [*found, *more]
    found = stricter(found) if settings.strict else found
    lines += findings.lines(found)
    errors = sum(one.level == "error" for one in found)
    warnings = sum(one.level == "warning" for one in found)
    if not found:
        lines.append("check: nothing is wrong")
    say(*lines)
    file = getattr(settings, "dataset", None)
    trainer.checks = {
        "looked_at": looked,
        "rows": {split: part.total for split, part in parts.items()},
        "costs": [line for line in lines[1:] if line.startswith(("disk", "memory", "time"))],
        "findings": [{"file": file if one.split else None, **one.as_dict()} for one in findings.some(found)],
        **figures,
    }
    if errors:
        words = "an error" if errors == 1 else f"{errors} errors, named above, the first"
        first = str(next(one for one in found if one.level == "error")).removeprefix("error: ")
        raise UserError(f"the check found {words}" + (" (strict)" if settings.strict else "") + f": {first}")
    if settings.check_only:
        say(f"check: ready to train, {warnings} warning{'' if warnings == 1 else 's'}")
        with suppress(OSError):
            Path(str(trainer.args.output_dir)).rmdir()  # if the check alone made it


def data_findings(corpus: Corpus, parts: dict[str, Part], config=None) -> tuple[list[Finding], dict]:
    """What is wrong with a corpus, the gravest first, and the figures of the report's pictures."""
    found: list[Finding] = []
    encoders = corpus.encoders()
    for part in parts.values():
        found += [*text.damaged(part), *text.repeated(part), *tokens.special_in_text(part, encoders)]
        if not part.are_documents:
            found += text.very_long(part)
    found += text.shared(parts)
    train = parts["train"]
    balance = {}
    if train.labels is not None:
        names = corpus.label_names
        found += labels.check_labels(parts, names) if names else labels.check_ratings(parts)
        if names:
            balance = labels.balance(parts, names)
    columns = tokens.encode(train, encoders)
    for one in columns:
        found += list(tokens.unknown(one)) or list(language.of_words(one))
        found += language.letter_case(one)
        if config is not None:
            target = getattr(config, "decoder_vocab_size", None) if one.column == "target" else None
            found += tokens.beyond_embedding(one, target or config.vocab_size)
            if one.column in ("text", "target"):
                found += tokens.special_tokens(one.tokenizer, config, generates=corpus.generates)
    found += tokens.cut(columns, limit=corpus.row_limit if corpus.cuts else None)
    order = ("error", "warning", "note")
    figures = {
        "lengths": None if corpus.joined else _histogram(tokens.whole_lengths(columns), corpus.row_limit),
        "length_limit": corpus.row_limit,
        "balance": balance,
        "coverage": {one.column: _coverage(one) for one in columns},
    }
    return sorted(found, key=lambda one: order.index(one.level)), figures


def _cost(trainer) -> tuple[list[str], list[Finding]]:
    total = resources.steps(trainer)
    available = resources.free_memory(trainer.args.device)
    spent = timing.measure(trainer)
    disk_line, disk = resources.disk(trainer.model, trainer.args, total)
    memory_line, memory = resources.memory(trainer.model, spent, available)
    lines = [resources.finish_line(spent, total), memory_line, disk_line]
    return lines, [*disk, *memory]


def _histogram(lengths: np.ndarray, limit: int | None) -> dict[str, list]:
    """Rows by length; if there is a limit it is the edge of a bin, and all beyond four times the limit is one bin."""
    top = int(lengths.max()) + 1
    width = max(1, -(-min(top, 4 * limit) // 40)) if limit else max(1, -(-top // 40))
    if limit:  # a divisor of the limit near that width
        width = min((d for d in range(1, limit + 1) if limit % d == 0), key=lambda d: abs(d - width))
    last = min(top, 4 * limit) if limit else top
    edges = np.arange(0, last + width, width) + 1  # a row of exactly `limit` tokens is not cut
    counts, _ = np.histogram(np.minimum(lengths, edges[-1] - 1), edges)
    return {"edges": (edges - 1).tolist(), "rows": counts.tolist(), "longest": top - 1}


def _coverage(one: tokens.Encoded) -> dict[str, Any]:
    """Share of the text that the most frequent 1, 2, 4, ... tokens of the vocabulary make up."""
    counts = np.sort(np.fromiter(one.used.values(), float))[::-1]
    shares = np.cumsum(counts) / max(counts.sum(), 1)
    ranks = [rank for rank in 2 ** np.arange(0, 24) if rank < len(shares)] + [len(shares)]
    return {
        "ranks": [int(rank) for rank in ranks],
        "shares": [round(float(shares[rank - 1]), 6) for rank in ranks] if len(shares) else [],
        "used": len(counts),
        "vocabulary": len(one.tokenizer),
        "unknown": one.unknown,
    }
