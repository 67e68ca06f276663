"""Compare two runs on the same test rows: the difference, its 95 % interval, and whether chance explains it.

Classification: McNemar's exact test on the rows only one of them gets right (one label a row), else a paired bootstrap.
Regression, tagging (the F1 of entities, over sentences) and language models (over documents): a paired bootstrap.
Translation: sacreBLEU's paired approximate randomization (its paired bootstrap calls a difference significant at 5 %
about twice as often as chance makes one).
"""

import argparse
import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from .. import recipe
from ..errors import UserError
from ..report import bootstrap, evaluation, results
from ..tasks.tagging_metrics import entity_counts
from ..tasks.translation_metrics import bleu_tokeniser

SIGNIFICANT = 0.05
TRANSLATION_RESAMPLES = 1000
FEWEST_DOCUMENTS = 10


def compare(a: str | Path, b: str | Path) -> dict[str, Any]:
    """The folders of two runs of one kind, compared on their test rows (validation, if neither has test).

    Returns `split`, `rows`, and under `figures` for each figure {"name", "a", "b", "difference" (b - a), "low", "high",
    "p", "test", "better" ("higher" or "lower")}; `p` and the interval are those of the difference. Raises `UserError`
    if a folder is no finished run, the runs are of different kinds, or their rows differ, naming the first that does.
    """
    a, b = Path(a), Path(b)
    runs = [_run(folder) for folder in (a, b)]
    if any("mlm_loss" in figures for run in runs for figures in (run.get("metrics") or {}).values()):
        raise UserError(
            f"{a} and {b}: a pre-training run guesses words that it masked by itself, so that two have no rows in "
            "common: fine-tune from both of them on one task, and compare those runs"
        )
    for kind, (pattern, one) in KINDS.items():
        for split in ("test", "validation"):
            files = [folder / pattern.format(split=split) for folder in (a, b)]
            there = [file.exists() for file in files]
            if all(there):
                return {"kind": kind, "split": split, **one(files, runs)}
            if any(there):
                lacking = files[there.index(False)]
                raise UserError(
                    f"{lacking} is missing, so that there is nothing to compare {files[there.index(True)]} with"
                )
    raise UserError(f"{a} and {b} hold no predictions to compare: give folders of finished runs of the same recipe")


def _run(folder: Path) -> dict:
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{folder} holds no run.json: give the output folder of a recipe that has finished") from None
    except ValueError as error:
        raise UserError(f"{folder}/run.json is not JSON ({error}): let the recipe write it again") from None


def _same(files: Sequence[Path], keys: Sequence[Sequence[tuple]], names: Sequence[str]) -> list[int]:
    """For each row of the first run its place in the second. Rows are the same if all of `keys`, (id, ...), are."""
    place = {key: number for number, key in enumerate(keys[1])}
    for number, key in enumerate(keys[0]):
        if key not in place:
            by_id = {other[0]: other for other in keys[1]}
            if key[0] not in by_id:
                raise UserError(
                    f"row {number} of {files[0]} (id {key[0]}) is not in {files[1]}: compare on the same rows"
                )
            what = next(name for name, x, y in zip(names, key, by_id[key[0]], strict=True) if x != y)
            raise UserError(f"row {number} (id {key[0]}) has another {what} in {files[0]} than in {files[1]}")
    if len(keys[0]) != len(keys[1]):
        number, key = next((n, key) for n, key in enumerate(keys[1]) if key not in set(keys[0]))
        raise UserError(f"row {number} of {files[1]} (id {key[0]}) is not in {files[0]}: compare on the same rows")
    return [place[key] for key in keys[0]]


def _figure(name: str, values: Sequence[float], drawn: np.ndarray, p: float | None, test: str, better="higher") -> dict:
    """`drawn` [b]: the difference in each resample, by which `p` is found if it is None."""
    low, high = bootstrap.interval(drawn)
    if p is None:
        p = _two_sided(drawn)
    a, b = map(float, values)
    bounds = {"low": float(low), "high": float(high), "p": float(p)}
    return {"name": name, "a": a, "b": b, "difference": b - a, **bounds, "test": test, "better": better}


