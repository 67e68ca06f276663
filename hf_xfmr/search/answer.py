"""A search from its first look at the data to its page."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..report.language import check as check_language
from ..report.names import is_lower
from ..run import beginnings
from ..run.console import say
from ..writing import folder as make
from ..writing import place
from . import asked, bests, given, page, refit, said, space, study, trials


def search(
    config: str,
    words: Sequence[str] = (),
    *,
    trials: int = asked.TRIALS,
    minutes: float | None = None,
    over: Sequence[str] = (),
    ranges: Sequence[str] = (),
    figure: str | None = None,
    seeds: Sequence[int] = asked.SEEDS,
    no_refit: bool = False,
    output_dir: str | Path | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """Try settings of a recipe, and train with the best of them. See the command for what each word means.

    Returns the record of the page: `figure`, `best` and `own` settings, `trials`, `importance`, and after the refits
    `refit`. A search that was stopped goes on. Raises `UserError` for what is wrong, in the configuration too, and
    `KeyboardInterrupt` where it is stopped.
    """
    asked.check(trials=trials, minutes=minutes, seeds=seeds, over=over, ranges=ranges)
    check_language(language)
    config, words = given.as_of_train(config, words)
    script, named, settings = given.found(config)
    settings |= given.of_flags(words)
    given.check(settings)
    stem = Path(named[0]).stem if named else beginnings.stem(str(settings.get("dataset") or config))
    folder = place(output_dir or settings.get("output_dir") or f"runs/search-{stem}", "--output_dir")
    told = [*named, *_without_folder(words), *_evaluating(settings)]
    began = _begun(folder, script, told, settings, over=over, ranges=ranges, figure=figure)
    facts, judged_by = began["facts"], began["facts"]["judged_by"]
    lower = is_lower(judged_by)
    found = study.Study(folder, began, int(settings.get("seed") or 0), lower=lower)
    own = space.own(facts)
    say(*said.beginning(found, judged_by, trials, folder))
    kept = {name: value for name, value in settings.items() if name not in given.NOT_OF_A_TRIAL}
    given.write(folder / "own.yaml", script, kept, "The configuration as the search began with it.")

    def meanwhile() -> bool:
        return not no_refit and refit.train_one(folder, script, "own", seeds)

    _try_all(found, script, told, facts, own, trials=trials, until=_end(minutes), meanwhile=meanwhile)
    record = None
    while record is None:  # again where another process has found better settings meanwhile, by more trials
        best = found.best()
        if best is None:
            raise UserError(f"no trial ran to its end; {folder}/trial-*/log.txt tell why")
        best_settings = space.as_settings(found.drawn(best), facts)
        chosen = {**kept, **dict(_pairs(_evaluating(settings))), **best_settings}
        if best_settings and judged_by != "loss":
            chosen.setdefault("metric_for_best_model", judged_by)
        count, value = len(found.trials()), f"{best.value:.4f}, trial {best.number + 1}"
        about = f"The best of {count} trials by {judged_by} on validation ({value})."
        bests.put(folder, script, chosen, about)
        record = said.record(found, facts, judged_by, own=own, folder=folder, script=script)
        if not no_refit:
            record = refit.refit(folder, script, seeds, record, chosen)
    page.write(folder, record, language)
    say(*said.ending(record))
    return record


def _begun(folder: Path, script: Path, told: list[str], settings: Mapping[str, Any], **wished: Any) -> dict[str, Any]:
    """What is tried, as it was written down when the search began."""
    kept = {name: value for name, value in settings.items() if name != "output_dir"}
    same = {"recipe": script.stem, **kept, "--over": list(wished["over"]), "--range": list(wished["ranges"])}
    same |= {"--figure": wished["figure"]}
    if (before := study.check(folder, same)) is not None:
        return before
    make(folder, kind="the output folder", instead="give another --output_dir")
    with study.alone(folder):
        if (before := study.check(folder, same)) is not None:
            return before
        say(f"search: looking at the data and at the first step of {script.stem}")
        facts = _looked(script, told, folder, wished["figure"])
        tried = space.chosen(space.of_facts(facts), wished["over"], wished["ranges"], facts)
        if not tried:
            raise UserError("nothing is left to try: leave --over out, or add --range NAME=LOW:HIGH")
        return study.begin(folder, same, facts, tried)


def _looked(script: Path, told: list[str], folder: Path, figure: str | None) -> dict[str, Any]:
    """The facts of the configuration's own run. Raises `UserError`, with what else, for a `figure` that no evaluation
    of it gives."""
    by = [] if figure is None else [f"--metric_for_best_model={figure}"]
    try:
        return trials.look(script, [*told, *by], folder)
    except UserError as error:
        if figure is None or not str(error).startswith("metric_for_best_model is"):
            raise
        raise UserError(f"--figure{str(error).removeprefix('metric_for_best_model')}") from None


def _try_all(
    found: study.Study,
    script: Path,
    told: list[str],
    facts: Mapping[str, Any],
    own: Mapping[str, Any],
    *,
    trials: int,
    until: float,
    meanwhile: Callable[[], bool],
) -> None:
    """Run trials until all are run, by whatever process. Where others run the last ones, do what is to be done
    `meanwhile`, as long as it says that there was something; a trial that they leave is gone on with here."""
    waits = over = False
    while True:
        if not over and time.monotonic() >= until:
            over = True
            say("--minutes are over: no further trial begins")
        trial = None if over else found.next(trials, own)
        if trial is not None:
            try:
                _try(found, trial, script, told, facts, trials)
            finally:
                found.release(trial.number)
        elif not found.run_by_others():
            return
        elif not meanwhile():
            if not waits:
                say("other processes run the last trials: waiting for them")
            waits = True
            time.sleep(bests.WAIT)


def _try(found: study.Study, trial: Any, script: Path, told: list[str], facts: Mapping[str, Any], most: int) -> None:
    began, own = time.monotonic(), bool(trial.user_attrs.get(study.OWN))
    settings, state = space.as_settings(found.drawn(trial), facts), study.TrialState
    judged_by = facts["judged_by"]
    try:
        figures = trials.try_one(found, trial, script, told, settings, judged_by)
    except trials.Stopped:
        raise KeyboardInterrupt from None
    except trials.Failed as failed:
        trial.set_user_attr("reason", str(failed))
        trial.set_user_attr("seconds", round(time.monotonic() - began))
        found.optuna.tell(trial.number, state=state.FAIL)
        say(said.failed(trial.number, most, str(failed)))
        if own:
            raise UserError(f"the configuration's own settings fail ({failed}): mend them first") from None
        return
    trial.set_user_attr("seconds", round(time.monotonic() - began))
    if figures.pruned:
        found.optuna.tell(trial.number, state=state.PRUNED)
    else:
        found.optuna.tell(trial.number, figures.value)
    say(*said.ended(found, trial.number, most, judged_by))


def _end(minutes: float | None) -> float:
    return float("inf") if minutes is None else time.monotonic() + 60 * minutes


def _evaluating(settings: Mapping[str, Any]) -> list[str]:
    """What makes a run evaluate that would not: a trial without figures says nothing."""
    off = [name for name in ("eval_strategy", "save_strategy") if settings.get(name) in ("no", False)]
    return [f"--{name}=epoch" for name in off]


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (word.removeprefix("--").partition("=") for word in words)]


def _without_folder(words: Sequence[str]) -> list[str]:
    return [word for name, value in given.of_flags(words).items() if name not in ("output_dir", "seeds")
            for word in trials.in_words({name: value})]  # fmt: skip
