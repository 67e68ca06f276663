"""`folds: 5` in the recipe: a run for each fold without it, one of all rows, and what they say together."""

import functools
from collections.abc import Callable
from pathlib import Path

from ....data.regular import read_json
from ....processes import once
from ....run.aside import aside
from ....run.console import say
from ....run.folds import Part, SeveralFolds, running
from ....run.seeds import note_settings, run_one, same_settings
from ....run.settings import Given
from . import figures, labels, left

NAME = "folds.json"
Metrics = dict[str, dict[str, float]]


def each(main: Callable[..., Metrics]) -> Callable[..., Metrics]:
    """A recipe's `main`, which with `folds` trains once without each fold, in OUTPUT_DIR/fold-N, one after another, and
    then on all rows, in OUTPUT_DIR, for as long as the folds were best at.

    To that last run `validation` is all rows, each answered by the model that had not seen it: temperature and
    thresholds are fitted on them, figures and report are theirs. What the run of a fold says is in its log.txt, but for
    what the first says of the data; its figure is said. It ends with the figures' intervals, and a page and a
    CSV of labels that look wrong (see labels.py). Folds that are done are not run again, one that was stopped goes on
    from its last checkpoint. Raises `UserError` if OUTPUT_DIR holds folds of other settings or rows.
    """

    @functools.wraps(main)
    def run(argv: Given = None) -> Metrics:
        try:
            return main(argv)
        except SeveralFolds as several:
            asked = several
        folder = Path(asked.output_dir)
        same_settings(folder / NAME, asked.settings, "folds")

        loud = True  # what is said of the data is the same of all folds
        for number in range(1, asked.folds + 1):
            part, place = Part(number, asked.folds), folder / f"fold-{number}"
            around = functools.partial(aside, place, is_loud=loud)
            if run_one(lambda: main(argv), running, part, place, f"fold {number} of {asked.folds}", around):
                loud = False
                say(figures.line_of(place))
            note_settings(folder / NAME, asked.settings)  # not before: what is wrong with them leaves nothing behind
        told = left.length(left.facts(folder, asked.folds), asked.settings)
        said = "".join(f", {name} {value:.4g} (where the folds were best)" for name, value in told.items())
        run_one(lambda: main(argv), running, Part(0, asked.folds, told), folder, f"all rows{said}")
        return _end(folder)

    return run


@once
def _end(folder: Path) -> Metrics:
    record = read_json(folder / "run.json", "record of a run")
    claim = (record.get("verdict") or {}).get("claim") or {}
    found = record["folds"]
    name = next(name for name in (claim.get("figure"), *found["figures"]) if name in found["figures"])
    say(*figures.lines(found, name), *labels.write(folder, record), f"report: {folder / 'report.html'}")
    return {"folds": {name: one["mean"] for name, one in found["figures"].items()}, **record["metrics"]}
