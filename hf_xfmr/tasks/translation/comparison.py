"""Two translation runs compared: sacreBLEU's paired approximate randomization on BLEU and chrF."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...report import bootstrap
from ...report.comparison import figure, read_table, same_rows
from .contest import score, scored
from .metrics import bleu_tokeniser

RESAMPLES = 1000


def compare(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    """`rows` and `figures` of two files of translations, and their runs. Raises `UserError` for BLEU of other words."""
    from sacrebleu.metrics import BLEU, CHRF
    from sacrebleu.significance import PairedTest

    rows = [read_table(file) for file in files]
    keys = [[(row["id"], row["source"], row["reference"]) for row in one] for one in rows]
    order = same_rows(files, keys, ["id", "source", "reference"])
    references = [row["reference"] for row in rows[0]]
    systems = [[row["translation"] for row in rows[0]], [rows[1][place]["translation"] for place in order]]
    tokenisers = [_tokeniser(run) for run in runs]
    if tokenisers[0] != tokenisers[1]:
        raise UserError(
            f"the runs' BLEU is of different words ({tokenisers[0]}, {tokenisers[1]}): compare like with like"
        )
    scores = {"BLEU": BLEU(tokenize=tokenisers[0], references=[references]), "chrF": CHRF(references=[references])}
    named: list[tuple[str, Sequence[str]]] = [("A", systems[0]), ("B", systems[1])]
    figures = []
    for name, metric in scores.items():
        test = PairedTest(named, {name: metric}, None, test_type="ar", n_samples=RESAMPLES)
        found: list[Any] = list(test()[1].values())[-1]  # after the systems' names
        p = 1.0 if found[1].p_value is None else found[1].p_value
        statistics = [scored(metric, one, references) for one in systems]
        blocks = bootstrap.weights(len(references))
        drawn = np.concatenate([score(metric, w @ statistics[1]) - score(metric, w @ statistics[0]) for w in blocks])
        figures.append(
            figure(name, [one.score for one in found], drawn, p, "sacreBLEU's paired approximate randomization")
        )
    return {"rows": len(references), "figures": figures}


def _tokeniser(run: dict) -> str:
    """The words that the run's BLEU was of, from its signature."""
    for line in run.get("data") or []:
        if found := re.match(r"BLEU .*\|tok:([^|]+)", str(line)):
            return found[1]
    return bleu_tokeniser("")
