"""The lines a classification run prints about its data: columns, lengths, and what was cut."""

from collections.abc import Mapping, Sequence

import numpy as np
from datasets import Dataset

from ...data.columns import Columns
from ...data.wording import listed
from .encode import all_ids
from .overlong import Encoder


def columns_line(columns: Columns) -> str:
    """`columns: text "review", label "stars"; not used: "date"`."""
    roles = (("text", columns.text), ("text pair", columns.pair), ("label", columns.label), ("id", columns.id))
    used = ", ".join(f'{role} "{name}"' for role, name in roles if name is not None)
    return f"columns: {used}; not used: {listed(columns.unused) or 'none'}"


def missing_line(notes: Sequence[str]) -> str:
    """Whether rows lacked a text or a label; a row that does is left out with a note, or stops the run."""
    dropped = sum(note.startswith("dropped:") for note in notes)
    return "missing: rows without a text or a label, left out as said above" if dropped else "missing: nothing"


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
