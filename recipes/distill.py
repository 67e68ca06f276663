"""Distill a classifier: a small model learns from a large one's answers, on rows without labels too.

    python recipes/distill.py --teacher runs/movie-reviews --dataset sample:movie-reviews [--key value ...]

Ends with what `classify_bert` ends with, and the student beside its teacher on the same rows: the share of accuracy
kept, rows a second of both, taken in turns, and their sizes.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.run import program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.classification import baseline as baseline_model
from hf_xfmr.tasks.classification import data, distill, run, student
from hf_xfmr.tasks.classification.teacher import Teacher


@dataclass(kw_only=True)
class Settings(distill.DistillSettings, check.Settings):
    dataset: str = field(
        metadata={"help": "sample:NAME, a CSV, TSV, JSON(L) or Parquet file, a folder of them, or a dataset on the Hub"}
    )
    baseline: bool = field(default=True, metadata={"help": "Fit TF-IDF + a linear model on the same split, to compare"})
    max_baseline_rows: int | None = field(
        default=baseline_model.MOST, metadata={"help": "Fit it on at most so many rows, which is said; null: all"}
    )


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split and of the baseline."""
    settings, args = parse(Settings, argv=argv)
    distill.check(settings)
    teacher = Teacher(settings.teacher)
    config, tokenizer = distill.load_parts(settings, teacher)
    corpus = data.classification(
        settings.dataset,
        tokenizer,
        settings,
        max_positions=config.longest_row,
        vocab_size=config.vocab_size if settings.model or distill.of_teacher(settings) else None,
        seed=args.seed,
    )
    say(*corpus.report)
    teacher.check(corpus.problem)
    model = distill.build_model(settings, config, corpus, teacher)
    trainer, splits = distill.make_trainer(settings, args, model, corpus, teacher)
    check.before_training(trainer, settings, corpus)
    against = None
    if settings.baseline and "test" in corpus.splits:
        against = baseline_model.fit_baseline(corpus, settings.max_baseline_rows)
    seconds = train(trainer)
    found = student.beside_teacher(trainer, model, corpus, teacher)
    say(*student.lines(found))
    return run.finish(trainer, settings, model, corpus, splits, seconds, against, distilled=found)


if __name__ == "__main__":
    program.run(main)
