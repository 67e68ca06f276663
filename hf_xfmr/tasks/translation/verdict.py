"""What a translation run's BLEU means: set against copying the source, row by row; and what is wrong with the
translations themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from ...data.wording import short
from ...report import verdict
from ...report.comparison import outcome
from ...report.verdict import few, leaks, learning, loops
from .contest import against

HOPELESS, LOW = 2.0, 10.0  # BLEU
ALIKE = 20.0  # BLEU of sources taken for translations
MANY = 0.1  # share of translations that share a fault
THE_SAME = 0.9  # share of references that are their source, where copying is the task


def of_run(
    splits: Mapping[str, Dataset],
    split: str | None,
    translations: Sequence[str],
    language: str,
    history: Sequence[Mapping],
    arguments: Mapping[str, Any],
) -> verdict.Verdict:
    """The verdict on the translations of a split (None: nothing is held out) into a `language`."""
    if split is None:
        return verdict.nothing_held_out()
    sources, references = splits[split]["source"][:], splits[split]["target"][:]
    rows = len(sources)
    found, interval = against(sources, translations, references, language=language)
    rival, value = {"kind": "copy", **found}, found["b"]
    copying = sum(map(str.__eq__, sources, references)) > THE_SAME * rows
    rivals = [] if copying else [rival]
    is_good = value >= LOW and (copying or outcome(rival) == "better")
    leaked = leaks.share_in_train(sources, splits["train"]["source"][:])
    taught = learning.warnings(history, arguments, is_good=is_good, is_perfect=value >= 99.9)
    heeded = [
        *leaks.warnings("bleu", 0.0 if copying else value, 99.9, leaked, split),
        *_faults(sources, references, translations),
        *taught,
        *([] if copying or value < HOPELESS else few.warnings(rival, rows, "pairs")),
    ]
    if copying:
        heeded.append({"kind": "copy_is_right"})
    elif found["a"] >= ALIKE:
        heeded.append({"kind": "alike", "copy": found["a"]})
    if value < LOW:
        advice = None if taught else learning.longer(arguments, history)
        heeded.append({"kind": "low_bleu", "bleu": value, "try": advice})
    if split == "validation":
        heeded.append({"kind": "validation_only", "try": "--test_fraction 0.05"})
    about: dict[str, Any] = {"rows": rows, "unit": "pairs", "split": split, "interval": interval}
    return verdict.judge("bleu", value, rivals, **about, hopeless=value < HOPELESS, warnings=heeded)


def _faults(sources: Sequence[str], references: Sequence[str], translations: Sequence[str]) -> list[dict]:
    """Translations that are empty, the source itself, all the same, or go in circles."""
    rows, found = len(translations), []
    empty = sum(not one.strip() for one in translations)
    if empty:
        found.append({"kind": "empty_translations", "count": empty, "rows": rows})
    copied = sum(t == s != r for t, s, r in zip(translations, sources, references, strict=True))
    if copied > MANY * rows:
        found.append({"kind": "copied", "count": copied, "rows": rows})
    text, count = Counter(one for one in translations if one.strip()).most_common(1)[0] if empty < rows else ("", 0)
    meant = len({reference for reference, one in zip(references, translations, strict=True) if one == text})
    if count > max(2, MANY * rows) and meant > count / 2:
        found.append({"kind": "same_translation", "count": count, "rows": rows, "said": short(text, 40)})
    return found + loops.warnings(translations, "translations")
