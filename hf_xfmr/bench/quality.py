"""How good a run is with nothing said but data, model and rows: beside the best of a search, and the simple model.

Each cell is trained with several seeds, as a user would train it, and searched, in OUT/CELL.
What is done is not done again, so the table can be made on a busy machine, a cell at a time.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..plain import some
from ..run import recipes, seeds
from ..run.console import say
from ..samples import load
from ..search import search
from ..search.trials import Failed, runs_of
from ..writing import folder, whole

ENCODER = (
    "{vocab_size: 8000, hidden_size: 256, num_hidden_layers: 4, num_attention_heads: 4, intermediate_size: 512, "
    "max_position_embeddings: 128}"
)
SMALL = ["--model_config", ENCODER, "--max_length", "128"]
MINILM = ["--model", "sample:minilm", "--max_length", "128"]
BANDS = ((-4.0, "awful"), (-2.0, "bad"), (-0.5, "middling"), (0.5, "good"), (2.5, "rave"))  # from so high a rating on


@dataclass(frozen=True)
class Cell:
    """What is trained: `data` is what the recipe's `--dataset` takes, `rows` of train, judged by `figure` on test."""

    data: str
    rows: int
    model: str
    figure: str
    recipe: str = "classify"

    @property
    def name(self) -> str:
        return f"{self.data.removeprefix('sample:')}-{self.rows}-{self.model.split()[0].lower()}"

    def words(self, out: Path) -> list[str]:
        """The recipe's flags."""
        data = str(_bands(out)) if self.data == "rating-bands" else self.data
        held = max(200, min(1000, self.rows // 3))
        words = ["--dataset", data, "--max_train_rows", str(self.rows), "--max_validation_rows", str(held)]
        words += ["--max_test_rows", "1000", "--report_to", "none"]
        if self.recipe == "tag":
            words += ["--baseline", "crf"]
        elif self.data == "sample:reviews-zh":
            words += ["--tokenizer", "unigram"]
        elif self.data == "sample:movie-reviews":
            words += ["--label_column", "label"]  # it has ratings, too
        return words + (MINILM if self.model == "MiniLM" else SMALL)


NEW = "new weights (4 x 256)"
CELLS = (
    Cell("sample:movie-reviews", 500, "MiniLM", "accuracy"),
    Cell("sample:movie-reviews", 2_000, "MiniLM", "accuracy"),
    Cell("sample:movie-reviews", 8_000, "MiniLM", "accuracy"),
    Cell("rating-bands", 1_500, "MiniLM", "f1_macro"),
    Cell("sample:movie-ratings", 2_000, "MiniLM", "rmse"),
    Cell("sample:reviews-zh", 1_500, NEW, "accuracy"),
    Cell("sample:reviews-zh", 10_000, NEW, "accuracy"),
    Cell("sample:msra-ner", 1_500, NEW, "f1", "tag"),
    Cell("sample:msra-ner", 10_000, NEW, "f1", "tag"),
)


def bench_quality(
    *, only: Sequence[str] | None = None, trials: int = 12, draws: Sequence[int] = (1, 2, 3), out: Path
) -> Path:
    """Train, search, and write quality.json and quality.md, the table. `only`: cells by name; `trials` 0: no search.
    Returns the table's file. Raises `UserError` for a name that is none, and a run that fails."""
    known = {cell.name: cell for cell in CELLS}
    for name in only or ():
        if name not in known:
            raise UserError(f"--only {name}: no cell is called so; there is {some(known)}")
    folder(out, kind="the folder of the bench")
    for name in only or known:
        record = _measured(known[name], trials, draws, out)
        with whole(out / name / "cell.json") as aside:
            aside.write_text(json.dumps(record, indent=2), encoding="utf-8")
        say(_line(record))
    found = [
        json.loads(file.read_text(encoding="utf-8"))
        for cell in CELLS
        if (file := out / cell.name / "cell.json").exists()
    ]
    with whole(out / "quality.json") as aside:
        aside.write_text(json.dumps(found, indent=2), encoding="utf-8")
    with whole(out / "quality.md") as aside:
        aside.write_text(table(found), encoding="utf-8")
    say(f"written: {out / 'quality.md'}")
    return out / "quality.md"


def _measured(cell: Cell, trials: int, draws: Sequence[int], out: Path) -> dict[str, Any]:
    place, words = out / cell.name, cell.words(out)
    found: dict[str, Any] = {
        "data": cell.data.removeprefix("sample:"),
        "rows": cell.rows,
        "model": cell.model,
        "figure": cell.figure,
        "seeds": len(draws),
        "best": None,
    }
    if trials:  # which trains with the defaults, and with its best, with the same seeds
        searched = search(cell.recipe, words, trials=trials, seeds=draws, output_dir=place / "search")
        found["best"] = searched["refit"]["best"]["summary"]["test"][cell.figure]
        found["settings"] = searched["best"]
        found["trials"] = len(searched["trials"])
        runs = place / "search" / "own"
    else:
        runs = place / "default"
        _trained(cell, words, draws, runs)
    record = json.loads((runs / seeds.NAME).read_text(encoding="utf-8"))
    first = json.loads((runs / f"seed-{draws[0]}" / "run.json").read_text(encoding="utf-8"))
    simple = first.get("baseline") or {}
    found["default"] = record["summary"]["test"][cell.figure]
    found["simple"] = (simple.get("test") or {}).get(cell.figure)
    found["simple_name"] = simple.get("name")
    found["seconds"] = first["seconds"]
    return found


def _trained(cell: Cell, words: Sequence[str], draws: Sequence[int], folder: Path) -> None:
    """Train with nothing said, once for each seed, in `folder`."""
    done = folder / seeds.NAME
    if done.exists() and "summary" in done.read_text(encoding="utf-8"):
        return
    say(f"{cell.name}: training with {len(draws)} seeds")
    told = [*words, "--output_dir", str(folder), "--seeds", *map(str, draws), "--disable_tqdm=true"]
    try:
        runs_of(recipes.script(cell.recipe), told, folder.with_suffix(".log"), "run", lambda _: True)
    except Failed as failed:
        raise UserError(f"{cell.name}: {failed}") from None


def _bands(out: Path) -> Path:
    """The ratings of movie reviews as five labels, of which the outer ones are rare."""
    file = out / "rating-bands.csv"
    if not file.exists():
        rows = load("sample:movie-ratings")
        with whole(file) as aside, aside.open("w", encoding="utf-8", newline="") as table_file:
            writer = csv.writer(table_file)
            writer.writerow(["text", "label"])
            for split in rows.values():
                for text, rating in zip(split["text"], split["rating"], strict=True):
                    writer.writerow([text, next(name for least, name in reversed(BANDS) if rating >= least)])
    return file


def _line(record: dict[str, Any]) -> str:
    best = "" if record["best"] is None else f", best of {record['trials']} trials {_spread(record['best'])}"
    simple = "" if record["simple"] is None else f", {_short(record)} {record['simple']:.3f}"
    head = f"{record['data']}, {record['rows']:,} rows, {record['model']}: {record['figure']}"
    return f"{head} {_spread(record['default'])} by default{best}{simple}"


def _spread(one: dict[str, float]) -> str:
    return f"{one['mean']:.3f} ± {one['sd']:.3f}"


def _short(record: dict[str, Any]) -> str:
    return "TF-IDF" if "TF-IDF" in str(record["simple_name"]) else "CRF"


def table(found: Sequence[dict[str, Any]]) -> str:
    """The cells as a Markdown table; what the simple model is better at is in bold."""
    lines = ["| data | rows | model | figure | by default | best of a search | simple model | training, s |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for one in found:
        simple = "" if one["simple"] is None else f"{one['simple']:.3f} ({_short(one)})"
        lower = one["figure"] == "rmse"
        if one["simple"] is not None and (one["simple"] < one["default"]["mean"]) == lower:
            simple = f"**{simple}**"
        best = "" if one["best"] is None else _spread(one["best"])
        cells = (one["data"], f"{one['rows']:,}", one["model"], one["figure"], _spread(one["default"]), best, simple)
        lines.append(f"| {' | '.join(cells)} | {one['seconds']:.0f} |")
    return "\n".join(lines) + "\n"
