"""Distill a classifier, a tagger or a GPT-2: a small model learns from a large one's answers, without labels too.

    python recipes/distill.py --teacher runs/movie-reviews --dataset sample:movie-reviews [--key value ...]

What a teacher answers is known from its config.json; the flags of data are those of `tag` and `gpt2` where it is one,
and here are a classifier's, of one label, several or a rating. Ends with what these end with, and the student beside
its teacher on the same rows: the figure by which the task is judged (accuracy, F1, the error of ratings, perplexity)
and how much of it is kept, rows or tokens a second of both, taken in turns, and their sizes.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.errors import UserError
from hf_xfmr.run import program, seeds, side_by_side, teaching
from hf_xfmr.run.console import say
from hf_xfmr.run.folds import SeveralFolds
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.classification import baseline as baseline_model
from hf_xfmr.tasks.classification import distill, run, student, teacher
from hf_xfmr.tasks.language_modeling import distill as language
from hf_xfmr.tasks.language_modeling import ending
from hf_xfmr.tasks.tagging import distill as tagger


@dataclass(kw_only=True)
class Settings(distill.DistillSettings, check.Settings):
    dataset: str = field(metadata={"help": "sample:NAME, a table, a folder of them, or a dataset on the Hub"})
    baseline: bool = field(default=True, metadata={"help": "Fit TF-IDF + a linear model on the same split, to compare"})
    max_baseline_rows: int | None = field(
        default=baseline_model.MOST, metadata={"help": "Fit it on at most so many rows, which is said; null: all"}
    )


@dataclass(kw_only=True)
class TaggerSettings(tagger.DistillSettings, check.Settings):
    dataset: str = field(metadata={"help": "As `train tag` takes it"})


@dataclass(kw_only=True)
class LanguageSettings(language.DistillSettings, check.Settings):
    dataset: str = field(metadata={"help": "As `train gpt2` takes it"})


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split and of the baseline."""
    taught = {"tagging": tag, "language_modeling": write}.get(teaching.task_of(argv), classify)
    try:
        return taught(argv)
    except SeveralFolds:
        raise UserError("distill has no folds: leave it out") from None


def classify(argv: Given) -> dict[str, dict[str, float]]:
    settings, args = parse(Settings, argv=argv)
    distill.check(settings, args)
    large = teacher.Teacher(settings.teacher)
    corpus, model = distill.prepare(settings.dataset, settings, large, args.seed)
    trainer, splits = distill.make_trainer(settings, args, model, corpus, large)
    check.before_training(trainer, settings, corpus)
    against = None
    if settings.baseline and "test" in corpus.splits:
        against = baseline_model.fit_baseline(corpus, settings.max_baseline_rows)
    seconds = train(trainer)
    found = student.beside_teacher(trainer, model, corpus, large)
    say(*side_by_side.lines(found))
    return run.finish(trainer, settings, model, corpus, splits, seconds, against, distilled=found)


def tag(argv: Given) -> dict[str, dict[str, float]]:
    settings, args = parse(TaggerSettings, argv=argv)
    tagger.check(settings, args)
    large = tagger.Teacher(settings.teacher)
    corpus, model = tagger.prepare(settings.dataset, settings, large)
    trainer = tagger.make_trainer(settings, args, model, corpus, large)
    check.before_training(trainer, settings, corpus)
    against = tagger.run.fit_baseline(settings, corpus)
    seconds = train(trainer)
    found = tagger.beside_teacher(trainer, model, corpus, large)
    say(*side_by_side.lines(found))
    return tagger.run.finish(trainer, settings, corpus, seconds, against, distilled=found)


def write(argv: Given) -> dict[str, dict[str, float]]:
    settings, args = parse(LanguageSettings, argv=argv)
    language.check(settings, args)
    large = language.Teacher(settings.teacher)
    corpus, model = language.prepare(settings.dataset, settings, large)
    trainer = language.make_trainer(settings, args, model, corpus, large)
    check.before_training(trainer, settings, corpus)
    seconds = train(trainer)
    held_out = ending.held_out(trainer, settings, corpus)
    found = language.beside_teacher(trainer, model, settings, corpus, large, held_out)
    say(*side_by_side.lines(found))
    return ending.finish(trainer, settings, corpus, seconds, None, held_out, distilled=found)


if __name__ == "__main__":
    program.run(main)