def _two_sided(drawn: np.ndarray) -> float:
    """Twice the share of resamples on the rarer side of no difference (half of those on it), at least one of them."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return 1.0
    share = (drawn < 0).mean() + (drawn == 0).mean() / 2
    return float(min(1.0, max(2 * min(share, 1 - share), 1 / len(drawn))))


def _classification(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    kinds = [run.get("problem_type") for run in runs]
    if kinds[0] != kinds[1]:
        raise UserError(f"{files[0]} is of {kinds[0]} and {files[1]} of {kinds[1]}: compare runs of one kind")
    names = [run.get("label_names") for run in runs]
    rows = [
        results.read(f, problem_type=kind, labels=label) for f, kind, label in zip(files, kinds, names, strict=True)
    ]
    if set(rows[0].labels) != set(rows[1].labels):
        raise UserError(
            f"{files[0]} has the labels {rows[0].labels} and {files[1]} {rows[1].labels}: compare runs of one task"
        )
    gold = [[one.names(label) if one.labels else float(label) for label in one.gold] for one in rows]
    keys = [
        list(zip(one.ids, one.texts, one.pairs or [""] * len(one), truth, strict=True))
        for one, truth in zip(rows, gold, strict=True)
    ]
    order = np.array(_same(files, keys, ["id", "text", "second text", "gold label"]))
    p, q = rows[0], _reordered(rows[1], order, rows[0].labels)
    return {"rows": len(p), "figures": _paired(p, q)}


def _reordered(p: results.Predictions, order: np.ndarray, labels: list[str]) -> results.Predictions:
    """The rows in another order, with labels numbered as in `labels`."""
    gold, predicted = p.gold[order], p.predicted[order]
    if p.gold.ndim == 2:
        columns = [p.labels.index(name) for name in labels]
        gold, predicted = gold[:, columns], predicted[:, columns]
    elif p.labels:
        number = np.array([labels.index(name) for name in p.labels])
        gold, predicted = number[gold], number[predicted]
    blank: dict[str, Any] = {"pairs": None, "probabilities": None, "cut": None, "tokens": None}
    ids, texts = ([values[place] for place in order] for values in (p.ids, p.texts))
    return results.Predictions(ids=ids, texts=texts, gold=gold, predicted=predicted, labels=labels, **blank)


def _paired(p: results.Predictions, q: results.Predictions) -> list[dict]:
    """The headline figures, each resample drawing the same rows of both."""
    names, figures, once = evaluation.headline_names(p), [], np.ones((1, len(p)))
    values = [evaluation.headline_of_weights(one, once)[0] for one in (p, q)]
    blocks = list(bootstrap.weights(len(p)))
    drawn = [np.concatenate([evaluation.headline_of_weights(one, block) for block in blocks]) for one in (p, q)]
    for i, name in enumerate(names):
        exact, test = None, "paired bootstrap"
        if name == "accuracy":
            right = [evaluation.right(one).astype(bool) for one in (p, q)]
            only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
            exact = binomtest(only_b, only_a + only_b).pvalue if only_a + only_b else 1.0
            test = f"McNemar, exact: {only_b:,} rows only B has right, {only_a:,} only A"
        better = "lower" if name in ("mae", "mse") else "higher"
        pair = (values[0][i], values[1][i])
        figures.append(_figure(name, pair, drawn[1][:, i] - drawn[0][:, i], exact, test, better))
    return figures


def _table(file: Path) -> list[dict[str, str]]:
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle, delimiter="\t" if file.suffix == ".tsv" else ",", strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{file} can't be read ({error}): let the recipe write it again") from None
    finally:
        csv.field_size_limit(limit)


def _translation(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF
    from sacrebleu.significance import PairedTest

    rows = [_table(file) for file in files]
    keys = [[(row["id"], row["source"], row["reference"]) for row in one] for one in rows]
    order = _same(files, keys, ["id", "source", "reference"])
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
        test = PairedTest(named, {name: metric}, None, test_type="ar", n_samples=TRANSLATION_RESAMPLES)
        found: list[Any] = list(test()[1].values())[-1]  # after the systems' names
        p = 1.0 if found[1].p_value is None else found[1].p_value
        drawn = _resampled(metric, systems, references)
        figures.append(
            _figure(name, [one.score for one in found], drawn, p, "sacreBLEU's paired approximate randomization")
        )
    return {"rows": len(references), "figures": figures}


def _tokeniser(run: dict) -> str:
    """The words that the run's BLEU was of, from its signature."""
    for line in run.get("data") or []:
        if found := re.match(r"BLEU .*\|tok:([^|]+)", str(line)):
            return found[1]
    return bleu_tokeniser("")


