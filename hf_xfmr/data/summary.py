"""The lines a recipe prints about its data: splits, columns, labels, lengths, and what was cut."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from datasets import Dataset

from .columns import Columns
from .encode import all_ids
from .labels import MULTI, REGRESSION
from .overlong import Encoder
from .wording import listed


def splits_line(splits: Mapping[str, Dataset], source: Mapping[str, str], *, unused: Sequence[str]) -> str:
    """`splits: train 8,056, validation 1,007 (carved from train by a hash of the text), test 1,007 (...)`."""
    parts = [
        f"{split} {len(rows):,}"
        + ("" if source[split] == split else f" (carved from {source[split]} by a hash of the text)")
        for split, rows in splits.items()
    ]
    return f"splits: {', '.join(parts)}" + (f"; not used: {', '.join(unused)}" if unused else "")


def columns_line(columns: Columns) -> str:
    """`columns: text "review", label "stars"; not used: "date"`."""
    roles = (("text", columns.text), ("text pair", columns.pair), ("label", columns.label), ("id", columns.id))
    used = ", ".join(f'{role} "{name}"' for role, name in roles if name is not None)
    return f"columns: {used}; not used: {listed(columns.unused) or 'none'}"


def labels_line(labels: Sequence, problem_type: str, names: Sequence[str]) -> str:
    """`labels: negative 4,012 (49.8 %), positive 4,044 (50.2 %)` of train; the largest ten if there are more."""
    if problem_type == REGRESSION:
        values = np.array(labels)
        spread = f"sd {values.std():.3g}, from {values.min():.4g} to {values.max():.4g}"
        return f"ratings of train: mean {values.mean():.3g}, {spread}"
    if problem_type == MULTI:
        counts = {name: int(count) for name, count in zip(names, np.sum(labels, axis=0), strict=True)}
    else:
        found = Counter(labels)
        counts = {name: found[number] for number, name in enumerate(names)}
    shown = list(counts) if len(counts) <= 12 else sorted(counts, key=lambda name: -counts[name])[:10]
    parts = [f"{name} {counts[name]:,} ({100 * counts[name] / len(labels):.1f} %)" for name in shown]
    if len(shown) < len(counts):
        rest = [count for name, count in counts.items() if name not in shown]
        parts.append(f"and {len(rest)} more with {min(rest):,} to {max(rest):,} rows")
    if problem_type == MULTI:
        parts.append(f"rows without a label {sum(not any(row) for row in labels):,}")
    return f"labels of train: {', '.join(parts)}"


def unknown_line(rows: Dataset, encoder: Encoder) -> str:
    """`unknown to the tokenizer: 0.12 % of the tokens of train`: much of it means a tokenizer of another language."""
    ids = np.array(all_ids(rows))
    sequences = sum(map(len, rows["windows"][:])) if encoder.over_long == "windows" else len(rows)
    unknown = (ids == encoder.tokenizer.unk_token_id).sum() / max(len(ids) - encoder.specials * sequences, 1)
    return f"unknown to the tokenizer: {100 * unknown:.2f} % of the tokens of train"


def length_lines(splits: Mapping[str, Dataset], encoder: Encoder) -> list[str]:
    """Per split, how long its rows are before they are cut and what of them was cut, as rows and as share of tokens."""
    lines = []
    for split, rows in splits.items():
        tokens, kept = np.array(rows["tokens"][:]), np.array(rows["kept"][:])
        whole = tokens + encoder.specials
        p50, p90, p99 = np.percentile(whole, (50, 90, 99), method="inverted_cdf")
        lines.append(
            f"length of {split} rows: median {p50:,}, 90 % up to {p90:,}, 99 % up to {p99:,}, longest {whole.max():,} "
            f"tokens with special tokens; max_length {encoder.max_length or 'none'}"
        )
        if encoder.over_long == "windows":
            count = np.array([len(row) for row in rows["windows"][:]])
            lines.append(
                f"windows of {split}: {count.sum():,} for {len(rows):,} rows, of which {(count > 1).sum():,} have "
                f"several, {count.max():,} at most"
            )
        lines.append(
            f"cut of {split}: {(kept < tokens).sum():,} of {len(rows):,} rows, "
            f"{100 * (1 - kept.sum() / max(tokens.sum(), 1)):.2f} % of tokens (over_long: {encoder.over_long})"
        )
    return lines