def _resampled(metric, systems: Sequence[list[str]], references: list[str]) -> np.ndarray:
    """The difference of corpus scores over resampled rows, from sacreBLEU's statistics of each row: [RESAMPLES]."""
    statistics = [np.array(metric._extract_corpus_statistics(one, [references]), float) for one in systems]

    def difference(weights: np.ndarray) -> np.ndarray:
        a, b = (
            [metric._compute_score_from_stats(row.tolist()).score for row in (weights @ one).astype(int)]
            for one in statistics
        )
        return np.array(b) - np.array(a)

    return bootstrap.resample(difference, bootstrap.weights(len(references)))


def _language_model(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    rows = [_table(file) for file in files]
    keys = [[(row["id"], row["sha256"]) for row in one] for one in rows]
    order = _same(files, keys, ["id", "text"])
    if len(order) < FEWEST_DOCUMENTS:
        raise UserError(
            f"{files[0]} has {len(order)} documents; fewer than {FEWEST_DOCUMENTS} say nothing about chance: take "
            "runs on more texts"
        )
    both = [rows[0], [rows[1][place] for place in order]]
    bits = [np.array([float(row["nats"]) for row in one]) / np.log(2) for one in both]
    size = [np.array([float(row["bytes"]) for row in one]) for one in both]  # tokenizers differ in their first token

    def per_byte(weights: np.ndarray, one: int) -> np.ndarray:
        return (weights @ bits[one]) / np.maximum(weights @ size[one], 1)

    values = [float(per_byte(np.ones((1, len(order))), one)[0]) for one in (0, 1)]
    drawn = bootstrap.resample(lambda w: per_byte(w, 1) - per_byte(w, 0), bootstrap.weights(len(order)))
    figure = _figure("bits_per_byte", values, drawn, None, "paired bootstrap over documents", "lower")
    return {"rows": len(order), "figures": [figure]}


def _tagging(files: Sequence[Path], runs: Sequence[dict]) -> dict[str, Any]:
    rows = [_lines(file) for file in files]
    keys = [[(row["id"], tuple(row["tokens"]), tuple(row["gold"])) for row in one] for one in rows]
    order = _same(files, keys, ["id", "text", "gold tag"])
    both = [rows[0], [rows[1][place] for place in order]]
    counts = [np.array([entity_counts(row["gold"], row["predicted"]) for row in one]) for one in both]  # [rows, 3]

    def f1(weights: np.ndarray, one: int) -> np.ndarray:
        right, found, there = (weights @ counts[one]).T
        return 2 * right / np.maximum(found + there, 1)

    values = [float(f1(np.ones((1, len(order))), one)[0]) for one in (0, 1)]
    drawn = bootstrap.resample(lambda w: f1(w, 1) - f1(w, 0), bootstrap.weights(len(order)))
    return {"rows": len(order), "figures": [_figure("f1", values, drawn, None, "paired bootstrap over sentences")]}


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} can't be read ({error}): let the recipe write it again") from None


KINDS: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "classification": ("predictions-{split}.csv", _classification),
    "tagging": ("predictions-{split}.jsonl", _tagging),
    "translation": ("translations-{split}.tsv", _translation),
    "language model": ("documents-{split}.csv", _language_model),
}


def verdict(figure: dict[str, Any]) -> str:
    """What the figure says, in words."""
    if figure["p"] >= SIGNIFICANT or figure["difference"] == 0:
        return "no significant difference"
    wins = (figure["difference"] > 0) == (figure["better"] == "higher")
    return f"{'B' if wins else 'A'} is better"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="RUN_A", help="a run's folder")
    parser.add_argument("b", metavar="RUN_B", help="another run's folder, on the same test rows")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> None:
    found = compare(arguments.a, arguments.b)
    if arguments.json:
        recipe.say(json.dumps(found, ensure_ascii=False, indent=2))
        return
    recipe.say(f"A: {arguments.a}", f"B: {arguments.b}", f"on {found['rows']:,} {found['split']} rows:")
    for one in found["figures"]:
        sign = "less than 0.001" if one["p"] < 0.001 else f"{one['p']:.3f}"
        recipe.say(
            f"{one['name']}  A {one['a']:.4f}  B {one['b']:.4f}  B - A {one['difference']:+.4f} "
            f"[{one['low']:+.4f}, {one['high']:+.4f}]  p {sign} ({one['test']}): {verdict(one)}"
        )
    main = found["figures"][0]
    recipe.say(f"{main['name']}: {verdict(main)}" + ("" if main["p"] < SIGNIFICANT else " (at 5 %)"))
